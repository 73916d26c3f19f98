import type { TaskContext } from '@tsunagi/protocol'
import type { WorkerReport } from './worker-side.ts'

/**
 * Runs one task in a worker of its own, so that the page stays quick and cancelling really stops the work. The worker's
 * code comes with the page (`?worker&inline`): sessions outlast the server, and so must the work.
 * @param transfer buffers of `input` that are handed over instead of copied
 */
export function runInWorker(
  worker: Worker,
  input: unknown,
  context: TaskContext,
  transfer: Transferable[] = [],
): Promise<unknown> {
  const { signal } = context
  let abort = (): void => undefined
  return new Promise<unknown>((resolve, reject) => {
    abort = () => reject(signal.reason)
    worker.onmessage = ({ data }: MessageEvent<WorkerReport>) => {
      if ('progress' in data) context.progress(data.progress, data.note)
      else if ('output' in data) resolve(data.output)
      else reject(new Error(data.failure))
    }
    worker.onerror = (event) => reject(new Error(event.message || 'The worker of this task could not be started.'))
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    else worker.postMessage(input, transfer)
  }).finally(() => {
    signal.removeEventListener('abort', abort)
    worker.terminate()
  })
}
