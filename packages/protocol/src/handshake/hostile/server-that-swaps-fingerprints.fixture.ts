import type { Bytes } from '../../wire/bytes.ts'
import type { Lab } from '../lab.fixture.ts'

/** Puts the fingerprint of its own certificate in place of every one that passes, to stand in the middle of the link. */
export function swapFingerprints(lab: Lab, fingerprints: readonly Bytes[], own: Bytes): void {
  lab.server = (mail) => {
    const frame = mail.frame.slice()
    for (const fingerprint of fingerprints) replaceAll(frame, fingerprint, own)
    lab.deliver(mail, { frame })
  }
}

function replaceAll(frame: Bytes, from: Bytes, to: Bytes): void {
  for (let at = 0; at + from.length <= frame.length; at++) {
    if (from.every((byte, i) => frame[at + i] === byte)) frame.set(to, at)
  }
}
