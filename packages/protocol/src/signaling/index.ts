/** The signaling wire for servers and test tools. */
export { isTsunagiError, TsunagiError } from '../errors.ts'
export { PROTOCOL } from '../limits.ts'
export {
  type IceServer,
  SIGNALING_CLOSE,
  SIGNALING_ERRORS,
  SIGNALING_TYPES,
  type SignalingPayload,
  type SignalingType,
} from '../messages.ts'
export { type Bytes, compareBytes, concat, equalBytes, fromUtf8, lengthPrefixed, utf8 } from '../wire/bytes.ts'
export { openOpenFrame, sealOpenFrame } from '../wire/open-frame.ts'
export { decodeSignaling, deriveMesh, encodeSignaling, type SignalingMessage, signalingProof } from './messages.ts'
