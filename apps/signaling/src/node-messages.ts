/**
 * What nodes tell each other through Redis. On a mesh's channel, as JSON, who is in it; on a node's own channel, as bytes,
 * what is relayed to its peers, and mail for them. Redis is the operator's: whoever may write there is trusted as the nodes are.
 */
import { type Bytes, concat } from '@tsunagi/protocol/signaling'

/** Keys and records in base64. */
export type MeshNews =
  | {
      readonly news: 'joined'
      readonly node: string
      readonly key: string
      readonly presence: string
      /** Counts the joins of a node, so that it knows its own message again. */
      readonly turn: number
      /** Members at other nodes that the newcomer was shown, and which are to be told of it. */
      readonly to: readonly string[]
    }
  | { readonly news: 'left'; readonly node: string; readonly key: string }
  | { readonly news: 'announced'; readonly node: string; readonly key: string; readonly tags: readonly string[] }
  /** This node came back, and who is at it is to be read again. */
  | { readonly news: 'back'; readonly node: string }

/** A member as its node keeps it in Redis. */
export interface MemberRecord {
  readonly presence: string
  readonly tags: readonly string[]
}

export const toText = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')
export const toBytes = (text: string): Bytes => new Uint8Array(Buffer.from(text, 'base64'))

export interface NodeMail {
  /**
   * `undelivered`: the addressee of a relay is not at the node it was sent to; goes back to its sender's. `wake_up`: the
   * payload is its id(16) and what was sealed.
   */
  readonly kind: 'relay' | 'undelivered' | 'wake_up'
  readonly from: string
  readonly meshId: Bytes
  readonly sender: Bytes
  readonly addressee: Bytes
  readonly payload: Bytes
}

const KINDS = ['relay', 'undelivered', 'wake_up'] as const
/** Of a node's name: 16 characters. */
const NODE_END = 17
const HEADER = NODE_END + 3 * 32

/** `kind(1) ‖ node(16) ‖ mesh(32) ‖ sender(32) ‖ addressee(32) ‖ payload` */
export function encodeMail({ kind, from, meshId, sender, addressee, payload }: NodeMail): Buffer {
  const head = new Uint8Array([KINDS.indexOf(kind)])
  const bytes = concat(head, new Uint8Array(Buffer.from(from, 'latin1')), meshId, sender, addressee, payload)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** Undefined for what no node of this version sends. */
export function decodeMail(mail: Buffer<ArrayBuffer>): NodeMail | undefined {
  const kind = KINDS[mail[0] ?? KINDS.length]
  if (kind === undefined || mail.length < HEADER) return undefined
  const field = (index: number) => mail.subarray(NODE_END + 32 * index, NODE_END + 32 * (index + 1))
  return {
    kind,
    from: mail.toString('latin1', 1, NODE_END),
    meshId: field(0),
    sender: field(1),
    addressee: field(2),
    payload: mail.subarray(HEADER),
  }
}
