/** Waiting for room in the buffer of a channel, as its event offers it to every page. */

/** Of five pairs from 64 KiB to 4 MiB this one carried most small messages over a bare channel, and large ones as well as any. */
export const LOW_MARK = 1024 * 1024
const HIGH_MARK = 4 * 1024 * 1024

/** @returns undefined where more may be sent at once */
export function roomIn(channel: RTCDataChannel): Promise<unknown> | undefined {
  if (channel.bufferedAmount < HIGH_MARK) return undefined
  return new Promise((fulfil) => channel.addEventListener('bufferedamountlow', fulfil, { once: true }))
}
