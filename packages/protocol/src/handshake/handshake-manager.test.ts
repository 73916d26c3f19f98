import { beforeEach, describe, expect, test } from 'vitest'
import { createWebCryptoProvider } from '../crypto/index.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import type { LinkAttempt, LinkKind, LinkTransport } from '../links/link.ts'
import { OPEN_TYPES } from '../messages.ts'
import { type Bytes, utf8 } from '../wire/bytes.ts'
import { sealOpenFrame } from '../wire/open-frame.ts'
import { isUuidV4, uuidV4 } from '../wire/uuid.ts'
import { keysAgree, Lab, type LabPeer, type LabPeerOptions, type Mail } from './lab.fixture.ts'

const crypto = createWebCryptoProvider()
const newId = () => uuidV4(crypto.randomBytes(16))

let lab: Lab
let alice: LabPeer
let bob: LabPeer

/** `alice` has the lower key. */
async function meet(first?: LabPeerOptions, second?: LabPeerOptions): Promise<void> {
  lab = new Lab(crypto)
  ;[alice, bob] = await lab.pair(first, second)
}

beforeEach(() => meet())

async function nothingIsLeftBehind(): Promise<void> {
  await lab.settle()
  expect({
    timers: lab.clock.pending,
    attempts: lab.net.openAttempts,
    underWay: alice.manager.isUnderWay(bob.id) || bob.manager.isUnderWay(alice.id),
  }).toEqual({ timers: 0, attempts: 0, underWay: false })
}

describe('two peers', () => {
  test('get one channel each, with keys that agree and differ by direction', async () => {
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    expect(await keysAgree(alice.channel, bob.channel)).toBe(true)
    expect(alice.channel.peer).toEqual(bob.id)
    expect(bob.channel.peer).toEqual(alice.id)
    expect([alice.channel.initiator, bob.channel.initiator]).toEqual([true, false])
    expect(alice.channel.sessionId).toEqual(bob.channel.sessionId)
    expect(isUuidV4(alice.channel.sessionId)).toBe(true)
    for (const { channel } of [alice, bob]) expect(channel).toMatchObject({ epoch: 1, resumed: undefined })
    await nothingIsLeftBehind()
    expect(alice.refused.concat(bob.refused, alice.failed, bob.failed)).toEqual([])
  })

  test('pass messages 1 and 2 and candidates through signaling, and message 3 over the link', async () => {
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    const [first, ...others] = lab.mail.map(({ type }) => type)
    expect(first).toBe('handshake')
    expect(new Set(others)).toEqual(new Set(['handshake_ack', 'link_candidates']))
    expect(alice.traces.filter(({ direction }) => direction === 'out').at(-1)?.type).toBe('handshake_confirm')
    expect(bob.traces.at(-1)).toMatchObject({ direction: 'in', type: 'handshake_confirm', refused: undefined })
  })

  test('get other keys at every handshake', async () => {
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    const [first, second] = alice.channels
    const [, theirs] = bob.channels
    if (!first || !second || !theirs) throw new Error('two handshakes give two channels')
    expect(await keysAgree(second, theirs)).toBe(true)
    expect(await keysAgree(first, theirs)).toBe(false)
  })

  test('that have the same mesh secret get a channel', async () => {
    const meshSecret = crypto.randomBytes(32)
    await meet({ meshSecret }, { meshSecret })
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    expect(await keysAgree(alice.channel, bob.channel)).toBe(true)
  })

  test('do not begin twice at once', async () => {
    alice.manager.sendHandshake(bob.id, 'memory')
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    expect(alice.channels).toHaveLength(1)
    expect(lab.mail.filter(({ type }) => type === 'handshake')).toHaveLength(1)
  })
})

describe('what the initiator sends at once', () => {
  test('reaches the session in order, and only after message 3 is verified', async () => {
    const held: (() => void)[] = []
    lab.onLinkFrame = (frame, deliver) => held.push(() => deliver(frame))
    alice.onChannel = ({ link }) => {
      for (const word of ['one', 'two', 'three']) link.send(utf8(word))
    }
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    expect(held).toHaveLength(4)
    // All four arrive in one turn, before any check can have ended.
    for (const deliver of held) deliver()
    expect(bob.frames).toEqual([])
    await lab.settle()
    expect(bob.frames).toEqual(['one', 'two', 'three'].map(utf8))
    expect(bob.channels).toHaveLength(1)
  })

  test('ends the link where it is more than may be kept', async () => {
    lab.onLinkFrame = (frame, deliver) => {
      if (frame[0] === OPEN_TYPES.handshake_confirm) return deliver(frame)
      for (let sent = 0; sent <= 4; sent++) deliver(new Uint8Array(PROTOCOL.maxFrame))
    }
    alice.onChannel = ({ link }) => link.send(utf8('much'))
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    expect(bob.channels).toEqual([])
    expect(bob.failed).toEqual(['LINK_FAILED'])
    expect(alice.closes).toHaveLength(1)
    await nothingIsLeftBehind()
  })

  test('is not delivered where something else comes in place of message 3', async () => {
    lab.onLinkFrame = (_, deliver) => deliver(utf8('no confirmation'))
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    expect(bob.frames).toEqual([])
    expect(bob.channels).toEqual([])
    expect(bob.failed).toEqual(['INVALID_FORMAT'])
    expect(lab.net.openEnds).toBe(0)
  })
})

describe('a session goes on', () => {
  const session = newId()
  const alicesPoint = { next: 9, expected: 17, durable: 3 }
  /** Bob's page was loaded anew. */
  const bobsPoint = { next: 20, durable: 5 }

  test('where both sides have it, with the highest of the lowest free epochs', async () => {
    alice.resumption = { sessionId: session, at: alicesPoint, epoch: 3 }
    bob.resumption = { sessionId: session, at: bobsPoint, epoch: 4 }
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    expect(alice.channel).toMatchObject({
      sessionId: session,
      resumed: { ours: alicesPoint, theirs: bobsPoint },
      epoch: 4,
    })
    expect(bob.channel).toMatchObject({
      sessionId: session,
      resumed: { ours: bobsPoint, theirs: alicesPoint },
      epoch: 4,
    })
  })

  test.each([
    ['only the initiator', { sessionId: session, at: alicesPoint, epoch: 3 }, undefined],
    ['only the responder', undefined, { sessionId: session, at: bobsPoint, epoch: 4 }],
    [
      'neither the other one',
      { sessionId: session, at: alicesPoint, epoch: 3 },
      { sessionId: newId(), at: bobsPoint, epoch: 4 },
    ],
  ])('not where %s has it: it starts anew', async (_, ours, theirs) => {
    alice.resumption = ours
    bob.resumption = theirs
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    expect(alice.channel.sessionId).toEqual(bob.channel.sessionId)
    expect(alice.channel.sessionId).not.toEqual(session)
    for (const { channel } of [alice, bob]) expect(channel).toMatchObject({ epoch: 1, resumed: undefined })
  })
})

/** Both have sent message 1 before either comes to the other. */
async function startAtOnce(...[ofAlice, ofBob]: [LinkKind, LinkKind]): Promise<void> {
  const { server } = lab
  const held: Mail[] = []
  lab.server = (mail) => held.push(mail)
  alice.manager.sendHandshake(bob.id, ofAlice)
  bob.manager.sendHandshake(alice.id, ofBob)
  await lab.settle()
  lab.server = server
  for (const mail of held) lab.server(mail)
  await lab.settle()
}

describe('where both start at once', () => {
  test('the lower key stays initiator', async () => {
    await startAtOnce('memory', 'memory')
    expect([alice.channels, bob.channels]).toMatchObject([[{ initiator: true }], [{ initiator: false }]])
    expect(alice.refused).toEqual(['HANDSHAKE_IN_PROGRESS'])
    // Giving way is no failure.
    expect(bob.failed.concat(alice.failed)).toEqual([])
    await nothingIsLeftBehind()
  })

  test('the higher ends its own at once, not only when the other has succeeded', async () => {
    lab.server = (mail) => mail.type === 'handshake' && lab.deliver(mail)
    alice.manager.sendHandshake(bob.id, 'memory')
    bob.manager.sendHandshake(alice.id, 'memory')
    await lab.settle()
    expect(lab.net.openAttempts).toBe(2)
    await lab.waitForTimeouts()
    await nothingIsLeftBehind()
  })

  test('and the message of the lower is lost, both learn it by the time-out', async () => {
    lab.server = (mail) => {
      if (mail.from === bob) lab.deliver(mail)
    }
    alice.manager.sendHandshake(bob.id, 'memory')
    bob.manager.sendHandshake(alice.id, 'memory')
    await lab.settle()
    lab.clock.advance(LIMITS.handshakeTimeout)
    expect([alice.failed, bob.failed]).toEqual([['HANDSHAKE_TIMEOUT'], ['HANDSHAKE_TIMEOUT']])
    await nothingIsLeftBehind()
  })
})

describe('for links of several kinds', () => {
  const both: LabPeerOptions = { kinds: ['webrtc', 'relay'] }
  const kindsUnderWay = (peer: LabPeer, other: LabPeer) =>
    (['webrtc', 'relay'] as const).filter((kind) => peer.manager.isUnderWay(other.id, kind))

  beforeEach(() => meet(both, both))

  test('handshakes go on side by side, and what is established first ends the others at both sides', async () => {
    const held: Mail[] = []
    lab.server = (mail) => (mail.type === 'handshake_ack' ? held.push(mail) : lab.deliver(mail))
    alice.manager.sendHandshake(bob.id, 'webrtc')
    alice.manager.sendHandshake(bob.id, 'relay')
    await lab.settle()
    expect([kindsUnderWay(alice, bob), kindsUnderWay(bob, alice)]).toEqual([
      ['webrtc', 'relay'],
      ['webrtc', 'relay'],
    ])
    for (const mail of held) lab.deliver(mail)
    await lab.settle()
    expect([alice.channels, bob.channels]).toMatchObject([[{ initiator: true }], [{ initiator: false }]])
    expect(await keysAgree(alice.channel, bob.channel)).toBe(true)
    expect(alice.failed).toEqual([])
    await nothingIsLeftBehind()
  })

  test('and both begin, for different kinds, all that go on are those of the lower key', async () => {
    lab.server = (mail) => mail.type === 'handshake' && lab.deliver(mail)
    await startAtOnce('webrtc', 'relay')
    expect([kindsUnderWay(alice, bob), kindsUnderWay(bob, alice)]).toEqual([['webrtc'], ['webrtc']])
    expect(alice.refused).toEqual(['HANDSHAKE_IN_PROGRESS'])
    // Nor does the higher begin another meanwhile.
    bob.manager.sendHandshake(alice.id, 'relay')
    expect(kindsUnderWay(bob, alice)).toEqual(['webrtc'])
    alice.manager.sendHandshake(bob.id, 'relay')
    await lab.settle()
    expect(kindsUnderWay(bob, alice)).toEqual(['webrtc', 'relay'])
    await lab.waitForTimeouts()
    await nothingIsLeftBehind()
  })

  test('a kind that the other side does not have is refused at once', async () => {
    await meet(both, { kinds: ['relay'] })
    alice.manager.sendHandshake(bob.id, 'webrtc')
    await lab.settle()
    expect([alice.failed, bob.refused]).toEqual([['LINK_FAILED'], ['LINK_FAILED']])
    expect(() => bob.manager.sendHandshake(alice.id, 'webrtc')).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    )
    await nothingIsLeftBehind()
  })

  test('the kind is part of what is signed', async () => {
    lab.server = (mail) => {
      const frame = mail.frame.slice()
      const at = Buffer.from(frame).indexOf('relay')
      if (mail.type === 'handshake') frame.set(utf8('webrt'), at)
      lab.deliver(mail, { frame })
    }
    alice.manager.sendHandshake(bob.id, 'relay')
    await lab.settle()
    expect(bob.refused).toEqual(['INVALID_SIGNATURE'])
    await lab.waitForTimeouts()
  })
})

describe('an initiator whose link does not open', () => {
  const deaf = (real: LinkTransport): LinkTransport => ({
    ...real,
    offer(...rest) {
      const attempt = real.offer(...rest)
      const { description, opened } = attempt
      return {
        description,
        opened,
        accept: () => undefined,
        addCandidates: () => undefined,
        abort: () => attempt.abort(),
      }
    },
  })

  test('gives way to what the other side begins after it has answered: its page is another one', async () => {
    await meet({ transport: deaf })
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    lab.peers.splice(lab.peers.indexOf(bob), 1)
    const next = await lab.peer('higher, loaded anew', { key: bob.key })
    lab.clock.advance(1)
    next.manager.sendHandshake(alice.id, 'memory')
    await lab.settle()
    expect(await keysAgree(alice.channel, next.channel)).toBe(true)
    expect([alice.channel.initiator, alice.refused, alice.failed]).toEqual([false, [], []])
  })

  test('does not give way to what the other side began before it answered, whenever that comes', async () => {
    await meet({ transport: deaf })
    const { server } = lab
    let late: Mail | undefined
    lab.server = (mail) => {
      late ??= mail
    }
    bob.manager.sendHandshake(alice.id, 'memory')
    await lab.settle()
    lab.server = server
    lab.clock.advance(1)
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    lab.deliver(late as Mail)
    await lab.settle()
    expect(alice.refused).toEqual(['HANDSHAKE_IN_PROGRESS'])
  })
})

test('a newer handshake replaces an older one of the same peer that is half open, and an older one does not', async () => {
  const lost: Mail[] = []
  lab.server = (mail) => {
    if (mail.type === 'handshake') lost.push(mail)
  }
  alice.manager.sendHandshake(bob.id, 'memory')
  await lab.settle()
  lab.clock.advance(LIMITS.handshakeTimeout)
  alice.manager.sendHandshake(bob.id, 'memory')
  await lab.settle()
  const [older, newer] = lost
  if (!older || !newer) throw new Error('two handshakes were sent')
  lab.server = (mail) => lab.deliver(mail)
  lab.deliver(newer)
  lab.deliver(older)
  await lab.settle()
  expect(bob.refused).toEqual(['HANDSHAKE_IN_PROGRESS'])
  expect(await keysAgree(alice.channel, bob.channel)).toBe(true)

  // As a reloaded page does: the same peer, and nothing of the handshake it had begun.
  await meet()
  lab.server = (mail) => {
    if (mail.from !== bob) lab.deliver(mail)
  }
  const before = await lab.peer('before', { key: alice.key })
  before.manager.sendHandshake(bob.id, 'memory')
  await lab.settle()
  expect(lab.net.openAttempts).toBe(2)
  before.manager.close()
  lab.server = (mail) => lab.deliver(mail)
  alice.manager.sendHandshake(bob.id, 'memory')
  await lab.settle()
  expect(await keysAgree(alice.channel, bob.channel)).toBe(true)
  expect(bob.failed).toEqual([])
  await nothingIsLeftBehind()
})

describe('a handshake that does not go on ends in every state after its time', () => {
  const never = new Promise<never>(() => undefined)
  /** A transport whose attempts never get to one of the two things they promise. */
  const stuck =
    (what: 'description' | 'opened') =>
    (real: LinkTransport): LinkTransport => {
      const hold = (attempt: LinkAttempt): LinkAttempt =>
        new Proxy(attempt, {
          get(target, name) {
            const value: unknown = Reflect.get(target, name)
            return name === what ? never : typeof value === 'function' ? value.bind(target) : value
          },
        })
      return {
        ...real,
        offer: (...parameters) => hold(real.offer(...parameters)),
        answer: (...parameters) => hold(real.answer(...parameters)),
      }
    }

  const loses = (type: keyof typeof OPEN_TYPES) => {
    lab.server = (mail) => mail.type === type || lab.deliver(mail)
    lab.onLinkFrame = (frame, deliver) => frame[0] === OPEN_TYPES[type] || deliver(frame)
  }

  test.each([
    ['describing its end', { transport: stuck('description') }, 'error'],
    ['awaiting the answer', {}, 'handshake'],
    ['opening the link', { transport: stuck('opened') }, 'error'],
  ] as const)('initiator, %s', async (_, options, lost) => {
    await meet(options)
    loses(lost)
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    lab.clock.advance(LIMITS.handshakeTimeout - 1)
    expect(alice.manager.isUnderWay(bob.id)).toBe(true)
    lab.clock.advance(1)
    expect(alice.failed).toEqual(['HANDSHAKE_TIMEOUT'])
    await lab.waitForTimeouts()
    expect(alice.channels.concat(bob.channels)).toEqual([])
    await nothingIsLeftBehind()
  })

  test.each([
    ['describing its end', { transport: stuck('description') }, 'error'],
    ['opening the link', {}, 'handshake_ack'],
    ['awaiting message 3', {}, 'handshake_confirm'],
  ] as const)('responder, %s', async (_, options, lost) => {
    await meet({}, options)
    loses(lost)
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    lab.clock.advance(LIMITS.handshakeTimeout - 1)
    expect(bob.manager.isUnderWay(alice.id)).toBe(true)
    lab.clock.advance(1)
    expect(bob.failed).toEqual(['HANDSHAKE_TIMEOUT'])
    await lab.waitForTimeouts()
    expect(bob.channels).toEqual([])
    expect(lab.net.openEnds).toBe(0)
    await nothingIsLeftBehind()
  })
})

describe('close()', () => {
  test('ends everything at any moment, without a word', async () => {
    for (let turns = 0; turns < 12; turns++) {
      await meet()
      alice.manager.sendHandshake(bob.id, 'memory')
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
      const establishedBefore = alice.channels.length
      alice.manager.close()
      bob.manager.close()
      const mail = lab.mail.length
      await nothingIsLeftBehind()
      expect(lab.mail).toHaveLength(mail)
      expect(alice.channels).toHaveLength(establishedBefore)
      expect(alice.failed.concat(bob.failed)).toEqual([])
    }
  })

  test('leaves channels that were handed over', async () => {
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    alice.manager.close()
    await lab.settle()
    alice.channel.link.send(utf8('still here'))
    await lab.settle()
    expect(bob.frames).toEqual([utf8('still here')])
    expect(() => alice.manager.sendHandshake(bob.id, 'memory')).toThrow(
      expect.objectContaining({ code: 'PEER_CLOSED' }),
    )
  })
})

describe('an error', () => {
  async function errorTo(peer: LabPeer, from: LabPeer, session: Bytes): Promise<Bytes> {
    return sealOpenFrame(crypto, from.key, {
      type: 'error',
      recipient: peer.id,
      session,
      timestamp: lab.clock.now(),
      payload: { code: 'STORAGE_FAILED', message: 'Send me your key.' },
    })
  }

  test('of the peer ends its handshake, in our words; one of another peer, or for another handshake, does not', async () => {
    lab.server = () => undefined
    const mallory = await lab.peer('mallory')
    alice.manager.sendHandshake(bob.id, 'memory')
    await lab.settle()
    const id = alice.traces[0]?.session
    if (!id) throw new Error('a handshake was sent')
    alice.manager.handleOpenFrame(await errorTo(alice, mallory, id), mallory.id)
    alice.manager.handleOpenFrame(await errorTo(alice, mallory, id), bob.id)
    alice.manager.handleOpenFrame(await errorTo(alice, bob, newId()), bob.id)
    await lab.settle()
    expect(alice.failed).toEqual([])
    const before = lab.mail.length
    alice.manager.handleOpenFrame(await errorTo(alice, bob, id), bob.id)
    await lab.settle()
    expect(alice.failed).toEqual(['CHALLENGE_INVALID'])
    expect(alice.failures[0]?.message).not.toContain('Send me')
    // No error answers an error.
    expect(lab.mail).toHaveLength(before)
    await nothingIsLeftBehind()
  })

  test('is told to one peer so often and no more', async () => {
    await meet({ clockAhead: 2 * PROTOCOL.clockSkew })
    for (let times = 0; times < 20; times++) {
      alice.manager.sendHandshake(bob.id, 'memory')
      await lab.settle()
      lab.clock.advance(100)
    }
    const errors = lab.mail.filter(({ type }) => type === 'error')
    expect(errors.length).toBeGreaterThanOrEqual(LIMITS.openErrorBurst)
    expect(errors.length).toBeLessThanOrEqual(LIMITS.openErrorBurst + 2 * LIMITS.openErrorRate)
  })
})

test('a handshake whose frames cannot be sent ends at once, with the reason and without another frame', async () => {
  lab.server = () => undefined
  alice.manager.sendHandshake(bob.id, 'memory')
  await lab.settle()
  const sent = lab.mail.length
  alice.manager.unreachable(bob.id, new TsunagiError('UNKNOWN_PEER', 'That peer is not there.'))
  expect(alice.failed).toEqual(['UNKNOWN_PEER'])
  await nothingIsLeftBehind()
  expect(lab.mail).toHaveLength(sent)
})

test('a link that closes while the handshake is under way fails it', async () => {
  lab.onLinkFrame = () => lab.net.cut()
  alice.manager.sendHandshake(bob.id, 'memory')
  await lab.settle()
  expect(bob.failed).toEqual(['LINK_FAILED'])
  // The initiator was done with message 3: its session learns it.
  expect(alice.closes).toHaveLength(1)
  await nothingIsLeftBehind()
})

test('candidates follow the handshake they belong to, and reach the link of the other side', async () => {
  const added: string[] = []
  const spy =
    (name: string) =>
    (real: LinkTransport): LinkTransport => {
      const watch = (attempt: LinkAttempt) => {
        const add = attempt.addCandidates.bind(attempt)
        attempt.addCandidates = (candidates) => {
          added.push(name)
          add(candidates)
        }
        return attempt
      }
      return {
        ...real,
        offer: (...parameters) => watch(real.offer(...parameters)),
        answer: (...parameters) => watch(real.answer(...parameters)),
      }
    }
  await meet({ transport: spy('alice') }, { transport: spy('bob') })
  // The link would open too fast for them otherwise.
  const answers: Mail[] = []
  lab.server = (mail) => (mail.type === 'handshake_ack' ? answers.push(mail) : lab.deliver(mail))
  alice.manager.sendHandshake(bob.id, 'memory')
  await lab.settle()
  expect(lab.mail.filter(({ from }) => from === alice).map(({ type }) => type)).toEqual([
    'handshake',
    'link_candidates',
  ])
  expect(lab.mail.filter(({ from }) => from === bob).map(({ type }) => type)).toEqual([
    'handshake_ack',
    'link_candidates',
  ])
  expect(added.sort()).toEqual(['alice', 'bob'])
  for (const answer of answers) lab.deliver(answer)
  await lab.settle()
  expect(await keysAgree(alice.channel, bob.channel)).toBe(true)
})

test('a peer has no handshake with itself', () => {
  expect(() => alice.manager.sendHandshake(alice.id, 'memory')).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
  )
})
