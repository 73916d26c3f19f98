import { describe, expect, test } from 'vitest'
import { sessionStoreConformance } from '../conformance/session-stores.ts'
import { MemoryStore } from './memory-store.fixture.ts'

describe('the store in memory passes the conformance suite', () => {
  test.each(sessionStoreConformance)('$name', ({ run }) => {
    const store = new MemoryStore()
    return run({ store, reopen: async () => store.crash() })
  })
})

const known = (peer: string) => ({ peer, name: '', metAt: 0, seenAt: 0 })
const names = async (store: MemoryStore) => (await store.load()).pinned.map(({ peer }) => peer).join()

describe('what a test can do to it', () => {
  test('the write it chooses fails, and no other', async () => {
    const store = new MemoryStore()
    store.beforeWrite = (number) => {
      if (number === 2) throw new Error('No.')
    }
    const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((peer) => store.pin(known(peer))))
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(outcomes[1]).toMatchObject({ reason: { code: 'STORAGE_FAILED' } })
    expect(await names(store)).toBe('a,c')
    expect(store.writes).toBe(2)
  })

  test('a write that is delayed holds up those after it', async () => {
    const store = new MemoryStore()
    let go = (): void => undefined
    store.beforeWrite = (number) => (number === 1 ? new Promise((resolve) => (go = resolve)) : undefined)
    const order: string[] = []
    const first = store.pin(known('a')).then(() => order.push('a'))
    const second = store.pin(known('b')).then(() => order.push('b'))
    await new Promise((later) => setImmediate(later))
    expect(order).toEqual([])
    go()
    await Promise.all([first, second])
    expect(order).toEqual(['a', 'b'])
  })

  test.each([1, 2, 3])('a page that crashes before write %i leaves what was written before it', async (crash) => {
    const store = new MemoryStore()
    const next = new Promise<MemoryStore>((resolve) => {
      store.beforeWrite = (number) => {
        if (number === crash) resolve(store.crash())
      }
    })
    const settled: string[] = []
    for (const peer of ['a', 'b', 'c']) {
      const settle = () => settled.push(peer)
      store.pin(known(peer)).then(settle, settle)
    }
    const kept = ['a', 'b', 'c'].slice(0, crash - 1)
    expect(await names(await next)).toBe(kept.join())
    await new Promise((later) => setImmediate(later))
    // The last of them may have gone with the page before anybody was told.
    expect(kept).toEqual(expect.arrayContaining(settled))
  })
})
