/** What every store must hold, whatever it keeps its records in. */
import { expect, test } from 'vitest'
import { change, type Room, type Shelf, type Store } from './store.ts'

const MANY: Room = { records: 1_000, whenFull: 'refuse' }
const LATER = 1_000

/** @param open gives a store that is empty, or that holds what the one closed before it held */
export function storeSuite(open: () => Promise<Store>, { reopens }: { readonly reopens: boolean }): void {
  let shelves = 0
  /** One that no other test uses. */
  const newShelf = async (room: Room = MANY): Promise<Shelf> => (await open()).shelf(`suite-${shelves++}`, room)
  const record = (text: string, due = LATER) => ({ text: JSON.stringify(text), due })

  test('a record is what was written last, and none where it was removed', async () => {
    const shelf = await newShelf()
    expect(await shelf.read('a')).toBeUndefined()
    expect(await shelf.replace('a', undefined, record('one'))).toBe('done')
    expect(await shelf.replace('a', record('one'), record('two', 2_000))).toBe('done')
    expect(await shelf.read('a')).toEqual(record('two', 2_000))
    expect(await shelf.read('b')).toBeUndefined()
    expect(await shelf.replace('a', record('two', 2_000), undefined)).toBe('done')
    expect(await shelf.read('a')).toBeUndefined()
  })

  test('only who knows what is there puts something in its place', async () => {
    const shelf = await newShelf()
    await shelf.replace('a', undefined, record('one'))
    expect(await shelf.replace('a', undefined, record('two'))).toBe('changed')
    expect(await shelf.replace('a', record('other'), undefined)).toBe('changed')
    expect(await shelf.read('a')).toEqual(record('one'))
  })

  test('of many changes at once none is lost', async () => {
    const shelf = await newShelf()
    const add = () =>
      change<number, number>(shelf, 'count', 0, (held = 0) => ({ record: held + 1, due: LATER, answer: held }))
    const answers = await Promise.all(Array.from({ length: 10 }, add))
    expect([...answers].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test('what is due is swept, once, and nothing else', async () => {
    const shelf = await newShelf()
    for (let i = 0; i < 200; i++) await shelf.replace(`${i}`, undefined, record(`${i}`, i))
    // Due later than it first was.
    await shelf.replace('5', record('5', 5), record('five', LATER))
    const swept: string[] = []
    for (let gone = await shelf.sweep(149); gone.length > 0; gone = await shelf.sweep(149)) swept.push(...gone)
    const expected = Array.from({ length: 150 }, (_, i) => JSON.stringify(`${i}`)).filter((text) => text !== '"5"')
    expect(swept.sort()).toEqual(expected.sort())
    expect(await shelf.read('149')).toBeUndefined()
    expect(await shelf.read('150')).toEqual(record('150', 150))
    expect(await shelf.read('5')).toEqual(record('five'))
  })

  test('what takes the place of something that is due is not swept with it', async () => {
    const shelf = await newShelf()
    await shelf.replace('a', undefined, record('old', 1))
    const [outcome, swept] = await Promise.all([shelf.replace('a', record('old', 1), record('new')), shelf.sweep(2)])
    expect([outcome, swept, await shelf.read('a')]).toEqual(['done', [], record('new')])
  })

  test('a full shelf refuses what is new, and takes what is in the place of something', async () => {
    const shelf = await newShelf({ records: 2, whenFull: 'refuse' })
    const outcomes = await Promise.all(['a', 'b', 'c'].map((name) => shelf.replace(name, undefined, record(name))))
    expect(outcomes.sort()).toEqual(['done', 'done', 'full'])
    expect(await shelf.replace('a', record('a'), record('A'))).toBe('done')
    await shelf.replace('b', record('b'), undefined)
    expect(await shelf.replace('c', undefined, record('c'))).toBe('done')
  })

  test('a full shelf that forgets has what is due last', async () => {
    const shelf = await newShelf({ records: 3, whenFull: 'forget' })
    await shelf.replace('first', undefined, record('first', 1))
    await shelf.replace('first', record('first', 1), record('first', 100))
    for (let due = 2; due < 10; due++) await shelf.replace(`${due}`, undefined, record(`${due}`, due))
    await shelf.replace('last', undefined, record('last', 50))
    const names = ['first', 'last', ...Array.from({ length: 8 }, (_, i) => `${2 + i}`)]
    const held = await Promise.all(names.map((name) => shelf.read(name)))
    expect(held.filter((stored) => stored !== undefined)).toEqual([
      record('first', 100),
      record('last', 50),
      record('9', 9),
    ])
  })

  test('a full shelf that forgets keeps to its room, whatever comes at once', async () => {
    const shelf = await newShelf({ records: 3, whenFull: 'forget' })
    const names = Array.from({ length: 20 }, (_, i) => `${i}`)
    await Promise.all(names.map((name) => shelf.replace(name, undefined, record(name))))
    // What comes in one moment may go a little beyond it, until the next.
    await shelf.replace('last', undefined, record('last'))
    const held = await Promise.all(['last', ...names].map((name) => shelf.read(name)))
    expect(held.filter((stored) => stored !== undefined)).toHaveLength(3)
  })

  if (!reopens) return

  test('what was written is there after a restart, and counts', async () => {
    const room: Room = { records: 2, whenFull: 'refuse' }
    const before = await open()
    await before.shelf('restart', room).replace('a', undefined, record('one'))
    await before.shelf('restart', room).replace('b', undefined, record('two'))
    await before.close()
    const after = (await open()).shelf('restart', room)
    expect(await after.read('a')).toEqual(record('one'))
    expect(await after.replace('c', undefined, record('three'))).toBe('full')
    expect(await after.sweep(LATER)).toHaveLength(2)
  })
}
