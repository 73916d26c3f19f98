/** The worker's side of {@link workerHandler}. */
import type { TaskContext } from '../api.ts'
import { limitWasmMemory } from './wasm-memory.ts'
import { type FromWorker, sentenceOf, type ToWorker, type WorkerStart, withoutRests } from './worker-messages.ts'

/** What a handler in a worker is told of its task. */
export interface WorkerTaskContext extends Omit<TaskContext, 'signal'> {
  /** Also good for fetch() and the like, which exist where a worker does. */
  readonly signal: AbortSignal
  /** Bytes that each WebAssembly memory here may grow to; undefined where they are not bounded. */
  readonly memoryLimit: number | undefined
}

/**
 * Does the one task that this worker is started for. Call once, when the worker's script runs.
 * @param handler as that of provide(): what it returns is the output, what it throws fails the task
 */
export function serveTasks<Input = unknown>(handler: (input: Input, context: WorkerTaskContext) => unknown): void {
  const abort = new AbortController()
  const partials = new Map<number, { fulfil(): void; reject(error: Error): void }>()
  let lastPartial = 0
  const say = (message: FromWorker) => self.postMessage(message)

  async function run({ input, taskId, caller, deadlineAt, memoryLimit }: WorkerStart): Promise<void> {
    if (memoryLimit !== undefined) limitWasmMemory(memoryLimit)
    const context: WorkerTaskContext = {
      taskId,
      caller,
      deadlineAt,
      memoryLimit,
      signal: abort.signal,
      progress(progress, note = '') {
        say({ say: 'progress', progress, note })
      },
      partial(output) {
        const number = ++lastPartial
        return new Promise((fulfil, reject) => {
          partials.set(number, { fulfil, reject })
          say({ say: 'partial', number, output: withoutRests(output) })
        })
      },
    }
    try {
      say({ say: 'output', output: withoutRests(await handler(input as Input, context)) })
    } catch (error) {
      say({ say: 'failure', message: sentenceOf(error) })
    }
  }

  self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
    if (data.say === 'start') void run(data)
    else if (data.say === 'stop') abort.abort(new Error(data.why))
    else {
      const waiting = partials.get(data.number)
      partials.delete(data.number)
      if (data.failure === undefined) waiting?.fulfil()
      else waiting?.reject(new Error(data.failure))
    }
  }
}
