/** What every LinkTransport must do (links/link.ts). */
import { PROTOCOL } from '../limits.ts'
import type { Link, LinkAttempt, LinkDescription, LinkTransport } from '../links/link.ts'
import { type Bytes, concat, equalBytes, utf8 } from '../wire/bytes.ts'
import { type ConformanceCase, check, refuses, rejects } from './case.ts'
import { Listener } from './listener.ts'

export interface LinkImplementation {
  /** Two peers' transports that reach each other. */
  readonly transports: readonly [LinkTransport, LinkTransport]
  /** The same description with another fingerprint in it: what a signaling server could make of it. */
  withFingerprint(description: Bytes, fingerprint: Bytes): Bytes
  /** A description without its candidates, and these; left out where descriptions have none. */
  apart?(description: Bytes): { readonly description: Bytes; readonly candidates: readonly Bytes[] }
}

interface Introduction {
  readonly offering: LinkAttempt
  readonly answering: LinkAttempt
  readonly offer: LinkDescription
  readonly answer: LinkDescription
}

/** The offer has been answered, the answer not yet accepted. Nothing of it stays open after `run`. */
async function introduce(
  { transports: [first, second] }: LinkImplementation,
  run: (met: Introduction) => Promise<void>,
): Promise<void> {
  const early: Bytes[] = []
  let answering: LinkAttempt | undefined
  const offering = first.offer((found) => (answering ? answering.addCandidates(found) : early.push(...found)), [])
  try {
    const offer = await offering.description
    answering = second.answer(offer.data, (found) => offering.addCandidates(found), [])
    answering.addCandidates(early)
    await run({ offering, answering, offer, answer: await answering.description })
  } finally {
    offering.abort()
    answering?.abort()
  }
}

/** The link is open on both sides. */
function link(implementation: LinkImplementation, run: (here: Link, there: Link) => Promise<void>): Promise<void> {
  return introduce(implementation, async ({ offering, answering, answer }) => {
    offering.accept(answer.data)
    await run(await offering.opened, await answering.opened)
  })
}

function introduced(
  name: string,
  run: (met: Introduction, implementation: LinkImplementation) => Promise<void>,
): ConformanceCase<LinkImplementation> {
  return { name, run: (implementation) => introduce(implementation, (met) => run(met, implementation)) }
}

function linked(
  name: string,
  run: (here: Link, there: Link, implementation: LinkImplementation) => Promise<void>,
): ConformanceCase<LinkImplementation> {
  return { name, run: (implementation) => link(implementation, (here, there) => run(here, there, implementation)) }
}

/** The cases wait for events and not for time: one that hangs is for the runner to end. */
export const linkConformance: readonly ConformanceCase<LinkImplementation>[] = [
  introduced(
    'an offer and its answer open a link that both sides know by the stated fingerprints',
    async (met, { transports: [first, second] }) => {
      const { offering, answering, offer, answer } = met
      check(offer.fingerprint.length === 32 && answer.fingerprint.length === 32, 'a fingerprint has 32 bytes')
      check(!equalBytes(offer.fingerprint, answer.fingerprint), 'each side has a fingerprint of its own')
      check(equalBytes(second.fingerprintOf(offer.data), offer.fingerprint), 'the offer states its fingerprint')
      check(equalBytes(first.fingerprintOf(answer.data), answer.fingerprint), 'the answer states its fingerprint')
      offering.accept(answer.data)
      const [here, there] = await Promise.all([offering.opened, answering.opened])
      check(equalBytes(here.binding.local, offer.fingerprint), 'local is what the offer stated')
      check(equalBytes(here.binding.remote, answer.fingerprint), 'remote is what the answer stated')
      check(equalBytes(there.binding.local, here.binding.remote), 'one side’s local is the other’s remote')
      check(equalBytes(there.binding.remote, here.binding.local), 'one side’s remote is the other’s local')
      check(here.kind === first.kind && there.kind === second.kind, 'a link is of its transport’s kind')
      check(Math.min(here.maxFrame, there.maxFrame) >= PROTOCOL.commonFrame, 'links take the frames that all must take')
      check(here.bufferedAmount === 0 && there.bufferedAmount === 0, 'a new link holds nothing')
    },
  ),

  linked('frames arrive whole, in order, and as they were when sent', async (here, there) => {
    const [a, b] = [new Listener(here), new Listener(there)]
    const sizes = [1, 200, here.maxFrame, 2, PROTOCOL.commonFrame, here.maxFrame - 1, 1]
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const sent = sizes.map((size, index) => pattern(size, index))
      for (const frame of sent) {
        const handedOver = frame.slice()
        from.link.send(handedOver)
        handedOver.fill(0)
      }
      await to.until(() => to.frames.length === sizes.length)
      check(sameFrames(to.frames, sent), 'the frames that arrive are those that were sent')
    }
  }),

  linked('1,000 small frames arrive in order', async (here, there) => {
    const b = new Listener(there)
    const sent = Array.from({ length: 1_000 }, (_, index) => pattern(200, index))
    for (const frame of sent) here.send(frame)
    await b.until(() => b.frames.length === sent.length)
    check(sameFrames(b.frames, sent), 'the frames that arrive are those that were sent')
  }),

  linked('both sides send at once', async (here, there) => {
    const [a, b] = [new Listener(here), new Listener(there)]
    const sent = Array.from({ length: 100 }, (_, index) => pattern(1_000, index))
    for (const frame of sent) {
      here.send(frame)
      there.send(frame)
    }
    await a.until(() => a.frames.length === sent.length)
    await b.until(() => b.frames.length === sent.length)
    check(sameFrames(a.frames, sent) && sameFrames(b.frames, sent), 'each side gets what the other sent')
  }),

  linked('an empty and an oversized frame are refused, and the link goes on', async (here, there) => {
    const b = new Listener(there)
    refuses('INVALID_ARGUMENT', () => here.send(new Uint8Array(0)))
    refuses('MESSAGE_TOO_LARGE', () => here.send(new Uint8Array(here.maxFrame + 1)))
    here.send(pattern(3, 0))
    await b.until(() => b.frames.length === 1)
    check(sameFrames(b.frames, [pattern(3, 0)]), 'only the good frame arrives')
  }),

  linked('frames that come before start() are delivered first', async (here, there) => {
    const a = new Listener(here)
    const sent = Array.from({ length: 3 }, (_, index) => pattern(here.maxFrame, index))
    for (const frame of sent) here.send(frame)
    await a.until(() => a.drains === 1)
    const b = new Listener(there)
    here.send(pattern(1, 3))
    await b.until(() => b.frames.length === 4)
    check(sameFrames(b.frames, [...sent, pattern(1, 3)]), 'what came early comes first')
  }),

  linked('a side that never listens is not filled up: the link ends', async (here, there) => {
    const a = new Listener(here)
    const sent = Array.from({ length: 5 }, (_, index) => pattern(here.maxFrame, index))
    for (const frame of sent) here.send(frame)
    await a.until(() => a.closes.length === 1)
    check(a.closes[0] instanceof Error, 'the sender learns that the link was lost')
    const b = new Listener(there)
    await b.until(() => b.closes.length === 1)
    check(sameFrames(b.frames, sent.slice(0, 4)), 'what had been kept comes before the close')
    check(b.closes[0] instanceof Error, 'the receiver learns that the link was lost')
  }),

  linked('bufferedAmount rises with what is sent, and drain tells when it has fallen', async (here, there) => {
    const [a, b] = [new Listener(here), new Listener(there)]
    const sent = Array.from({ length: 8 }, (_, index) => pattern(here.maxFrame, index))
    for (const frame of sent) here.send(frame)
    check(here.bufferedAmount > here.lowMark, 'what has not left is counted')
    await a.until(() => a.drains === 1)
    check(here.bufferedAmount <= here.lowMark, 'drain comes at lowMark')
    await b.until(() => b.frames.length === sent.length)
  }),

  linked('close() reaches both sides once, and nothing comes after it', async (here, there, implementation) => {
    const [a, b] = [new Listener(here), new Listener(there)]
    there.send(pattern(10, 1))
    here.close()
    here.close()
    check(a.closes.length === 0, 'a close is not told from inside close()')
    refuses('LINK_LOST', () => here.send(pattern(1, 0)))
    await a.until(() => a.closes.length === 1)
    await b.until(() => b.closes.length === 1)
    check(a.closes[0] === undefined, 'the side that closed gets no reason')
    check(b.closes[0] instanceof Error, 'the other side gets a reason')
    refuses('LINK_LOST', () => there.send(pattern(1, 0)))
    there.close()
    await link(implementation, async (from, to) => {
      const later = new Listener(to)
      from.send(pattern(1, 0))
      await later.until(() => later.frames.length === 1)
    })
    check(a.events === 1 && b.events === 1, 'after the close nothing is told')
  }),

  linked('links between the same two peers are apart', async (here, there, implementation) => {
    const b = new Listener(there)
    await link(implementation, async (from, to) => {
      const other = new Listener(to)
      from.send(pattern(5, 1))
      here.send(pattern(6, 2))
      await other.until(() => other.frames.length === 1)
      await b.until(() => b.frames.length === 1)
      check(sameFrames(other.frames, [pattern(5, 1)]), 'each link carries its own frames')
    })
    here.send(pattern(7, 3))
    await b.until(() => b.frames.length === 2)
    check(sameFrames(b.frames, [pattern(6, 2), pattern(7, 3)]), 'one link’s end leaves the other open')
  }),

  {
    name: 'abort() before the link is open rejects it, and what comes later changes nothing',
    async run({ transports: [first, second] }) {
      const offering = first.offer(() => undefined, [])
      const { data } = await offering.description
      const answering = second.answer(data, () => undefined, [])
      const answer = await answering.description
      answering.abort()
      offering.abort()
      offering.abort()
      await rejects('LINK_FAILED', offering.opened)
      await rejects('LINK_FAILED', answering.opened)
      offering.accept(answer.data)
      offering.addCandidates([utf8('{}')])
      const atOnce = first.offer(() => undefined, [])
      atOnce.abort()
      await rejects('LINK_FAILED', atOnce.opened)
    },
  },

  introduced('abort() of an open link closes it', async ({ offering, answering, answer }) => {
    offering.accept(answer.data)
    await offering.opened
    const b = new Listener(await answering.opened)
    offering.abort()
    await b.until(() => b.closes.length === 1)
  }),

  introduced('a malformed description is refused, and the attempt goes on', async (met, { transports: [, second] }) => {
    const { offering, answering, offer, answer } = met
    for (const bad of malformed(offer.data)) {
      refuses('INVALID_FORMAT', () => second.answer(bad, () => undefined, []).abort())
      refuses('INVALID_FORMAT', () => second.fingerprintOf(bad))
    }
    for (const bad of malformed(answer.data)) refuses('INVALID_FORMAT', () => offering.accept(bad))
    offering.accept(answer.data)
    refuses('INVALID_STATE', () => offering.accept(answer.data))
    await Promise.all([offering.opened, answering.opened])
  }),

  introduced('malformed candidates are ignored', async ({ offering, answering, answer }) => {
    const bad = [
      ...malformed(utf8('{"candidate":"candidate:1","sdpMid":"0"}')),
      ...['null', '[]', '{}', '{"candidate":5}', '{"candidate":"x"}', '{"candidate":"x","sdpMid":"0"}'].map(utf8),
    ]
    offering.addCandidates(bad)
    answering.addCandidates(bad)
    offering.accept(answer.data)
    offering.addCandidates(bad)
    await Promise.all([offering.opened, answering.opened])
  }),

  {
    name: 'candidates may come before the answer, twice, and in any order',
    async run({ transports: [first, second], apart = (description) => ({ description, candidates: [] }) }) {
      const offering = first.offer(() => undefined, [])
      // Who answers knows no way to the other, so that the link hangs on the candidates that come early.
      const offer = apart((await offering.description).data)
      const answering = second.answer(offer.description, () => undefined, [])
      try {
        const answer = apart((await answering.description).data)
        offering.addCandidates([...answer.candidates, ...answer.candidates].toReversed())
        offering.accept(answer.description)
        await Promise.all([offering.opened, answering.opened])
      } finally {
        offering.abort()
        answering.abort()
      }
    },
  },

  introduced(
    'an answer with another fingerprint opens no link',
    async ({ offering, answer }, { transports: [first], withFingerprint }) => {
      const swapped = withFingerprint(answer.data, pattern(32, 7))
      check(equalBytes(first.fingerprintOf(swapped), pattern(32, 7)), 'the description states the other fingerprint')
      offering.accept(swapped)
      await rejects('LINK_FAILED', offering.opened)
    },
  ),
]

function pattern(length: number, seed: number): Bytes {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + seed * 7 + 1) & 0xff)
}

function sameFrames(got: readonly Bytes[], sent: readonly Bytes[]): boolean {
  return got.length === sent.length && got.every((frame, index) => equalBytes(frame, sent[index] as Bytes))
}

function malformed(good: Bytes): Bytes[] {
  return [new Uint8Array(0), new Uint8Array(1), concat(good, Uint8Array.of(0xff)), new Uint8Array(70_000).fill(0x61)]
}
