import { expect, test } from 'vitest'
import { LIMITS } from '../limits.ts'
import { LinkPace } from './link-pace.ts'

const KiB = 1024

/** A link that carries `rate` bytes a millisecond, given one frame after the other while it is below the mark. */
function carried(pace: LinkPace, clock: { time: number }, rate: number, duration: number): void {
  let buffered = 0
  for (const end = clock.time + duration; clock.time < end; clock.time++) {
    buffered = Math.max(0, buffered - rate)
    while (buffered < pace.highMark) {
      pace.hand(pace.frameTarget, buffered)
      buffered += pace.frameTarget
    }
  }
}

function pacedBy(): { pace: LinkPace; clock: { time: number } } {
  const clock = { time: 1_000 }
  return { pace: new LinkPace({ now: () => clock.time }), clock }
}

test.each([0.1, 1, 5, 12])('a link of %s KiB a millisecond is given what it carries in linkAhead', (rate) => {
  const { pace, clock } = pacedBy()
  carried(pace, clock, rate * KiB, 5_000)
  const wanted = Math.max(LIMITS.leastFrameTarget, rate * KiB * LIMITS.linkAhead)
  expect(pace.highMark / wanted).toBeGreaterThan(0.8)
  expect(pace.highMark / wanted).toBeLessThan(1.25)
  expect(pace.frameTarget).toBeCloseTo(Math.max(LIMITS.leastFrameTarget, pace.highMark / 2))
})

test('the quickest link is given the most that there is, and no more', () => {
  const { pace, clock } = pacedBy()
  carried(pace, clock, 200 * KiB, 1_000)
  expect([pace.highMark, pace.frameTarget]).toEqual([LIMITS.linkHighMark, LIMITS.frameTarget])
})

test('a link that has become slow, or quick, is given less, or more, in a moment', () => {
  const { pace, clock } = pacedBy()
  carried(pace, clock, 200 * KiB, 1_000)
  carried(pace, clock, KiB, 2_000)
  expect(pace.highMark).toBeLessThan(40 * KiB)
  carried(pace, clock, 200 * KiB, 500)
  expect(pace.highMark).toBe(LIMITS.linkHighMark)
})

test('small messages now and then, and a clock that is set back, say nothing of the rate', () => {
  const { pace, clock } = pacedBy()
  const { highMark } = pace
  for (let n = 0; n < 100; n++) {
    pace.hand(200, 0)
    clock.time += n % 10 === 9 ? -500 : 50
  }
  expect(pace.highMark).toBe(highMark)
})
