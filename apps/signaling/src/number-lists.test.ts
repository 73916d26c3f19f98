import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type NumberList, NumberLists } from './number-lists.ts'

const LISTS = 4

test.each([65_536, 1_000_000])('lists of numbers below %d keep them in order, whatever the others do', (most) => {
  const change = fc.record({
    list: fc.nat(LISTS - 1),
    number: fc.integer({ min: most - 50, max: most - 1 }),
    what: fc.constantFrom('add', 'add', 'add', 'remove', 'clear'),
  })
  fc.assert(
    fc.property(fc.array(change, { maxLength: 400, size: 'max' }), (changes) => {
      const lists = new NumberLists(most)
      const held: NumberList[] = Array.from({ length: LISTS }, () => ({ start: 0, size: 0 }))
      const expected: number[][] = held.map(() => [])
      for (const { list, number, what } of changes) {
        const [own, model] = [held[list] as NumberList, expected[list] as number[]]
        if (what === 'clear' && number < most - 45) {
          lists.clear(own)
          model.length = 0
        } else if (what === 'remove') {
          lists.remove(own, number)
          if (model.includes(number)) model.splice(model.indexOf(number), 1)
        } else if (!lists.has(own, number)) {
          lists.add(own, number)
          if (!model.includes(number)) model.push(number)
        }
        expect(held.map((each) => Array.from(lists.numbers(each)))).toEqual(expected)
      }
    }),
  )
})

test('lists of as many numbers as a peer may be acquainted with, and more in all than memory is taken for at once', () => {
  const lists = new NumberLists(1_024)
  const held: NumberList[] = Array.from({ length: 300 }, () => ({ start: 0, size: 0 }))
  for (let number = 0; number < 1_024; number++) for (const list of held) lists.add(list, number)
  for (const list of held) {
    expect(list.size).toBe(1_024)
    expect(lists.numbers(list).every((number, place) => number === place)).toBe(true)
  }
})
