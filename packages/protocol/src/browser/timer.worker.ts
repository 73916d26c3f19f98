/** Counts time for a page: timers of hidden pages are slowed to one a second or a minute, those of workers are not. */

/** Sets each timer to fire at its time, in milliseconds since 1970, or stops it where there is none. The answer to a timer is its id, once it is due. */
export type TimerRequests = readonly (readonly [id: number, due: number | undefined])[]

const timers = new Map<number, ReturnType<typeof setTimeout>>()

self.onmessage = ({ data }: MessageEvent<TimerRequests>) => {
  for (const [id, due] of data) {
    if (due === undefined) stop(id)
    else timers.set(id, setTimeout(fire, due - Date.now(), id))
  }
}

function stop(id: number): void {
  clearTimeout(timers.get(id))
  timers.delete(id)
}

function fire(id: number): void {
  timers.delete(id)
  self.postMessage(id)
}
