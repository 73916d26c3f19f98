import type { Clock } from '../ports.ts'
import type { TimerRequests } from './timer.worker.ts'

export interface WorkerClock extends Clock {
  /** Ends the worker; no timer fires any more, and none can be set. */
  close(): void
}

interface Timer {
  readonly action: () => void
  readonly pageTimer: ReturnType<typeof setTimeout>
}

/** Browsers hold timers of hidden pages back to one a second: by so much a short one is late at most, if its page is hidden meanwhile. */
const SHORT = 1_000

/** Milliseconds until the worker of a visible page hears of timers, of all in one message: most are stopped before that. */
const ASK_AFTER = 100

/**
 * A clock that keeps time in hidden pages too (SPEC §7); delays up to 2^31 − 1 milliseconds. Each timer runs twice, in a
 * worker and in the page, and the first to come counts: so none is lost where the worker cannot start (a content
 * security policy, a network that is gone) or ends, and order holds, since each of the two keeps it. Short ones of a visible page,
 * of which there may be many a second, run in the page alone: to ask the worker takes it a millisecond.
 */
export function createWorkerClock(): WorkerClock {
  const timers = new Map<number, Timer>()
  /** What the worker is still to be told, by timer. */
  const requests = new Map<number, number | undefined>()
  let lastId = 0
  let closed = false
  let worker: Worker | undefined
  let isStarted = false

  function startWorker(): Worker | undefined {
    let started: Worker
    try {
      // Named as it is when built: bundlers find the source by that as well, and who uses the built package finds the worker.
      started = new Worker(new URL('./timer.worker.js', import.meta.url), { type: 'module' })
    } catch {
      // This page may start no worker. Its own timers do, only late while it is hidden.
      return undefined
    }
    started.onmessage = ({ data }: MessageEvent<number>) => fire(data)
    started.onerror = stopWorker
    return started
  }

  function stopWorker(): void {
    worker?.terminate()
    worker = undefined
  }

  /** @param due milliseconds since 1970; undefined stops the timer */
  function ask(id: number, due?: number): void {
    requests.set(id, due)
    if (document.visibilityState !== 'visible') askNow()
    else if (requests.size === 1) setTimeout(askNow, ASK_AFTER)
  }

  function askNow(): void {
    if (requests.size === 0) return
    // Not before: a page that has just been loaded has other things to do.
    if (!isStarted) worker = startWorker()
    isStarted = true
    worker?.postMessage([...requests] satisfies TimerRequests)
    requests.clear()
  }

  function take(id: number): Timer | undefined {
    const timer = timers.get(id)
    if (timer) clearTimeout(timer.pageTimer)
    timers.delete(id)
    return timer
  }

  function fire(id: number): void {
    take(id)?.action()
  }

  return {
    now: () => Date.now(),
    after(delay, action) {
      if (closed) return () => undefined
      const id = ++lastId
      timers.set(id, { action, pageTimer: setTimeout(fire, delay, id) })
      const isOfPage = delay < SHORT && document.visibilityState === 'visible'
      if (!isOfPage) ask(id, Date.now() + delay)
      return () => {
        if (take(id) && !isOfPage && !requests.delete(id)) ask(id)
      }
    },
    close() {
      closed = true
      for (const id of timers.keys()) take(id)
      requests.clear()
      stopWorker()
    },
  }
}
