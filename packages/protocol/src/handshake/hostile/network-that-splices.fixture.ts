import { OPEN_TYPES } from '../../messages.ts'
import type { Bytes } from '../../wire/bytes.ts'
import type { Lab, Mail } from '../lab.fixture.ts'

/** Withholds message 2 or 3 of one handshake, fresh as it is, and puts it into the place of the next handshake's. */
export function splice(lab: Lab, what: 'handshake_ack' | 'handshake_confirm'): void {
  let ack: Mail | undefined
  let confirm: Bytes | undefined
  lab.server = (mail) => {
    if (mail.type !== what) lab.deliver(mail)
    else if (ack) lab.deliver(ack)
    else ack = mail
  }
  lab.onLinkFrame = (frame, deliver) => {
    if (frame[0] !== OPEN_TYPES[what]) deliver(frame)
    else if (confirm) deliver(confirm)
    else confirm = frame
  }
}
