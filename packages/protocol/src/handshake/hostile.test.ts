/** Each attack ends without a session, and with a code that says what was found (SPEC §1 P1, §4). */
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createWebCryptoProvider } from '../crypto/index.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { OPEN_TYPES, type OpenPayload } from '../messages.ts'
import type { Bytes } from '../wire/bytes.ts'
import { openOpenFrame, sealOpenFrame } from '../wire/open-frame.ts'
import { uuidV4 } from '../wire/uuid.ts'
import { endingElsewhere } from './hostile/link-that-ends-elsewhere.fixture.ts'
import { alter } from './hostile/network-that-alters.fixture.ts'
import { splice } from './hostile/network-that-splices.fixture.ts'
import { answerOtherwise } from './hostile/peer-that-answers-otherwise.fixture.ts'
import { claimKey } from './hostile/peer-that-claims-anothers-key.fixture.ts'
import { PassingPeer } from './hostile/peer-that-passes-on-ephemerals.fixture.ts'
import { signSomethingElse } from './hostile/peer-that-signs-something-else.fixture.ts'
import { SMALL_ORDER_KEYS, withEphemeral } from './hostile/peer-with-a-small-order-key.fixture.ts'
import { reflect } from './hostile/server-that-reflects.fixture.ts'
import { replayAll } from './hostile/server-that-replays.fixture.ts'
import { swapFingerprints } from './hostile/server-that-swaps-fingerprints.fixture.ts'
import { Lab, type LabPeer, type LabPeerOptions } from './lab.fixture.ts'

const crypto = createWebCryptoProvider()

let lab: Lab
let alice: LabPeer
let bob: LabPeer

async function meet(first?: LabPeerOptions, second?: LabPeerOptions): Promise<void> {
  lab = new Lab(crypto)
  ;[alice, bob] = await lab.pair(first, second)
}

beforeEach(() => meet())

afterEach(async () => {
  await lab.waitForTimeouts()
  expect({ timers: lab.clock.pending, attempts: lab.net.openAttempts }).toEqual({ timers: 0, attempts: 0 })
})

const channels = () => lab.peers.flatMap((peer) => peer.channels)

/** Nobody has a session that is of use: either none, or an initiator's whose link is gone. */
function noSession(): void {
  expect(channels().filter(({ initiator }) => !initiator)).toEqual([])
  expect(lab.net.openEnds).toBe(0)
}

describe('a server that swaps the fingerprint', () => {
  test('in the messages is found by their signatures', async () => {
    const fingerprints: Bytes[] = []
    await meet({
      transport: (real) => ({
        ...real,
        offer: (...parameters) => {
          const attempt = real.offer(...parameters)
          void attempt.description.then(({ fingerprint }) => fingerprints.push(fingerprint))
          return attempt
        },
      }),
    })
    swapFingerprints(lab, fingerprints, crypto.randomBytes(32))
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.waitForTimeouts()
    expect(bob.refused[0]).toBe('INVALID_SIGNATURE')
    expect(alice.failed).toEqual(['HANDSHAKE_TIMEOUT'])
    expect(channels()).toEqual([])
  })

  test.each(['initiator', 'responder'])('of the live link is found by the %s', async (side) => {
    const elsewhere = { transport: endingElsewhere(crypto.randomBytes(32)) }
    await meet(side === 'initiator' ? elsewhere : {}, side === 'responder' ? elsewhere : {})
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    expect((side === 'initiator' ? alice : bob).failed).toEqual(['BINDING_MISMATCH'])
    noSession()
  })
})

test('any altered byte of any message is found', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('handshake', 'handshake_ack', 'handshake_confirm'),
      fc.nat({ max: PROTOCOL.maxOpenFrame }),
      fc.integer({ min: 1, max: 255 }),
      async (type, place, bits) => {
        await meet()
        alter(lab, type, place, bits)
        alice.manager.sendHandshake(bob.id, 'memory')
        await lab.settle()
        noSession()
        expect(alice.refused.concat(bob.refused)).toHaveLength(1)
        const codes = ['INVALID_SIGNATURE', 'INVALID_FORMAT', 'MISSING_FIELDS']
        // Only the first byte, which says the type, has other meanings; those messages then come at a wrong time or place.
        if (place === 0) codes.push('INVALID_STATE', 'SESSION_NOT_FOUND')
        expect(codes).toEqual(expect.arrayContaining(alice.refused.concat(bob.refused)))
        await lab.waitForTimeouts()
        noSession()
        expect(alice.failures.length + bob.failures.length).toBeGreaterThan(0)
      },
    ),
    { numRuns: 200 },
  )
}, 60_000)

describe('a server that replays', () => {
  test('gets no second handshake, at once or before the nonces are forgotten', async () => {
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    const sent = lab.mail.length
    for (const delay of [0, PROTOCOL.clockSkew]) {
      lab.clock.advance(delay)
      alice.traces.length = 0
      bob.traces.length = 0
      replayAll(lab)
      await lab.settle()
      const refused = alice.refused.concat(bob.refused)
      expect(refused).toHaveLength(sent)
      expect(new Set(refused)).toEqual(new Set(['REPLAY_DETECTED']))
    }
    expect(lab.mail).toHaveLength(sent)
    expect([alice.channels.length, bob.channels.length]).toEqual([1, 1])
  })

  test('later is found by the time that the messages state', async () => {
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    lab.clock.advance(PROTOCOL.clockSkew + 1)
    replayAll(lab)
    await lab.settle()
    expect(new Set(alice.refused.concat(bob.refused))).toEqual(new Set(['CLOCK_SKEW']))
    expect([alice.channels.length, bob.channels.length]).toEqual([1, 1])
  })
})

test('a server that reflects a message to its sender is found by the addressee', async () => {
  reflect(lab)
  alice.manager.sendHandshake(bob.id, 'memory')
  await lab.waitForTimeouts()
  expect(new Set(alice.refused)).toEqual(new Set(['UNKNOWN_SENDER']))
  expect(alice.failed).toEqual(['HANDSHAKE_TIMEOUT'])
  expect(channels()).toEqual([])
})

test('a server that names the sender itself is not even heard', async () => {
  lab.server = (mail) => lab.deliver(mail, { to: mail.from.id, claimed: mail.from.id })
  const before = lab.verifications
  alice.manager.sendHandshake(bob.id, 'memory')
  await lab.settle()
  expect(new Set(alice.refused)).toEqual(new Set(['UNKNOWN_SENDER']))
  expect(lab.verifications).toBe(before)
})

describe('a network that splices two handshakes', () => {
  test.each([
    ['handshake_ack', 'SESSION_NOT_FOUND'],
    ['handshake_confirm', 'INVALID_STATE'],
  ] as const)('by their %s is found', async (what, code) => {
    splice(lab, what)
    for (let handshake = 0; handshake < 2; handshake++) {
      alice.manager.sendHandshake(bob.id, 'memory')
      await lab.settle()
      lab.clock.advance(LIMITS.handshakeTimeout)
      await lab.settle()
    }
    expect(alice.refused.concat(bob.refused)).toEqual([code])
    noSession()
    // What is no handshake is not answered; the responder's own handshake did fail in the second case.
    const errors = lab.mail.filter(({ type }) => type === 'error')
    expect(errors).toHaveLength(what === 'handshake_confirm' ? 1 : 0)
  })
})

test('a peer that claims the key of another is refused, and told nothing', async () => {
  const mallory = await crypto.generateSigningKey()
  const impostor = await lab.peer('impostor', { key: claimKey(alice.key, mallory) })
  impostor.manager.sendHandshake(bob.id, 'memory')
  await lab.waitForTimeouts()
  expect(new Set(bob.refused)).toEqual(new Set(['INVALID_SIGNATURE']))
  expect(impostor.failed).toEqual(['HANDSHAKE_TIMEOUT'])
  expect(lab.mail.filter(({ from }) => from === bob)).toEqual([])
  expect(channels()).toEqual([])
})

describe('a peer without the mesh secret', () => {
  test.each([
    ['has none', new Uint8Array()],
    ['has another', new Uint8Array(32)],
  ])('%s: the initiator finds it, and tells only that it refuses', async (_, meshSecret) => {
    await meet({ meshSecret: crypto.randomBytes(32) }, { meshSecret })
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    expect(alice.failed).toEqual(['MESH_SECRET_MISMATCH'])
    expect(bob.failed).toEqual(['CHALLENGE_INVALID'])
    expect(channels()).toEqual([])
  })

  test('is refused as initiator too, where it goes on although the answer shows it', async () => {
    const secret = crypto.randomBytes(32)
    // Its own check of the answer is what it leaves out.
    const careless = { ...crypto, verifyHmac: async () => true }
    await meet({ crypto: careless }, { meshSecret: secret })
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.waitForTimeouts()
    expect(bob.failed).toEqual(['MESH_SECRET_MISMATCH'])
    noSession()
  })
})

describe('a handshake passed to a third peer', () => {
  test.each(['as it is', 'as sent by the one who passes it'])('%s is found by its addressee', async (how) => {
    const carol = await lab.peer('carol')
    const mallory = await lab.peer('mallory')
    const claimed = how === 'as it is' ? {} : { claimed: mallory.id }
    lab.server = (mail) => lab.deliver(mail, { to: mail.from === alice ? carol.id : mail.to, ...claimed })
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.waitForTimeouts()
    expect(new Set(carol.refused)).toEqual(new Set(['UNKNOWN_SENDER']))
    expect(channels()).toEqual([])
  })

  test('as sent by the one who passes it, to its addressee, is found by its signer', async () => {
    const mallory = await lab.peer('mallory')
    lab.server = (mail) => lab.deliver(mail, { claimed: mallory.id })
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.waitForTimeouts()
    expect(new Set(bob.refused)).toEqual(new Set(['UNKNOWN_SENDER']))
    expect(channels()).toEqual([])
  })

  test('under another signature gives the two no common keys', async () => {
    const mallory = await lab.peer('mallory')
    new PassingPeer(lab, mallory, alice, bob)
    alice.manager.sendHandshake(mallory.id, 'memory')
    await lab.waitForTimeouts()
    expect(alice.failed).toEqual(['MESH_SECRET_MISMATCH'])
    expect(bob.failed).toEqual(['HANDSHAKE_TIMEOUT'])
    expect(channels()).toEqual([])
  })
})

describe('a peer that signs something else than the transcript is refused', () => {
  test.each(['initiator', 'responder'])('as %s', async (role) => {
    const mallory = await lab.peer('mallory', { key: signSomethingElse(await crypto.generateSigningKey()) })
    const [from, to] = role === 'initiator' ? [mallory, bob] : [bob, mallory]
    from.manager.sendHandshake(to.id, 'memory')
    await lab.settle()
    expect(bob.failed).toEqual(['CHALLENGE_INVALID'])
    expect(bob.channels).toEqual([])
    noSession()
  })
})

describe('a peer that answers otherwise than was offered is refused:', () => {
  const session = uuidV4(crypto.randomBytes(16))
  const offered = { sessionId: session, at: { next: 9, expected: 17, durable: 3 }, epoch: 3 }
  const resume = { next: 1, expected: 1, durable: 1 }

  test.each([
    ['another version', 'INVALID_VERSION', undefined, { version: '0.9' }],
    ['another suite', 'INVALID_VERSION', undefined, { suite: 'none' }],
    ['another certificate than in its answer', 'BINDING_MISMATCH', undefined, { fingerprint: new Uint8Array(32) }],
    ['a session to go on with that was not offered', 'INVALID_FORMAT', undefined, { resume }],
    ['keys numbered as ones used before', 'INVALID_FORMAT', offered, { resume, epoch: 2 }],
    ['a new session that does not begin at the first keys', 'INVALID_FORMAT', offered, { epoch: 3 }],
    ['an answer that is none', 'INVALID_FORMAT', undefined, { answer: new Uint8Array(1) }],
  ])('%s', async (_, code, resumption, terms) => {
    const mallory = await lab.peer('mallory')
    alice.resumption = resumption
    answerOtherwise(lab, mallory, terms)
    alice.manager.sendHandshake(mallory.id, 'memory')
    await lab.settle()
    expect(alice.failed).toEqual([code])
    expect(channels()).toEqual([])
  })

  test('and one that keeps to the offer is not', async () => {
    const mallory = await lab.peer('mallory')
    alice.resumption = offered
    answerOtherwise(lab, mallory, { resume, epoch: 3 })
    alice.manager.sendHandshake(mallory.id, 'memory')
    await lab.settle()
    expect(alice.channels).toMatchObject([
      { sessionId: session, resumed: { ours: offered.at, theirs: resume }, epoch: 3 },
    ])
  })
})

describe('a handshake is refused, and its sender told no more than it may know, where it has', () => {
  test.each([
    ['no version of ours', 'INVALID_VERSION', 'INVALID_VERSION', { versions: ['0.9'] }],
    ['no suite of ours', 'INVALID_VERSION', 'INVALID_VERSION', { suites: ['none'] }],
    [
      'another certificate than in its offer',
      'BINDING_MISMATCH',
      'CHALLENGE_INVALID',
      { fingerprint: new Uint8Array(32) },
    ],
    ['an offer that is none', 'INVALID_FORMAT', 'CHALLENGE_INVALID', { offer: new Uint8Array(1) }],
    ['an id that is no UUIDv4', 'INVALID_FORMAT', 'CHALLENGE_INVALID', { session: new Uint8Array(16) }],
  ])(
    '%s',
    async (_, code, saysOnly, { session, ...differs }: Partial<OpenPayload<'handshake'>> & { session?: Bytes }) => {
      lab.server = () => undefined
      alice.manager.sendHandshake(bob.id, 'memory')
      await lab.settle()
      const [mail] = lab.mail
      if (!mail) throw new Error('a handshake was sent')
      const real = await openOpenFrame(crypto, mail.frame, bob.id)
      if (real.type !== 'handshake') throw new Error('a handshake comes first')
      const frame = await sealOpenFrame(crypto, alice.key, {
        type: 'handshake',
        recipient: bob.id,
        session: session ?? real.envelope.session_id,
        timestamp: lab.clock.now(),
        payload: { ...real.payload, ...differs },
      })
      lab.deliver(mail, { frame })
      await lab.settle()
      expect(bob.refused).toEqual([code])
      expect(bob.manager.isUnderWay(alice.id)).toBe(false)
      const said = lab.mail.find(({ from }) => from === bob)
      if (!said) throw new Error('the sender is told')
      expect((await openOpenFrame(crypto, said.frame, alice.id)).payload).toMatchObject({ code: saysOnly })
    },
  )
})

test.each([
  ['behind', -1],
  ['ahead', 1],
])('a peer whose clock is too far %s learns it', async (_, sign) => {
  await meet({ clockAhead: sign * (PROTOCOL.clockSkew + 1) })
  alice.manager.sendHandshake(bob.id, 'memory')
  await lab.settle()
  expect(bob.refused).toContain('CLOCK_SKEW')
  expect(alice.failed).toEqual(['CLOCK_SKEW'])
  expect(channels()).toEqual([])
})

describe('a peer with an ephemeral key of small order is refused', () => {
  test.each(SMALL_ORDER_KEYS.map((key, i) => [i, key] as const))(
    'as initiator and as responder (%i)',
    async (_, key) => {
      const hostile = { crypto: withEphemeral(crypto, key) }
      await meet(hostile)
      alice.manager.sendHandshake(bob.id, 'memory')
      await lab.settle()
      expect([bob.failed, alice.failed]).toEqual([['INVALID_FORMAT'], ['CHALLENGE_INVALID']])
      await meet({}, hostile)
      alice.manager.sendHandshake(bob.id, 'memory')
      await lab.settle()
      expect([alice.failed, bob.failed]).toEqual([['INVALID_FORMAT'], ['CHALLENGE_INVALID']])
      expect(channels()).toEqual([])
    },
  )
})

describe('what costs too much is refused before any signature is checked:', () => {
  test('a frame that is too large', async () => {
    const frame = new Uint8Array(PROTOCOL.maxOpenFrame + 1)
    frame[0] = OPEN_TYPES.handshake
    bob.manager.handleOpenFrame(frame, alice.id)
    expect(bob.refused).toEqual(['MESSAGE_TOO_LARGE'])
    expect(lab.verifications).toBe(0)
  })

  test('a frame of no known type', async () => {
    for (const frame of [new Uint8Array(), new Uint8Array([1]), new Uint8Array([255])]) {
      bob.manager.handleOpenFrame(frame, alice.id)
    }
    expect(bob.refused).toEqual(['INVALID_FORMAT', 'INVALID_FORMAT', 'INVALID_FORMAT'])
  })

  test('frames that come too fast from one sender, while another is still heard', async () => {
    const mallory = await lab.peer('mallory')
    mallory.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    const candidates = lab.mail.find(({ from, type }) => from === mallory && type === 'link_candidates')
    if (!candidates) throw new Error('candidates were sent')
    const before = lab.verifications
    bob.traces.length = 0
    for (let times = 0; times < 1_000; times++) lab.deliver(candidates)
    await lab.settle()
    expect(bob.refused.filter((code) => code === 'RATE_LIMITED').length).toBeGreaterThan(900)
    expect(lab.verifications - before).toBeLessThanOrEqual(LIMITS.openFrameBurst)
    expect(lab.verifications - before).toBeGreaterThan(LIMITS.openHandshakeBurst)
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    expect(bob.channels.map(({ peer }) => peer)).toContainEqual(alice.id)
  })

  test('handshakes that come too fast from one sender, each of which would take a connection', async () => {
    let connections = 0
    await meet(undefined, {
      transport: (real) => ({
        ...real,
        answer: (...parameters) => {
          connections++
          return real.answer(...parameters)
        },
      }),
    })
    lab.server = (mail) => mail.type === 'handshake' && lab.deliver(mail)
    for (let times = 0; times < 40; times++) {
      // As often as it likes: a new peer with the same key remembers no handshake of before.
      const again = await lab.peer('alice', { key: alice.key })
      again.manager.sendHandshake(bob.id, 'memory')
      await lab.settle()
      again.manager.close()
    }
    expect(connections).toBe(LIMITS.openHandshakeBurst)
    // Of all that it began, the last is still half open at the other side.
    expect(lab.net.openAttempts).toBe(1)
    expect(new Set(bob.refused)).toEqual(new Set(['RATE_LIMITED']))
    lab.clock.advance(1_000 / LIMITS.openHandshakeRate)
    lab.server = (mail) => lab.deliver(mail)
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    expect(bob.channels).toHaveLength(1)
  })

  test('more handshakes than may be under way, until some of them have ended', async () => {
    lab.server = (mail) => {
      if (mail.type === 'handshake') lab.deliver(mail)
    }
    for (let strangers = 0; strangers < LIMITS.maxHalfOpen; strangers++) {
      const stranger = await lab.peer(`stranger ${strangers}`)
      stranger.manager.sendHandshake(bob.id, 'memory')
    }
    await lab.settle()
    expect(bob.refused).toEqual([])
    const before = lab.verifications
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    expect(bob.refused).toEqual(['RATE_LIMITED'])
    expect(lab.verifications).toBe(before)
    bob.manager.sendHandshake(alice.id, 'memory')
    expect(bob.failed).toEqual(['RATE_LIMITED'])
    lab.server = (mail) => lab.deliver(mail)
    lab.clock.advance(LIMITS.handshakeTimeout)
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    expect(bob.channels).toHaveLength(1)
  })

  test('more frames than may wait, from however many senders', async () => {
    const frame = new Uint8Array(100)
    frame[0] = OPEN_TYPES.error
    for (let sender = 0; sender < LIMITS.maxOpenFramesWaiting + 10; sender++) {
      bob.manager.handleOpenFrame(frame, crypto.randomBytes(32))
    }
    expect(bob.refused).toEqual(Array(10).fill('RATE_LIMITED'))
  })
})
