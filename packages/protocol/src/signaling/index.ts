/** The signaling wire, for servers and test tools, and the peer's side of it. */
export { isTsunagiError, TsunagiError } from '../errors.ts'
export { fingerprintOf, peerIdOf } from '../identity/peer-id.ts'
export { PROTOCOL } from '../limits.ts'
export {
  type IceServer,
  SIGNALING_CLOSE,
  SIGNALING_ERRORS,
  SIGNALING_TYPES,
  type SignalingPayload,
  type SignalingType,
} from '../messages.ts'
export type { Clock, CryptoProvider, OpenSocket, SigningKey } from '../ports.ts'
export { type Bytes, compareBytes, concat, equalBytes, fromUtf8, lengthPrefixed, utf8 } from '../wire/bytes.ts'
export { openOpenFrame, sealOpenFrame, type VerifiedOpen } from '../wire/open-frame.ts'
export { capabilityTag } from './capability-tag.ts'
export { SignalingClient, type SignalingClientOptions, type SignalingRefusals } from './client.ts'
export { closeReason } from './close-reason.ts'
export type { IntroductionKeys } from './introductions.ts'
export {
  decodeSignaling,
  deriveMesh,
  encodeSignaling,
  type MeshKeys,
  RELAY_HEAD,
  type SignalingMessage,
  signalingProof,
} from './messages.ts'
