import { describe, expect, test } from 'vitest'
import { taskStoreConformance } from '../conformance/task-stores.ts'
import { MemoryTaskStore } from './memory-task-store.fixture.ts'

describe('the task store in memory passes the conformance suite', () => {
  test.each(taskStoreConformance)('$name', ({ run }) => {
    let store = new MemoryTaskStore()
    return run({
      store,
      reopen: async () => {
        store = store.crash()
        return store
      },
    })
  })
})

test('what is written after the page has gone does not reach the next one', async () => {
  const store = new MemoryTaskStore()
  await store.addContact('did:key:z6MkAnna')
  const next = store.crash()
  void store.addContact('did:key:z6MkBert')
  expect(await next.contacts()).toEqual(['did:key:z6MkAnna'])
})
