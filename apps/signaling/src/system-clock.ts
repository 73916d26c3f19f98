import type { Clock } from '@tsunagi/protocol/signaling'

export const systemClock: Clock = {
  now: Date.now,
  after(delay, action) {
    const timer = setTimeout(action, delay)
    return () => clearTimeout(timer)
  },
}
