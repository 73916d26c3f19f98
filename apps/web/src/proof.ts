import type { TraceEntry } from '@tsunagi/protocol'

/** Why a message was believed (`held`), or why it was not. */
export interface Proof {
  readonly held: boolean
  readonly claims: readonly string[]
}

/** What the protocol checked of a message before anybody saw it, in words. */
export function proofOf(message: TraceEntry): Proof {
  const { direction, epoch, counter, sequence, refused, verified } = message
  if (!verified) return { held: false, claims: [refused ?? 'It was refused and not delivered.'] }
  const open = sequence === 0
  if (direction === 'out') {
    return {
      held: true,
      claims: open
        ? ['Signed with the Ed25519 key of this tab.', 'Sealed for its recipient alone where the server carried it.']
        : [
            'Signed with the Ed25519 key of this tab, together with session, direction and epoch.',
            `Encrypted with the key of epoch ${epoch} for this direction (AES-256-GCM), counter ${counter}.`,
          ],
    }
  }
  return {
    held: true,
    claims: open
      ? [
          'The signature is valid under the Ed25519 key that is the sender’s id.',
          'It names this tab as its recipient, its time is right, and its nonce was not seen before.',
        ]
      : [
          `It decrypts with the key of epoch ${epoch} for this direction (AES-256-GCM).`,
          'The signature is valid under the Ed25519 key that is the sender’s id, and covers session, direction and epoch.',
          `Counter ${counter} was not used before, and number ${sequence} is the one that was due.`,
        ],
  }
}
