import { PROTOCOL } from '../../limits.ts'
import type { AckOffer } from '../../messages.ts'
import { type Bytes, equalBytes } from '../../wire/bytes.ts'
import { encodeCbor } from '../../wire/cbor.ts'
import { openOpenFrame, sealOpenFrame } from '../../wire/open-frame.ts'
import { KeySchedule, SUITE } from '../key-schedule.ts'
import type { Lab, LabPeer, Mail } from '../lab.fixture.ts'
import { prove } from '../proof.ts'
import { Transcript } from '../transcript.ts'

/** Answers each handshake with all proofs in order, and with terms of its own. */
export function answerOtherwise(lab: Lab, self: LabPeer, terms: Partial<AckOffer>): void {
  lab.server = (mail) => {
    if (equalBytes(mail.to, self.id) && mail.type === 'handshake') return answer(lab, self, mail, terms)
    return lab.deliver(mail)
  }
}

async function answer(lab: Lab, self: LabPeer, mail: Mail, terms: Partial<AckOffer>): Promise<void> {
  const { crypto } = lab
  const handshake = await openOpenFrame(crypto, mail.frame, self.id)
  if (handshake.type !== 'handshake') return
  const peer = handshake.envelope.sender_id
  const ephemeral = await crypto.generateEphemeralKey()
  const link = lab.net.transport(self.name).answer(handshake.payload.offer, () => undefined, [])
  const description = await link.description
  const offer = encodeCbor({
    ephemeral: ephemeral.publicKey,
    new_challenge: crypto.randomBytes(32),
    version: PROTOCOL.version,
    suite: SUITE,
    fingerprint: description.fingerprint,
    answer: description.data,
    epoch: 1,
    ...terms,
  } satisfies AckOffer)
  const transcript = new Transcript(crypto, peer, self.id, handshake.frame)
  transcript.add(offer)
  const noSecret: Bytes = new Uint8Array()
  const schedule = await KeySchedule.agree(crypto, ephemeral, handshake.payload.ephemeral, noSecret)
  const proof = await prove(crypto, self.key, schedule, 'responder', await transcript.hash())
  const frame = await sealOpenFrame(crypto, self.key, {
    type: 'handshake_ack',
    recipient: peer,
    session: handshake.envelope.session_id,
    timestamp: lab.clock.now(),
    payload: { offer, ...proof },
  })
  lab.deliver({ ...mail, from: self, to: peer, frame })
  lab.clock.after(1, () => link.abort())
}
