import { expect, test } from 'vitest'
import { peerIdOf } from '../identity/peer-id.ts'
import { LIMITS } from '../limits.ts'
import { KeptContacts } from './contacts.ts'
import { MemoryTaskStore } from './memory-task-store.fixture.ts'

const idOf = (number: number) => {
  const key = new Uint8Array(32)
  new DataView(key.buffer).setUint32(0, number)
  return peerIdOf(key)
}

test('contacts are there on the next page, until they are removed', async () => {
  const store = new MemoryTaskStore()
  const contacts = new KeptContacts(store)
  await contacts.add(idOf(1))
  await contacts.add(idOf(2))
  await contacts.add(idOf(1))
  await contacts.remove(idOf(2))
  expect([contacts.list, contacts.has(idOf(1)), contacts.has(idOf(2))]).toEqual([[idOf(1)], true, false])
  const next = new KeptContacts(store.crash())
  expect(next.list).toEqual([])
  await next.load()
  expect(next.list).toEqual([idOf(1)])
})

test('what is no peer id is refused, and so is one more than allowed', async () => {
  const contacts = new KeptContacts(undefined)
  await expect(contacts.add('Anna')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  for (let i = 0; i < LIMITS.maxContacts; i++) await contacts.add(idOf(i))
  await expect(contacts.add(idOf(LIMITS.maxContacts))).rejects.toMatchObject({ code: 'QUEUE_FULL' })
  await contacts.add(idOf(0))
  expect(contacts.list).toHaveLength(LIMITS.maxContacts)
})

test('a store that fails says so', async () => {
  const store = new MemoryTaskStore()
  store.fails = true
  await expect(new KeptContacts(store).add(idOf(1))).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
})
