/** Handlers whose work can be ended when it does not stop (SPEC R90): each task in a worker of its own. */
import type { TaskContext, TaskHandler } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { type FromWorker, sentenceOf, type ToWorker, withoutRests } from './worker-messages.ts'

export interface WorkerHandlerOptions {
  /** Milliseconds that a task may run; default until its deadline. */
  readonly timeLimit?: number
  /**
   * Bytes that each WebAssembly memory in the worker may grow to; default: not bounded. Nothing tells a page how much else a
   * busy worker holds (measureUserAgentSpecificMemory() leaves busy ones out): its objects are bounded by the time limit alone.
   */
  readonly memoryLimit?: number
  /** Milliseconds that a worker has to stop by itself when its task has ended; default LIMITS.workerGrace. */
  readonly grace?: number
}

/**
 * A handler for provide() that runs each task in a new worker, which calls {@link serveTasks}. A task that was cancelled or
 * is past its deadline is told so by its signal there, and its worker is ended after the grace at the latest; at the time
 * limit it is ended at once, and the task fails. The page stays responsive whatever the worker does.
 * @param start makes the worker, such as `() => new Worker(new URL('./count.worker.ts', import.meta.url), { type: 'module' })`
 * @throws TsunagiError INVALID_ARGUMENT
 */
export function workerHandler(start: () => Worker, options: WorkerHandlerOptions = {}): TaskHandler {
  const { timeLimit, memoryLimit, grace = LIMITS.workerGrace } = options
  for (const [name, limit] of Object.entries({ timeLimit, memoryLimit, grace })) {
    if (limit === undefined || (Number.isSafeInteger(limit) && limit >= 0)) continue
    throw new TsunagiError('INVALID_ARGUMENT', `The option ${name} is a whole number from 0.`)
  }
  return (input: unknown, context) => {
    // Before a worker is started for it.
    if (context.signal.aborted) throw context.signal.reason
    return runTask(start(), input, context, { timeLimit, memoryLimit, grace })
  }
}

interface Limits {
  readonly timeLimit: number | undefined
  readonly memoryLimit: number | undefined
  readonly grace: number
}

/** Settles when the worker is gone. */
async function runTask(worker: Worker, input: unknown, context: TaskContext, limits: Limits): Promise<unknown> {
  const { signal, taskId, caller, deadlineAt } = context
  const { timeLimit, memoryLimit, grace } = limits
  const tell = (message: ToWorker) => worker.postMessage(message)
  const timers: ReturnType<typeof setTimeout>[] = []
  let stop: () => void = () => undefined
  try {
    return await new Promise<unknown>((fulfil, reject) => {
      const endAfter = (delay: number, error: unknown) => timers.push(setTimeout(() => reject(error), delay))
      worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
        if (data.say === 'output') fulfil(data.output)
        else if (data.say === 'failure') reject(new Error(data.message))
        else if (data.say === 'partial') void passOn(data, context, tell)
        else {
          try {
            context.progress(data.progress, data.note)
          } catch (error) {
            reject(error)
          }
        }
      }
      worker.onerror = (event) => reject(new Error(event.message || 'The worker of the task could not be started.'))
      worker.onmessageerror = () => reject(new Error('The worker of the task sent what cannot be read.'))
      if (timeLimit !== undefined)
        endAfter(timeLimit, new Error(`The task took longer than the ${timeLimit} ms it may.`))
      stop = () => {
        tell({ say: 'stop', why: sentenceOf(signal.reason) })
        endAfter(grace, signal.reason)
      }
      signal.addEventListener('abort', stop, { once: true })
      tell({ say: 'start', input: withoutRests(input), taskId, caller, deadlineAt, memoryLimit })
    })
  } finally {
    worker.terminate()
    signal.removeEventListener('abort', stop)
    for (const timer of timers) clearTimeout(timer)
  }
}

/** Never rejects. */
async function passOn(
  { number, output }: Extract<FromWorker, { say: 'partial' }>,
  context: TaskContext,
  tell: (message: ToWorker) => void,
): Promise<void> {
  let failure: string | undefined
  try {
    await context.partial(output)
  } catch (error) {
    failure = sentenceOf(error)
  }
  tell({ say: 'partial', number, failure })
}
