/** Delta encoding: what is kept of bytes that have much in common with others, of which there is one copy. */
import { type Bytes, concat } from '@tsunagi/protocol/signaling'

/** Where a run ends and another begins takes two bytes: in shorter ones nothing is won. */
const LEAST_COMMON = 3
const LONGEST_RUN = 255

/** @returns `common(1) ‖ own(1) ‖ own bytes`, again and again, as text with a character for each byte: half of what an array takes */
export function deltaOf(bytes: Bytes, base: Bytes): string {
  const runs: Bytes[] = []
  for (let at = 0; at < bytes.length; ) {
    const start = at + commonAt(at, bytes, base, LONGEST_RUN)
    const most = Math.min(bytes.length, start + LONGEST_RUN)
    let end = start
    while (end < most && commonAt(end, bytes, base, LEAST_COMMON) < LEAST_COMMON) end++
    runs.push(new Uint8Array([start - at, end - start]), bytes.subarray(start, end))
    at = end
  }
  return Buffer.from(concat(...runs)).toString('latin1')
}

export function applyDelta(delta: string, base: Bytes): Bytes {
  const runs = new Uint8Array(Buffer.from(delta, 'latin1'))
  const pieces: Bytes[] = []
  let length = 0
  for (let at = 0; at < runs.length; ) {
    const [common, own] = [runs[at] as number, runs[at + 1] as number]
    pieces.push(base.subarray(length, length + common), runs.subarray(at + 2, at + 2 + own))
    length += common + own
    at += 2 + own
  }
  return concat(...pieces)
}

function commonAt(at: number, bytes: Bytes, base: Bytes, most: number): number {
  let length = 0
  while (length < most && at + length < bytes.length && bytes[at + length] === base[at + length]) length++
  return length
}
