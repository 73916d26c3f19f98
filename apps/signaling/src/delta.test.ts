import fc from 'fast-check'
import { expect, test } from 'vitest'
import { presenceRecord } from './client.fixture.ts'
import { applyDelta, deltaOf } from './delta.ts'
import { crypto, MESH } from './serve.fixture.ts'

const few = fc.uint8Array({ maxLength: 700, max: 1 }).map((bytes) => new Uint8Array(bytes))
const any = fc.uint8Array({ maxLength: 700 }).map((bytes) => new Uint8Array(bytes))

test('bytes come back as they were, whatever they have in common', () => {
  fc.assert(
    fc.property(fc.oneof(few, any), fc.oneof(few, any), (bytes, base) => {
      expect(applyDelta(deltaOf(bytes, base), base)).toEqual(bytes)
    }),
  )
})

test('runs longer than a byte can count', () => {
  const [zeros, ones] = [new Uint8Array(1_000), new Uint8Array(1_000).fill(1)]
  expect(applyDelta(deltaOf(zeros, zeros), zeros)).toEqual(zeros)
  expect(applyDelta(deltaOf(ones, zeros), zeros)).toEqual(ones)
})

test('of a presence record less than half is its own', async () => {
  const [one, other] = await Promise.all(
    [0, 1].map(async () => presenceRecord(crypto, await crypto.generateSigningKey(), MESH, Date.now())),
  )
  if (one === undefined || other === undefined) throw new Error('There are two.')
  const delta = deltaOf(other, one)
  expect(delta.length).toBeLessThan(other.length / 2)
  expect(applyDelta(delta, one)).toEqual(other)
})
