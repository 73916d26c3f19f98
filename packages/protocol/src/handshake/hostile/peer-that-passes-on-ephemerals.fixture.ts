import type { OpenPayload } from '../../messages.ts'
import type { CryptoProvider } from '../../ports.ts'
import { type Bytes, equalBytes, lengthPrefixed, utf8 } from '../../wire/bytes.ts'
import { openOpenFrame, sealOpenFrame, type Verified } from '../../wire/open-frame.ts'
import type { Lab, LabPeer, Mail } from '../lab.fixture.ts'
import { Transcript } from '../transcript.ts'

/**
 * Unknown key share: the victim shakes hands with this peer, which signs as itself but sends the victim's ephemeral key
 * on to a third and the third's back. Were identities not in the keys, the victim and the third would share keys and
 * each take the other for this peer.
 */
export class PassingPeer {
  readonly #lab: Lab
  readonly #crypto: CryptoProvider
  readonly #self: LabPeer
  readonly #victim: LabPeer
  readonly #third: LabPeer
  #begun: Verified<'handshake'> | undefined

  constructor(lab: Lab, self: LabPeer, victim: LabPeer, third: LabPeer) {
    this.#lab = lab
    this.#crypto = lab.crypto
    this.#self = self
    this.#victim = victim
    this.#third = third
    lab.server = (mail) => {
      if (!equalBytes(mail.to, self.id)) return lab.deliver(mail)
      return mail.from === victim ? this.#passOn(mail) : this.#passBack(mail)
    }
  }

  async #passOn(mail: Mail): Promise<void> {
    const handshake = await openOpenFrame(this.#crypto, mail.frame, this.#self.id)
    if (handshake.type !== 'handshake') return
    this.#begun = handshake
    const frame = await this.#seal('handshake', this.#third, handshake.envelope.session_id, handshake.payload)
    this.#lab.deliver({ ...mail, from: this.#self, to: this.#third.id, frame })
  }

  async #passBack(mail: Mail): Promise<void> {
    const ack = await openOpenFrame(this.#crypto, mail.frame, this.#self.id)
    if (ack.type !== 'handshake_ack' || !this.#begun) return
    const transcript = new Transcript(this.#crypto, this.#victim.id, this.#self.id, this.#begun.frame)
    transcript.add(ack.payload.offer)
    const domain = utf8('tsunagi/1.1/challenge-response')
    const signed = lengthPrefixed(domain, utf8('responder'), await transcript.hash())
    const payload = { ...ack.payload, challenge_response: await this.#self.key.sign(signed) }
    const frame = await this.#seal('handshake_ack', this.#victim, ack.envelope.session_id, payload)
    this.#lab.deliver({ ...mail, from: this.#self, to: this.#victim.id, frame })
  }

  #seal<T extends 'handshake' | 'handshake_ack'>(
    type: T,
    to: LabPeer,
    session: Bytes,
    payload: OpenPayload<T>,
  ): Promise<Bytes> {
    const timestamp = this.#lab.clock.now()
    return sealOpenFrame(this.#crypto, this.#self.key, { type, recipient: to.id, session, timestamp, payload })
  }
}
