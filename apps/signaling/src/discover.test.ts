import { expect, test } from 'vitest'
import { crypto, joined, serve } from './serve.fixture.ts'

const TAG = crypto.randomBytes(32)

test('who announced a tag is found by it, with the record it signed, until it announces others or leaves', async () => {
  const server = await serve()
  const [asks, has] = [await joined(server), await joined(server)]
  const announced = (await asks.client.next('presence')).payload
  const discover = async () => {
    asks.client.send({ type: 'discover', payload: { tag: TAG } })
    return (await asks.client.next('found')).payload
  }
  expect(await discover()).toEqual({ tag: TAG, members: [] })
  has.client.send({ type: 'announce', payload: { tags: [TAG, crypto.randomBytes(32)] } })
  await has.client.ping()
  const { members } = await discover()
  expect(members).toEqual([announced.event === 'joined' && announced.presence])
  has.client.send({ type: 'announce', payload: { tags: [] } })
  await has.client.ping()
  expect((await discover()).members).toEqual([])
})

test('in a mesh too large to be told of everybody, who was found is told of when it leaves', async () => {
  const server = await serve({ limits: { sampleSize: 0 } })
  const [asks, has] = [await joined(server), await joined(server)]
  has.client.send({ type: 'announce', payload: { tags: [TAG] } })
  await has.client.ping()
  asks.client.send({ type: 'discover', payload: { tag: TAG } })
  expect((await asks.client.next('found')).payload.members).toHaveLength(1)
  has.client.socket.close()
  expect((await asks.client.next('presence')).payload).toEqual({ event: 'left', public_key: has.key.publicKey })
})

test('a question counts as much as the records that its answer may hold', async () => {
  const server = await serve({ limits: { discoverSize: 10, messageBurst: 25, messageRate: 1 } })
  const { client } = await joined(server)
  for (let i = 0; i < 3; i++) client.send({ type: 'discover', payload: { tag: TAG } })
  await client.next('found')
  await client.next('found')
  expect((await client.next('error')).payload.code).toBe('RATE_LIMITED')
})
