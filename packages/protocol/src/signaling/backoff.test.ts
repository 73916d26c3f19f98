import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LIMITS } from '../limits.ts'
import { Backoff } from './backoff.ts'

const always = (byte: number) => new Backoff((length) => new Uint8Array(length).fill(byte))
const waits = (backoff: Backoff, count: number) => Array.from({ length: count }, () => backoff.next())

test('the longest wait doubles from the first bound to the last', () => {
  expect(waits(always(255), 9)).toEqual([499, 999, 1999, 3999, 7999, 15999, 29999, 29999, 29999])
})

test('the shortest wait is none, so that peers a server lost together do not return together', () => {
  expect(waits(always(0), 9)).toEqual(Array(9).fill(0))
})

test('a reset begins anew', () => {
  const backoff = always(255)
  waits(backoff, 5)
  backoff.reset()
  expect(backoff.next()).toBe(499)
})

test('whatever the randomness gives, a wait is a whole number within the bound', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 4, maxLength: 4 }), { minLength: 1, maxLength: 20 }), (random) => {
      const left = [...random]
      const backoff = new Backoff(() => new Uint8Array(left.shift() ?? []))
      random.forEach((_, attempt) => {
        const wait = backoff.next()
        expect(Number.isInteger(wait)).toBe(true)
        expect(wait).toBeGreaterThanOrEqual(0)
        expect(wait).toBeLessThan(Math.min(LIMITS.backoffMost, LIMITS.backoffFirst * 2 ** attempt))
      })
    }),
  )
})
