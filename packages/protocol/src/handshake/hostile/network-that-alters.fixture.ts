import { OPEN_TYPES, type OpenType } from '../../messages.ts'
import type { Bytes } from '../../wire/bytes.ts'
import type { Lab } from '../lab.fixture.ts'

/** Flips bits in one place of every message of a type, whether it passes the server or the link. */
export function alter(lab: Lab, type: OpenType, place: number, bits: number): void {
  const altered = (bytes: Bytes): Bytes => {
    const copy = bytes.slice()
    const at = place % copy.length
    copy[at] = (copy[at] ?? 0) ^ bits
    return copy
  }
  lab.server = (mail) => lab.deliver(mail, mail.type === type ? { frame: altered(mail.frame) } : {})
  lab.onLinkFrame = (frame, deliver) => deliver(frame[0] === OPEN_TYPES[type] ? altered(frame) : frame)
}
