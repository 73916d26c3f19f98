import { Writable } from 'node:stream'
import { fingerprintOf, peerIdOf, SIGNALING_CLOSE, utf8 } from '@tsunagi/protocol/signaling'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { connect, crypto, joined, serve } from './serve.fixture.ts'

test('logs tell what happened to whom by a fingerprint, and hold no address, key, mesh or payload', async () => {
  const lines: string[] = []
  const destination = new Writable({
    write(line: Buffer, _encoding, done) {
      lines.push(line.toString())
      done()
    },
  })
  const log = pino({ level: 'trace', base: null }, destination)
  const server = await serve({ log })
  const [alice, bob] = [await joined(server), await joined(server)]
  const stranger = connect(server)
  const forged = await stranger.joinFor(crypto, alice.key, new Uint8Array(32).fill(9))
  stranger.send({ type: 'join', payload: { ...forged, presence: utf8('PAYLOAD') } })
  await stranger.closed
  const rude = connect(server)
  rude.socket.on('open', () => rude.socket.send('PAYLOAD'))
  await rude.closed
  const oversized = connect(server)
  oversized.socket.on('open', () => oversized.socket.send(new Uint8Array(100_000)))
  await oversized.closed
  alice.client.relay(bob.key.publicKey, utf8('PAYLOAD'))
  await bob.client.next('relay')
  await fetch(`${server.url}/PAYLOAD`)
  await server.close()

  const told = lines.map((line) => JSON.parse(line))
  const peer = fingerprintOf(peerIdOf(alice.key.publicKey))
  expect(told).toContainEqual(expect.objectContaining({ msg: 'joined', peer, members: 1 }))
  expect(told).toContainEqual(expect.objectContaining({ msg: 'closed', peer, code: SIGNALING_CLOSE.goingAway }))
  expect(told).toContainEqual(expect.objectContaining({ msg: 'closed', code: SIGNALING_CLOSE.notProven }))
  expect(told).toContainEqual(expect.objectContaining({ msg: 'closed', code: SIGNALING_CLOSE.invalidMessage }))
  expect(told).toContainEqual(expect.objectContaining({ msg: 'socket failed', reason: 'Max payload size exceeded' }))

  const all = lines.join('')
  for (const { key } of [alice, bob]) {
    const bytes = Buffer.from(key.publicKey)
    for (const form of [peerIdOf(bytes), bytes.toString('hex'), bytes.toString('base64')]) {
      expect(all).not.toContain(form)
    }
  }
  expect(all).not.toMatch(/PAYLOAD|did:key|127\.0\.0\.1|::1|0707|BwcH|7,7,7/)
})
