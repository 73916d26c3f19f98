import { TsunagiError } from '../errors.ts'
import { PROTOCOL } from '../limits.ts'
import { type AckOffer, ackOffer } from '../messages.ts'
import type { EphemeralKey } from '../ports.ts'
import { type Bytes, equalBytes } from '../wire/bytes.ts'
import { decodeAs } from '../wire/cbor.ts'
import type { Verified } from '../wire/open-frame.ts'
import { Attempt, type AttemptOptions, checkBinding } from './attempt.ts'
import type { Resumption } from './channel.ts'
import { sealFor, traceSent } from './host.ts'
import { KeySchedule, SUITE } from './key-schedule.ts'
import { checkProof, prove } from './proof.ts'
import { INITIATOR_STATES, type InitiatorEvent, type InitiatorState } from './states.ts'
import { Transcript } from './transcript.ts'

/** What message 1 promised. */
interface Offered {
  readonly ephemeral: EphemeralKey
  readonly fingerprint: Bytes
  readonly resumption: Resumption | undefined
  readonly transcript: Transcript
}

/** The side that begins (SPEC §4.2): message 1, the check of message 2, message 3 on the open link. */
export class Initiator extends Attempt<InitiatorState, InitiatorEvent> {
  #offered: Offered | undefined
  /** When the other side sent message 2, by its clock. */
  #answeredAt: number | undefined

  constructor(options: AttemptOptions) {
    const { host, transport } = options
    super(options, INITIATOR_STATES, 'describing', (onCandidates) => transport.offer(onCandidates, host.iceServers()))
  }

  /** Message 1 is on its way, as far as this side knows. */
  get isUnanswered(): boolean {
    return this.state === 'awaiting_ack'
  }

  /**
   * Whether the other side has answered before that time, by its clock. One that answers begins nothing itself, so that what it begins
   * after it had answered tells that it knows of this handshake no more.
   */
  isAnsweredBefore(time: number): boolean {
    return this.#answeredAt !== undefined && this.#answeredAt < time
  }

  sendHandshake(): void {
    const { host, peer, id } = this
    this.step(async () => {
      const [ephemeral, description] = await Promise.all([host.crypto.generateEphemeralKey(), this.link.description])
      const resumption = host.resumable(peer)
      const frame = await sealFor(host, 'handshake', peer, id, {
        ephemeral: ephemeral.publicKey,
        challenge: host.crypto.randomBytes(32),
        versions: [PROTOCOL.version],
        suites: [SUITE],
        link: this.kind,
        fingerprint: description.fingerprint,
        offer: description.data,
        resume: resumption && { session_id: resumption.sessionId, epoch: resumption.epoch, at: resumption.at },
      })
      if (!this.move('described')) return
      const transcript = new Transcript(host.crypto, host.key.publicKey, peer, frame)
      this.#offered = { ephemeral, fingerprint: description.fingerprint, resumption, transcript }
      this.announce(frame)
    })
  }

  /** @throws TsunagiError INVALID_STATE where no answer is awaited, or not another one */
  handleHandshakeAck(ack: Verified<'handshake_ack'>): void {
    const offered = this.#offered
    if (!offered || !this.move('ack')) {
      throw new TsunagiError('INVALID_STATE', 'The peer answered a handshake that has its answer.')
    }
    this.#answeredAt = ack.envelope.timestamp
    this.step(async () => {
      const answered = decodeAs(ackOffer, ack.payload.offer, 'Offer of handshake_ack')
      this.#checkOffer(answered, offered)
      const schedule = await this.#checkAck(ack, answered, offered)
      if (!this.move('proved')) return
      this.link.accept(answered.answer)
      await this.#sendHandshakeConfirm(answered, offered, schedule)
    })
  }

  async #checkAck(ack: Verified<'handshake_ack'>, answered: AckOffer, offered: Offered): Promise<KeySchedule> {
    const { crypto, meshSecret } = this.host
    offered.transcript.add(ack.payload.offer)
    const [hash, schedule] = await Promise.all([
      offered.transcript.hash(),
      KeySchedule.agree(crypto, offered.ephemeral, answered.ephemeral, meshSecret),
    ])
    await checkProof(crypto, this.peer, schedule, 'responder', hash, ack.payload)
    offered.transcript.add(ack.frame)
    return schedule
  }

  /** @throws TsunagiError INVALID_VERSION, BINDING_MISMATCH, INVALID_FORMAT */
  #checkOffer(answered: AckOffer, { resumption }: Offered): void {
    if (answered.version !== PROTOCOL.version || answered.suite !== SUITE) {
      throw new TsunagiError('INVALID_VERSION', 'The peer chose a version or suite that was not offered.')
    }
    if (!equalBytes(this.transport.fingerprintOf(answered.answer), answered.fingerprint)) {
      throw new TsunagiError('BINDING_MISMATCH', 'The peer signed for another certificate than its answer states.')
    }
    const goesOn = answered.resume !== undefined
    const lowestEpoch = goesOn ? resumption?.epoch : 1
    if (lowestEpoch === undefined || answered.epoch < lowestEpoch || (!goesOn && answered.epoch !== 1)) {
      throw new TsunagiError('INVALID_FORMAT', 'The peer goes on with a session otherwise than was offered.')
    }
  }

  async #sendHandshakeConfirm(answered: AckOffer, offered: Offered, schedule: KeySchedule): Promise<void> {
    const { host, peer, id } = this
    const { transcript, resumption } = offered
    const proof = await prove(host.crypto, host.key, schedule, 'initiator', await transcript.hash())
    const confirm = await sealFor(host, 'handshake_confirm', peer, id, proof)
    transcript.add(confirm)
    const hash = await transcript.hash()
    const [sendKeys, receiveKeys] = await Promise.all([
      schedule.trafficKeys('initiator', hash),
      schedule.trafficKeys('responder', hash),
    ])
    const link = await this.link.opened
    if (!this.move('opened')) return
    checkBinding(link, offered.fingerprint, answered.fingerprint)
    // The link of an attempt that has ended is closed, so this throws then.
    link.send(confirm)
    traceSent(host, peer, id, confirm)
    if (!this.move('confirmed')) return
    this.succeeded()
    const events = host.onEstablished({
      peer,
      sessionId: answered.resume && resumption ? resumption.sessionId : id,
      resumed: answered.resume && resumption && { ours: resumption.at, theirs: answered.resume },
      epoch: answered.epoch,
      initiator: true,
      sendKeys,
      receiveKeys,
      link,
    })
    link.start(events)
  }
}
