/** Counts time for a page: timers of hidden pages are slowed to one a second or a minute, those of workers are not. */

/** Sets timer `id`, or cancels it where there is no delay. The answer to a timer is its id, once it is due. */
export interface TimerRequest {
  readonly id: number
  /** Milliseconds. */
  readonly delay?: number
}

const timers = new Map<number, ReturnType<typeof setTimeout>>()

self.onmessage = ({ data: { id, delay } }: MessageEvent<TimerRequest>) => {
  if (delay === undefined) {
    clearTimeout(timers.get(id))
    timers.delete(id)
    return
  }
  const fire = () => {
    timers.delete(id)
    self.postMessage(id)
  }
  timers.set(id, setTimeout(fire, delay))
}
