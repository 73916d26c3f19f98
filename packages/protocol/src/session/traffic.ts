/** What moves a session's frames (SPEC §5.2, §5.3): links come and go, numbers and acknowledgements go on. */
import { TsunagiError, toTsunagiError } from '../errors.ts'
import type { Channel } from '../handshake/channel.ts'
import { LIMITS } from '../limits.ts'
import type { Link, LinkEvents } from '../links/link.ts'
import { SESSION_TYPES, type SessionPayload } from '../messages.ts'
import { encodeCbor } from '../wire/cbor.ts'
import type { FrameBody, Record } from './frame.ts'
import type { Incoming } from './incoming.ts'
import { type Batch, LANES, type Outgoing } from './outgoing.ts'
import { type FrameNumber, SecureChannel, type SecureChannelHost } from './secure-channel.ts'
import { GOODBYES } from './session-messages.ts'

/** Turns of the host's queue of promises: an app's `await` of an answer, and the send() after it, take about half as many. */
const MOMENT = 12

export interface TrafficHost extends SecureChannelHost {
  /** Up to which sequence number all has arrived, and what is durable of it is stored. */
  acknowledgeable(): number
  /**
   * A frame was verified.
   * @param isCurrent it came over the link in use, so that the other side goes on there, too
   * @param isProvisional the other side's next page may not know of the session
   */
  onHeard(isCurrent: boolean, isProvisional: boolean): void
  /** The other side has acknowledged so many messages more. */
  onSettled(messages: number): void
  /** Messages have left as a whole, in the frame of that number. */
  onFinished(finished: Batch['finished'], number: FrameNumber): void
  /** The last message on a link. @param sequence stands in its frame, and counts for nothing */
  onGoodbye(goodbye: Record, sequence: number): void
  /** A frame was refused, and nothing of it was used. */
  onRefused(error: TsunagiError): void
  /** A verified frame breaks the rules, or does not fit. */
  onViolation(error: TsunagiError): void
  /** The link in use is gone. */
  onUnlinked(reason: Error | undefined): void
}

export class Traffic {
  readonly #host: TrafficHost
  readonly #outgoing: Outgoing
  readonly #incoming: Incoming
  #current: SecureChannel | undefined
  /** Replaced, and closed when the other side is seen to use the new one. */
  #previous: SecureChannel | undefined
  /** The lowest epoch not used by the channels before the current one. */
  #epochBefore: number
  /** What the other side had acknowledged before the current channel; whoever has less has lost its state. */
  #leastAck = 1
  #isProvisional = false
  #isOver = false
  #pumpDue = false
  #ackDue = false
  #unacknowledgedBytes = 0
  #unacknowledgedRecords = 0
  #resendAskedFor = 0
  #resendAskedAt = 0
  #reading: FrameNumber = { epoch: 0, counter: 0 }
  #unlinked = Promise.resolve()
  #tellUnlinked = (): void => undefined
  #stopAckTimer: (() => void) | undefined

  /** @param epoch the lowest not used */
  constructor(host: TrafficHost, outgoing: Outgoing, incoming: Incoming, epoch: number) {
    this.#host = host
    this.#outgoing = outgoing
    this.#incoming = incoming
    this.#epochBefore = epoch
  }

  /** The link in use. */
  get link(): Link | undefined {
    return this.#current?.channel.link
  }

  /** Fulfils when the link to which goodbye was said is gone. */
  get unlinked(): Promise<void> {
    return this.#unlinked
  }

  get unusedEpoch(): number {
    return Math.max(this.#epochBefore, this.#current?.unusedEpoch ?? 1)
  }

  /** Bytes that the other side may have on their way to us. */
  get window(): number {
    return this.#current?.window ?? LIMITS.receiveWindow
  }

  /** The frame that was read last. */
  get reading(): FrameNumber {
    return this.#reading
  }

  /** Goes on over `channel` when begin() is called; the one before is of use until the other side is heard there. */
  moveTo(channel: Channel): LinkEvents {
    const secured: SecureChannel = new SecureChannel(channel, this.#host, {
      frame: (body, number, size) => this.#read(secured, body, number, size),
      refused: (error) => this.#host.onRefused(error),
      room: () => this.#pump(),
      closed: (reason) => this.#closed(secured, reason),
    })
    if (this.#isOver) {
      secured.close()
      return secured.linkEvents
    }
    this.#epochBefore = this.unusedEpoch
    this.#previous?.close()
    this.#previous = this.#current
    this.#current = secured
    return secured.linkEvents
  }

  /** The numbers are settled: the other side is told what has arrived, and never acknowledges less than it has by now. */
  begin(): void {
    this.#leastAck = this.#outgoing.unacknowledged
    this.acknowledge()
  }

  /** Whether what is said from now on is marked as said before our store has the session. */
  set isProvisional(is: boolean) {
    if (is === this.#isProvisional) return
    this.#isProvisional = is
    // The other side counts only what is said now.
    if (!is) this.acknowledge()
  }

  /** In a moment: what is sent in one go shares a frame, and so do an acknowledgement and the app's answer to what it is for. */
  flush(): void {
    if (this.#pumpDue) return
    this.#pumpDue = true
    void this.#pumpSoon()
  }

  async #pumpSoon(): Promise<void> {
    // No timer would be as short: after these the app, which awaits what has arrived, has had its turn.
    for (let turn = 0; turn < MOMENT; turn++) await undefined
    this.#pumpDue = false
    this.#pump()
  }

  /** The other side is told in a moment what has arrived. */
  acknowledge(): void {
    this.#ackDue = true
    this.flush()
  }

  /** The last frame of a link. The other side closes the link when it has read it; one that does not is not waited for. */
  sayGoodbye<T extends 'session_close' | 'session_suspend'>(type: T, payload: SessionPayload<T>): void {
    const channel = this.#current
    if (channel === undefined) return
    this.#unlinked = new Promise((fulfil) => {
      this.#tellUnlinked = fulfil
    })
    const record: Record = {
      type: SESSION_TYPES[type],
      raw: false,
      more: false,
      durable: false,
      lane: LANES.high,
      payload: encodeCbor(payload),
    }
    channel.send({ ...this.#acknowledgement(), prompt: false, first: this.#outgoing.nextSequence, records: [record] })
    const stop = this.#host.clock.after(LIMITS.closeGrace, () => channel.close())
    void this.#unlinked.then(stop)
  }

  /** Drops the link in use, as if the network had done it. */
  dropLink(): void {
    this.#current?.close()
  }

  /** Of what the link before the current one still has on its way nothing is taken. */
  closePrevious(): void {
    this.#previous?.close()
    this.#previous = undefined
  }

  dropLinks(): void {
    this.#current?.close()
    this.#previous?.close()
  }

  /** The session is over. The link in use stays for a goodbye to leave, and to come: then neither side waits for the other. */
  end(): void {
    this.#isOver = true
    this.#previous?.close()
    this.stop()
  }

  /** The page goes, and leaves no timer. */
  stop(): void {
    this.#stopAckTimer?.()
  }

  #read(from: SecureChannel, body: FrameBody, number: FrameNumber, size: number): void {
    const goodbye = body.records.find(({ type }) => GOODBYES.has(type))
    if (this.#isOver) {
      // Both sides closed at once, and neither has to wait for the other.
      if (goodbye !== undefined) from.close()
      return
    }
    // What was closed may have had frames of other numbers on their way through the host's crypto threads.
    if (from !== this.#current && from !== this.#previous) return
    const isCurrent = from === this.#current
    if (isCurrent) this.closePrevious()
    this.#reading = number
    this.#host.onHeard(isCurrent, body.provisional)
    if (isCurrent && body.ack < this.#leastAck) {
      this.#host.onViolation(wentElsewhere())
      return
    }
    const settled = this.#outgoing.acknowledge(body.ack, body.window)
    if (settled === undefined) {
      this.#host.onViolation(new TsunagiError('SEQUENCE_ERROR', 'The peer acknowledged what was never sent to it.'))
      return
    }
    if (settled > 0) this.#host.onSettled(settled)
    if (goodbye !== undefined) {
      this.#host.onGoodbye(goodbye, body.first)
      return
    }
    if (body.resend) this.#outgoing.sendAgain()
    try {
      this.#incoming.take(body.first, body.records)
    } catch (cause) {
      this.#host.onViolation(toTsunagiError(cause, 'INVALID_FORMAT', 'A frame of the peer could not be read.'))
      return
    }
    if (this.#isOver) return
    if (body.records.length > 0) this.#acknowledgeSoon(body, size)
    if (this.#incoming.hasGap) this.#askAgain()
    this.flush()
  }

  /** At once where the sender may be waiting for it, else with what goes out anyway, after a while, or with much received. */
  #acknowledgeSoon({ prompt, records }: FrameBody, size: number): void {
    this.#unacknowledgedBytes += size
    this.#unacknowledgedRecords += records.length
    const isMuch = this.#unacknowledgedBytes >= this.window / 8 || this.#unacknowledgedRecords >= LIMITS.ackRecords
    if (prompt || isMuch) {
      this.#ackDue = true
      return
    }
    this.#stopAckTimer ??= this.#host.clock.after(LIMITS.ackDelay, () => {
      this.#stopAckTimer = undefined
      // Acknowledged meanwhile: stopping the timer each time would cost more than letting it run out.
      if (this.#unacknowledgedBytes === 0) return
      this.#ackDue = true
      this.#pump()
    })
  }

  /** Once for what is missing, and again where that did not help: the request may be lost as well. */
  #askAgain(): void {
    const now = this.#host.clock.now()
    const { expected } = this.#incoming
    if (this.#resendAskedFor === expected && Math.abs(now - this.#resendAskedAt) < LIMITS.resendSpacing) return
    this.#resendAskedFor = expected
    this.#resendAskedAt = now
    this.#current?.send({
      ...this.#acknowledgement(),
      prompt: false,
      resend: true,
      first: this.#outgoing.nextSequence,
      records: [],
    })
  }

  #acknowledgement(): Pick<FrameBody, 'ack' | 'window' | 'resend' | 'provisional'> {
    this.#ackDue = false
    this.#unacknowledgedBytes = 0
    this.#unacknowledgedRecords = 0
    const { window } = this
    return { ack: this.#host.acknowledgeable(), window, resend: false, provisional: this.#isProvisional }
  }

  #pump(): void {
    const channel = this.#current
    while (channel?.hasRoom && !this.#isOver) {
      const batch = this.#outgoing.take(channel.frameTarget)
      if (batch === undefined && !this.#ackDue) return
      const number = channel.send({
        ...this.#acknowledgement(),
        prompt: batch?.records.some(({ lane }) => lane !== LANES.low) === true && !this.#outgoing.hasWork,
        first: batch?.first ?? this.#outgoing.nextSequence,
        records: batch?.records ?? [],
      })
      if (batch !== undefined) this.#host.onFinished(batch.finished, number)
    }
  }

  #closed(channel: SecureChannel, reason: Error | undefined): void {
    if (channel === this.#previous) this.#previous = undefined
    if (channel !== this.#current) return
    this.#epochBefore = this.unusedEpoch
    this.#current = undefined
    // The other side may have given that one up already.
    this.#previous?.close()
    this.#tellUnlinked()
    this.#host.onUnlinked(reason)
  }
}

export function wentElsewhere(): TsunagiError {
  return new TsunagiError('SESSION_NOT_FOUND', 'The peer goes on from another place than the session had reached.')
}
