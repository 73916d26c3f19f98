import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PairBudgets } from './pairs.ts'

const RATES = { messageRate: 2, messageBurst: 8, byteRate: 100, byteBurst: 600 }
const BUSY = fc.record({ to: fc.constantFrom('a', 'b', 'c', 'd'), after: fc.nat(600), bytes: fc.nat(300) })

test('no addressee is ever sent more than its burst and its rate, whatever the others are sent', () => {
  fc.assert(
    fc.property(fc.array(BUSY, { maxLength: 200 }), (messages) => {
      const budgets = new PairBudgets(RATES, 4, 0)
      const taken = new Map<string, { readonly at: number; readonly bytes: number }[]>()
      let now = 0
      for (const { to, after, bytes } of messages) {
        now += after
        if (!budgets.take(to, now, bytes)) continue
        const all = [...(taken.get(to) ?? []), { at: now, bytes }]
        taken.set(to, all)
        let sum = 0
        for (const [index, { at, bytes }] of [...all.entries()].reverse()) {
          sum += bytes
          const seconds = (now - at) / 1_000
          expect(all.length - index).toBeLessThanOrEqual(RATES.messageBurst + RATES.messageRate * seconds + 1e-6)
          expect(sum).toBeLessThanOrEqual(RATES.byteBurst + RATES.byteRate * seconds + 1e-6)
        }
      }
    }),
  )
})

test('who floods one addressee and has it forgotten among many others gets no more through to it', () => {
  const budgets = new PairBudgets(RATES, 4, 0)
  let taken = 0
  for (let second = 0; second <= 60; second++) {
    for (let round = 0; round < 20; round++) {
      while (budgets.take('a', second * 1_000, 10)) taken += 10
      for (let other = 0; other < 9; other++) budgets.take(`${second} ${round} ${other}`, second * 1_000, 1)
    }
  }
  expect(taken).toBeLessThanOrEqual(RATES.byteBurst + 60 * RATES.byteRate)
  expect(taken / 10).toBeLessThanOrEqual(RATES.messageBurst + 60 * RATES.messageRate)
})

test('who floods one addressee may send another half of its burst at once, and then what its rate is', () => {
  const budgets = new PairBudgets(RATES, 4, 0)
  for (let i = 0; i < 8; i++) expect(budgets.take('a', 0, 0)).toBe(true)
  expect(budgets.take('a', 0, 0)).toBe(false)
  for (let i = 0; i < 4; i++) expect(budgets.take('b', 0, 0)).toBe(true)
  expect(budgets.take('b', 0, 0)).toBe(false)
  expect(budgets.take('b', 500, 0)).toBe(true)
  expect(budgets.take('b', 500, 0)).toBe(false)
})

test('who was quiet has its whole bursts again', () => {
  const budgets = new PairBudgets(RATES, 4, 0)
  while (budgets.take('a', 0, 0));
  for (let i = 0; i < 8; i++) expect(budgets.take('a', 6_000, 0)).toBe(true)
  expect(budgets.take('a', 6_000, 0)).toBe(false)
})
