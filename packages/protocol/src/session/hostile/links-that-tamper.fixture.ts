/** What whoever carries the frames can do without any key: a relay, a router, a browser extension. */
import type { Bytes } from '../../wire/bytes.ts'
import type { Side, Wire } from '../session-pair.fixture.ts'

export interface Tampering {
  readonly wire: Wire
  /** How often it did what it does. */
  readonly done: () => number
}

/** @param copies what arrives instead of each frame of `a` */
function insteadOfFrames(copies: (frame: Bytes) => readonly Bytes[]): Tampering {
  let done = 0
  return {
    wire(frame, deliver, from) {
      if (from !== 'a') return deliver(frame)
      done++
      for (const copy of copies(frame)) deliver(copy)
    },
    done: () => done,
  }
}

export function altered(frame: Bytes, position: number): Bytes {
  const copy = frame.slice()
  copy[position] = (copy[position] as number) ^ 0x80
  return copy
}

/** Each frame of `a` comes behind a copy that differs in one bit. */
export const linkThatAddsAlteredFrames = (position: number): Tampering =>
  insteadOfFrames((frame) => [altered(frame, position), frame])

/** Each frame of `a` differs in one bit. */
export const linkThatAltersFrames = (position: number): Tampering =>
  insteadOfFrames((frame) => [altered(frame, position)])

export const linkThatRepeatsFrames = (): Tampering => insteadOfFrames((frame) => [frame, frame.slice(), frame.slice()])

/** Each frame comes behind one that is as it was but for its end. */
export const linkThatTruncatesFrames = (length: (whole: number) => number): Tampering =>
  insteadOfFrames((frame) => [frame.slice(0, length(frame.length)), frame])

/** Each frame comes behind one whose counter says that a million others went before it. */
export const linkThatSkipsCounters = (): Tampering =>
  insteadOfFrames((frame) => {
    const ahead = frame.slice()
    new DataView(ahead.buffer).setUint32(25, 1_000_000)
    return [ahead, frame]
  })

/** Each frame of `a` comes back to `a` as if `b` had sent it: with the next frame of `b`. */
export function linkThatReflectsFrames(): Tampering {
  const kept: Bytes[] = []
  let done = 0
  return {
    wire(frame, deliver, from) {
      if (from === 'a') kept.push(frame.slice())
      else {
        for (const reflected of kept.splice(0)) {
          done++
          deliver(reflected)
        }
      }
      deliver(frame)
    },
    done: () => done,
  }
}

/** Frames of another time or place come to `to` before each frame that is meant for it. */
export function linkThatInjects(frames: readonly Bytes[], to: Side): Tampering {
  let done = 0
  return {
    wire(frame, deliver, from) {
      if (from !== to) {
        for (const injected of frames) {
          done++
          deliver(injected.slice())
        }
      }
      deliver(frame)
    },
    done: () => done,
  }
}
