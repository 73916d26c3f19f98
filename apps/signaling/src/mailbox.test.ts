import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Bytes, PROTOCOL, type SignalingPayload, utf8 } from '@tsunagi/protocol/signaling'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { FakeClock } from './fake-clock.fixture.ts'
import { checkLimits } from './limits.ts'
import { Mailbox, type Priority } from './mailbox.ts'
import { MemoryStore } from './memory-store.ts'
import { Metrics } from './metrics.ts'
import { crypto, type Joined, joined, MESH, serve } from './serve.fixture.ts'
import type { SignalingServer, SignalingServerOptions } from './server.ts'
import { absentee, QUIET, wakeUp } from './wake-up.fixture.ts'

const DAY = 24 * 3_600_000
/** So that a clock that jumps closes no socket. */
const PATIENT = { silence: DAY, pingInterval: DAY - 1 }

async function scene(options: SignalingServerOptions = {}): Promise<{ server: SignalingServer; alice: Joined }> {
  const server = await serve({ ...options, limits: { ...QUIET, ...PATIENT, ...options.limits } })
  return { server, alice: await joined(server) }
}

/** What it gets after its welcome. */
async function mailOf(peer: Joined, count: number): Promise<SignalingPayload<'mail'>[]> {
  const mail: SignalingPayload<'mail'>[] = []
  for (let i = 0; i < count; i++) mail.push((await peer.client.next('mail')).payload)
  await peer.client.ping()
  return mail
}

const texts = (mail: SignalingPayload<'mail'>[]) => mail.map(({ sealed }) => Buffer.from(sealed).toString())

test('a wake-up for who is not there waits, is handed over after the welcome, and goes when the peer has it', async () => {
  const { server, alice } = await scene()
  const bob = await absentee(server, alice)
  expect(await wakeUp(alice, bob.publicKey, { sealed: utf8('wake') })).toBe('mailbox')
  for (let time = 0; time < 2; time++) {
    const back = await joined(server, { key: bob })
    const [mail] = await mailOf(back, 1)
    expect(mail).toMatchObject({ public_key: alice.key.publicKey, sealed: utf8('wake') })
    if (time === 1) back.client.send({ type: 'mail_taken', payload: { mail_id: mail?.mail_id as Bytes } })
    await back.client.ping()
  }
  await mailOf(await joined(server, { key: bob }), 0)
})

test('a wake-up for who is there is handed to it at once, and kept until it has it', async () => {
  const { server, alice } = await scene()
  const bob = await joined(server)
  expect(await wakeUp(alice, bob.key.publicKey, { sealed: utf8('wake') })).toBe('socket')
  const [first] = await mailOf(bob, 1)
  const [again] = await mailOf(await joined(server, { key: bob.key }), 1)
  expect(again).toEqual(first)
})

test('what waits comes the most urgent first, and of those the oldest; of one sender the newest alone', async () => {
  const { server, alice } = await scene()
  const bob = await absentee(server, alice)
  const priorities: Priority[] = ['low', 'normal', 'critical', 'normal', 'high', 'low']
  for (const [i, priority] of priorities.entries()) {
    const sender = await joined(server)
    if (i === 0) await wakeUp(sender, bob.publicKey, { priority: 'critical', sealed: utf8('older') })
    await wakeUp(sender, bob.publicKey, { priority, sealed: utf8(`${priority} ${i}`) })
  }
  expect(texts(await mailOf(await joined(server, { key: bob }), 6))).toEqual([
    'critical 2',
    'high 4',
    'normal 1',
    'normal 3',
    'low 0',
    'low 5',
  ])
})

test('a wake-up that has expired, or lasts longer than one may, is refused', async () => {
  const clock = new FakeClock()
  const { server, alice } = await scene({ clock })
  const { publicKey } = await absentee(server, alice)
  expect(await wakeUp(alice, publicKey, { expires: clock.now() })).toBe('expired')
  expect(await wakeUp(alice, publicKey, { expires: clock.now() + PROTOCOL.maxWakeLife + 1 })).toBe('expired')
  expect(await wakeUp(alice, publicKey, { expires: clock.now() + PROTOCOL.maxWakeLife })).toBe('mailbox')
})

test('what expires while it waits is gone, and what does not is there', async () => {
  const clock = new FakeClock()
  const { server, alice } = await scene({ clock, limits: { maxMailboxes: 1 } })
  const [bob, carol] = [await absentee(server, alice), await absentee(server, alice)]
  const second = await joined(server)
  await wakeUp(alice, bob.publicKey, { expires: clock.now() + 60_000, sealed: utf8('short') })
  await wakeUp(second, bob.publicKey, { expires: clock.now() + 120_000, sealed: utf8('long') })
  expect(await wakeUp(second, carol.publicKey, { expires: clock.now() + 60_000 })).toBe('full')
  clock.advance(60_000)
  const back = await joined(server, { key: bob })
  expect(texts(await mailOf(back, 1))).toEqual(['long'])
  // The sweep makes room for others.
  clock.advance(120_000)
  await back.client.ping()
  expect(await wakeUp(second, carol.publicKey, { expires: clock.now() + 60_000 })).toBe('mailbox')
})

test("a flood of one sender is answered rate_limited, and another's wake-up waits beside its newest", async () => {
  const clock = new FakeClock()
  const { server, alice } = await scene({ clock })
  const expires = clock.now() + 600_000
  const { pairWakesPerMinute } = checkLimits({})
  const bob = await absentee(server, alice)
  expect(await wakeUp(alice, bob.publicKey, { expires, sealed: utf8('of an honest peer') })).toBe('mailbox')
  const flooder = await joined(server)
  const steps: string[] = []
  for (let i = 0; i < 3 * pairWakesPerMinute; i++) {
    steps.push(await wakeUp(flooder, bob.publicKey, { expires, priority: 'critical', sealed: utf8(`${i}`) }))
  }
  expect(steps.lastIndexOf('mailbox')).toBe(pairWakesPerMinute - 1)
  expect(steps.slice(pairWakesPerMinute)).toEqual(new Array(2 * pairWakesPerMinute).fill('rate_limited'))
  const back = await joined(server, { key: bob })
  expect(texts(await mailOf(back, 2))).toEqual([`${pairWakesPerMinute - 1}`, 'of an honest peer'])
  // A new socket of the same key buys nothing; time does.
  const again = await joined(server, { key: flooder.key })
  expect(await wakeUp(again, bob.publicKey, { expires })).toBe('rate_limited')
  clock.advance(60_000 / pairWakesPerMinute)
  expect(await wakeUp(again, bob.publicKey, { expires })).toBe('socket')
})

test('a sender that wakes ever others has a rate over all of them', async () => {
  const { server, alice } = await scene({ limits: { wakesPerMinute: 2 } })
  const steps: string[] = []
  for (let i = 0; i < 3; i++) steps.push(await wakeUp(alice, (await absentee(server, alice)).publicKey))
  expect(steps).toEqual(['mailbox', 'mailbox', 'rate_limited'])
})

test("mail of another peer is not there to be taken, and the same key's in another mesh is another's", async () => {
  const { server, alice } = await scene()
  const bob = await absentee(server, alice)
  await wakeUp(alice, bob.publicKey)
  const back = await joined(server, { key: bob })
  const [{ mail_id }] = (await mailOf(back, 1)) as [SignalingPayload<'mail'>]
  for (const thief of [
    await joined(server),
    await joined(server, { key: bob, meshId: MESH.map((byte) => byte ^ 1) }),
  ]) {
    await mailOf(thief, 0)
    thief.client.send({ type: 'mail_taken', payload: { mail_id } })
    await thief.client.ping()
  }
  expect(await mailOf(await joined(server, { key: bob }), 1)).toMatchObject([{ mail_id }])
})

test('nothing is kept for a key that proved itself nowhere, in another mesh, or too long ago', async () => {
  const clock = new FakeClock()
  const wake = (sender: Joined, target: Bytes) => wakeUp(sender, target, { expires: clock.now() + 60_000 })
  const { server, alice } = await scene({ clock, limits: { knownPeerLife: 2 * DAY } })
  expect(await wake(alice, crypto.randomBytes(32))).toBe('unknown_peer')
  const elsewhere = await joined(server, { meshId: MESH.map((byte) => byte ^ 1) })
  expect(await wake(alice, elsewhere.key.publicKey)).toBe('unknown_peer')
  const bob = await absentee(server, alice)
  expect(await wake(alice, bob.publicKey)).toBe('mailbox')
  clock.advance(DAY - 1)
  const later = await joined(server)
  expect(await wake(later, bob.publicKey)).toBe('mailbox')
  clock.advance(DAY + 1)
  expect(await wake(await joined(server), bob.publicKey)).toBe('unknown_peer')
})

test('one target has so many and so much waiting at most; a newer of the same sender still takes its place', async () => {
  const { server, alice } = await scene({ limits: { maxMail: 3, maxMailBytes: 3_000 } })
  const bob = await absentee(server, alice)
  const [second, third, fourth] = [await joined(server), await joined(server), await joined(server)]
  expect(await wakeUp(alice, bob.publicKey, { sealed: new Uint8Array(2_000) })).toBe('mailbox')
  expect(await wakeUp(second, bob.publicKey, { sealed: new Uint8Array(1_001) })).toBe('full')
  expect(await wakeUp(second, bob.publicKey, { sealed: new Uint8Array(900) })).toBe('mailbox')
  expect(await wakeUp(third, bob.publicKey, { sealed: new Uint8Array(1) })).toBe('mailbox')
  expect(await wakeUp(fourth, bob.publicKey, { sealed: new Uint8Array(1) })).toBe('full')
  expect(await wakeUp(alice, bob.publicKey, { sealed: new Uint8Array(1_500) })).toBe('mailbox')
  const sizes = (await mailOf(await joined(server, { key: bob }), 3)).map(({ sealed }) => sealed.length)
  expect(sizes).toEqual([900, 1, 1_500])
})

test('of more peers than are remembered, those not seen for longest are unknown', async () => {
  const clock = new FakeClock()
  const { server, alice } = await scene({ clock, limits: { maxKnownPeers: 3 } })
  const gone = []
  for (let i = 0; i < 4; i++) {
    clock.advance(1_000)
    gone.push(await absentee(server, alice))
  }
  const steps: string[] = []
  for (const { publicKey } of gone) steps.push(await wakeUp(alice, publicKey, { expires: clock.now() + 60_000 }))
  expect(steps).toEqual(['unknown_peer', 'mailbox', 'mailbox', 'mailbox'])
})

test('mail, and who is known, outlive a server that keeps them in a directory', async () => {
  const data = mkdtempSync(join(tmpdir(), 'tsunagi-'))
  onTestFinished(() => rmSync(data, { recursive: true }))
  const { server, alice } = await scene({ data })
  const [bob, carol] = [await absentee(server, alice), await absentee(server, alice)]
  await wakeUp(alice, bob.publicKey, { sealed: utf8('before') })
  await server.close()
  const next = await scene({ data })
  expect(await wakeUp(next.alice, carol.publicKey)).toBe('mailbox')
  expect(texts(await mailOf(await joined(next.server, { key: bob }), 1))).toEqual(['before'])
  await next.server.close()
})

test('whatever is left, taken and waited for, a mailbox holds what a list of the newest of each sender would', async () => {
  const SENDERS = [1, 2, 3, 4]
  const step = fc.oneof(
    fc.record({
      act: fc.constant('leave' as const),
      sender: fc.constantFrom(...SENDERS),
      size: fc.integer({ min: 0, max: 900 }),
      life: fc.integer({ min: 1, max: 5_000 }),
    }),
    fc.record({ act: fc.constant('take' as const), nth: fc.nat({ max: 4 }) }),
    fc.record({ act: fc.constant('wait' as const), time: fc.integer({ min: 1, max: 3_000 }) }),
    fc.record({ act: fc.constant('sweep' as const) }),
  )
  const limits = checkLimits({ maxMail: 3, maxMailBytes: PROTOCOL.maxWakeUp })
  const place = { meshId: MESH, publicKey: crypto.randomBytes(32) }
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const clock = new FakeClock()
      const mailbox = new Mailbox(new MemoryStore(), clock, limits, new Metrics())
      let model: { sender: number; id: string; size: number; expires: number }[] = []
      for (const step of steps) {
        model = model.filter(({ expires }) => expires > clock.now())
        if (step.act === 'wait') clock.advance(step.time)
        if (step.act === 'sweep') await mailbox.sweep()
        if (step.act === 'take') {
          const [taken] = model.splice(step.nth, 1)
          await mailbox.take(place, taken ? new Uint8Array(Buffer.from(taken.id, 'hex')) : crypto.randomBytes(16))
        }
        if (step.act === 'leave') {
          const { sender, size, life } = step
          const id = crypto.randomBytes(16)
          const expires = clock.now() + life
          const mail = { id, sender: new Uint8Array(32).fill(sender), sealed: new Uint8Array(size) }
          const outcome = await mailbox.leave(place, { ...mail, priority: 'normal', expires })
          const next = model.filter((other) => other.sender !== sender)
          next.push({ sender, id: Buffer.from(id).toString('hex'), size, expires })
          const fits = next.length <= 3 && next.reduce((sum, other) => sum + other.size, 0) <= PROTOCOL.maxWakeUp
          expect(outcome).toBe(fits ? 'kept' : 'full')
          if (fits) model = next
        }
        const valid = model.filter(({ expires }) => expires > clock.now())
        const waiting = (await mailbox.waiting(place)).map(({ id }) => Buffer.from(id).toString('hex'))
        expect(waiting).toEqual(valid.map(({ id }) => id))
      }
    }),
  )
})
