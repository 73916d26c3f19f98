/** A page whose capability runs in workers that do not stop by themselves, and which looks how responsive it stays. */
import { createPeer, workerHandler } from '@tsunagi/protocol/browser'

type Peer = Awaited<ReturnType<typeof createPeer>>

export interface WorkerInput {
  readonly do: 'count' | 'loop' | 'wait' | 'eat' | 'hoard' | 'throw'
  readonly bytes?: Uint8Array
}

declare global {
  interface Window {
    workers: WorkersPage
  }
}

class WorkersPage {
  /** Workers that were started and not ended. */
  alive = 0
  /** Milliseconds of the tasks that held the main thread for more than 50. */
  readonly longTasks: number[] = []
  /** What workers said when they were told to stop. */
  readonly stopped: string[] = []
  peer: Peer | undefined

  constructor() {
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) this.longTasks.push(duration)
    }).observe({ type: 'longtask' })
    new BroadcastChannel('stopped').onmessage = ({ data }) => this.stopped.push(data)
  }

  /** Offers `work`, or nothing where there are no limits. */
  async join(signaling: string, limits?: Parameters<typeof workerHandler>[1]): Promise<string> {
    const peer = await createPeer({ signaling, mesh: 'workers' })
    this.peer = peer
    if (limits === undefined) return peer.id
    const start = () => {
      const worker = new Worker(new URL('./workers.worker.ts', import.meta.url), { type: 'module' })
      const terminate = worker.terminate.bind(worker)
      this.alive++
      worker.terminate = () => {
        this.alive--
        terminate()
      }
      return worker
    }
    peer.provide({ name: 'work', version: '1' }, workerHandler(start, limits))
    return peer.id
  }

  /** What became of a task: its output, or the code and sentence of its error, and what its caller was told on the way. */
  async outcome(input: WorkerInput, options: { cancelAfter?: number; deadline?: number } = {}): Promise<unknown> {
    const notes: string[] = []
    const task = this.peer?.delegate('work', input, {
      retries: 0,
      partials: true,
      onProgress: ({ note }) => notes.push(note),
      ...(options.deadline !== undefined && { deadline: options.deadline }),
    })
    if (options.cancelAfter !== undefined) setTimeout(() => task?.cancel(), options.cancelAfter)
    try {
      const output = await task?.result
      const partials: unknown[] = []
      for await (const partial of task?.partials ?? []) partials.push(partial)
      return { output, partials, note: notes.at(-1) }
    } catch (error) {
      const { code, message } = error as { code: string; message: string }
      return { code, message }
    }
  }
}

window.workers = new WorkersPage()
