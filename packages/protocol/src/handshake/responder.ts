import { TsunagiError } from '../errors.ts'
import { PROTOCOL } from '../limits.ts'
import type { LinkTransport } from '../links/link.ts'
import type { AckOffer } from '../messages.ts'
import { type Bytes, equalBytes } from '../wire/bytes.ts'
import { encodeCbor } from '../wire/cbor.ts'
import type { Verified, VerifiedOpen } from '../wire/open-frame.ts'
import { isUuidV4 } from '../wire/uuid.ts'
import { Attempt, type AttemptOptions, checkBinding } from './attempt.ts'
import type { Channel } from './channel.ts'
import { brokeOff, sealFor, traceReceived } from './host.ts'
import { KeySchedule, SUITE } from './key-schedule.ts'
import { LinkGate } from './link-gate.ts'
import { checkProof, prove } from './proof.ts'
import { RESPONDER_STATES, type ResponderEvent, type ResponderState } from './states.ts'
import { Transcript } from './transcript.ts'

export interface ResponderOptions extends AttemptOptions {
  readonly handshake: Verified<'handshake'>
  /** Verifies a frame of this peer and that it is fresh. */
  readonly verify: (frame: Bytes) => Promise<VerifiedOpen>
}

/** How the two sides go on, as message 2 states it. */
interface Agreed extends Pick<Channel, 'sessionId' | 'resumed' | 'epoch'> {
  readonly schedule: KeySchedule
}

/**
 * The side that answers (SPEC §4.2): message 2, then nothing of the link is believed before message 3 on it is verified.
 */
export class Responder extends Attempt<ResponderState, ResponderEvent> {
  /** When the initiator sent message 1, by its clock. */
  readonly startedAt: number
  readonly #handshake: Verified<'handshake'>
  readonly #verify: ResponderOptions['verify']
  readonly #transcript: Transcript

  /** @throws TsunagiError INVALID_FORMAT, INVALID_VERSION, BINDING_MISMATCH */
  constructor(options: ResponderOptions) {
    const { host, handshake, peer, transport } = options
    checkHandshake(transport, handshake)
    super(options, RESPONDER_STATES, 'answering', (onCandidates) =>
      transport.answer(handshake.payload.offer, onCandidates, host.iceServers()),
    )
    this.startedAt = handshake.envelope.timestamp
    this.#handshake = handshake
    this.#verify = options.verify
    this.#transcript = new Transcript(host.crypto, peer, host.key.publicKey, handshake.frame)
  }

  sendHandshakeAck(): void {
    const { host, peer, id } = this
    const { crypto, key } = host
    const { payload } = this.#handshake
    this.step(async () => {
      const agreeing = crypto.generateEphemeralKey().then(async (ephemeral) => ({
        ephemeral,
        schedule: await KeySchedule.agree(crypto, ephemeral, payload.ephemeral, host.meshSecret),
      }))
      const [{ ephemeral, schedule }, description] = await Promise.all([agreeing, this.link.description])
      const ours = host.resumable(peer)
      const theirs = payload.resume
      const goesOn = ours && theirs && equalBytes(ours.sessionId, theirs.session_id)
      const offer: AckOffer = {
        ephemeral: ephemeral.publicKey,
        new_challenge: crypto.randomBytes(32),
        version: PROTOCOL.version,
        suite: SUITE,
        fingerprint: description.fingerprint,
        answer: description.data,
        epoch: goesOn ? Math.max(ours.epoch, theirs.epoch) : 1,
        resume: goesOn ? ours.at : undefined,
      }
      const bytes = encodeCbor(offer)
      this.#transcript.add(bytes)
      const proof = await prove(crypto, key, schedule, 'responder', await this.#transcript.hash())
      const ack = await sealFor(host, 'handshake_ack', peer, id, { offer: bytes, ...proof })
      this.#transcript.add(ack)
      if (!this.move('answered')) return
      this.announce(ack)
      await this.#handleHandshakeConfirm(description.fingerprint, {
        schedule,
        sessionId: goesOn ? ours.sessionId : id,
        resumed: goesOn ? { ours: ours.at, theirs: theirs.at } : undefined,
        epoch: offer.epoch,
      })
    })
  }

  async #handleHandshakeConfirm(fingerprint: Bytes, agreed: Agreed): Promise<void> {
    const { host, peer, id } = this
    const link = await this.link.opened
    if (!this.move('opened')) return
    checkBinding(link, fingerprint, this.#handshake.payload.fingerprint)
    const gate = new LinkGate((error) => this.fail(error))
    link.start(gate)
    const frame = await gate.first
    if (!this.move('confirm')) return
    const { schedule, ...terms } = agreed
    try {
      await this.#checkConfirm(frame, schedule)
    } catch (cause) {
      traceReceived(host, peer, undefined, frame, brokeOff(cause))
      throw cause
    }
    traceReceived(host, peer, id, frame)
    this.#transcript.add(frame)
    const hash = await this.#transcript.hash()
    const [sendKeys, receiveKeys] = await Promise.all([
      schedule.trafficKeys('responder', hash),
      schedule.trafficKeys('initiator', hash),
    ])
    if (!this.move('proved')) return
    this.succeeded()
    gate.open(host.onEstablished({ ...terms, peer, initiator: false, sendKeys, receiveKeys, link }))
  }

  async #checkConfirm(frame: Bytes, schedule: KeySchedule): Promise<void> {
    const { crypto } = this.host
    const confirm = await this.#verify(frame)
    if (confirm.type !== 'handshake_confirm' || !equalBytes(confirm.envelope.session_id, this.id)) {
      throw new TsunagiError('INVALID_STATE', 'The first frame on a link does not confirm its handshake.')
    }
    await checkProof(crypto, this.peer, schedule, 'initiator', await this.#transcript.hash(), confirm.payload)
  }
}

/** What can be seen of message 1 without a curve operation and without a connection. */
function checkHandshake(transport: LinkTransport, { envelope, payload }: Verified<'handshake'>): void {
  if (!isUuidV4(envelope.session_id)) throw new TsunagiError('INVALID_FORMAT', 'The id of a handshake is no UUIDv4.')
  if (!payload.versions.includes(PROTOCOL.version) || !payload.suites.includes(SUITE)) {
    throw new TsunagiError('INVALID_VERSION', 'The peer offers no version and suite that this side has.')
  }
  if (!equalBytes(transport.fingerprintOf(payload.offer), payload.fingerprint)) {
    throw new TsunagiError('BINDING_MISMATCH', 'The peer signed for another certificate than its offer states.')
  }
}
