/** What the handshake is given by the peer it works for, and how it uses it. */
import { type TsunagiError, toTsunagiError } from '../errors.ts'
import type { LinkEvents, LinkTransport } from '../links/link.ts'
import type { IceServer, LinkKind, OpenPayload, OpenType } from '../messages.ts'
import type { Clock, CryptoProvider, SigningKey } from '../ports.ts'
import type { Bytes } from '../wire/bytes.ts'
import { openFrameType, sealOpenFrame, type Verified } from '../wire/open-frame.ts'
import type { Channel, Resumption } from './channel.ts'

/** One open frame, for people to look at. */
export interface OpenFrameTrace {
  readonly direction: 'out' | 'in'
  /** Incoming: the sender that the server or the link names, whether or not the frame proved it. */
  readonly peer: Bytes
  readonly type: OpenType | undefined
  /** The handshake the frame belongs to; undefined where it was not verified. */
  readonly session: Bytes | undefined
  readonly size: number
  /** Why an incoming frame was refused; undefined where it was taken. */
  readonly refused: TsunagiError | undefined
}

/** Nothing here may throw, unless it says so. */
export interface HandshakeHost {
  readonly clock: Clock
  readonly crypto: CryptoProvider
  /** This peer's identity. */
  readonly key: SigningKey
  /** 32 bytes, or empty where the mesh has none. */
  readonly meshSecret: Bytes
  /** What makes links of that kind to that peer; undefined where this side has none. */
  transport(kind: LinkKind, peer: Bytes): LinkTransport | undefined
  iceServers(): readonly IceServer[]
  /** Milliseconds since 1970 by this clock, corrected by the server's. */
  serverNow(): number
  /** Takes messages 1 and 2, candidates and errors to a peer without a session; they should arrive in this order. */
  sendOpen(peer: Bytes, frame: Bytes): void
  /** What there is to go on with at this moment. */
  resumable(peer: Bytes): Resumption | undefined
  /** Called once for a handshake that succeeds; the link's events go to what it returns, also those from before. */
  onEstablished(channel: Channel): LinkEvents
  /** Called once for a handshake that fails, whichever side began it; not for one that gives way to another, nor after close(). */
  onFailed(peer: Bytes, kind: LinkKind, error: TsunagiError): void
  /** Frames of the peer whose signature was verified. Both throw a TsunagiError where the frame has no effect. */
  onWakeUp?(wakeUp: Verified<'wake_up'>, how: 'relay' | 'mail'): void
  onWakeUpAck?(ack: Verified<'wake_up_ack'>): void
  /** Called for each open frame sent, taken or refused. */
  onOpenFrame?(trace: OpenFrameTrace): void
}

/** @param session the id of the handshake */
export function sealFor<T extends OpenType>(
  host: HandshakeHost,
  type: T,
  recipient: Bytes,
  session: Bytes,
  payload: OpenPayload<T>,
): Promise<Bytes> {
  const timestamp = Math.round(host.serverNow())
  return sealOpenFrame(host.crypto, host.key, { type, recipient, session, timestamp, payload })
}

export function traceSent(host: HandshakeHost, peer: Bytes, session: Bytes, frame: Bytes): void {
  const type = openFrameType(frame)
  host.onOpenFrame?.({ direction: 'out', peer, type, session, size: frame.length, refused: undefined })
}

export function traceReceived(
  host: HandshakeHost,
  peer: Bytes,
  session: Bytes | undefined,
  frame: Bytes,
  refused?: TsunagiError,
): void {
  host.onOpenFrame?.({ direction: 'in', peer, type: openFrameType(frame), session, size: frame.length, refused })
}

/** What is thrown by a part that should not throw, such as the provider of cryptography. */
export function brokeOff(cause: unknown): TsunagiError {
  return toTsunagiError(cause, 'INVALID_STATE', 'The handshake broke off by a fault on this side.')
}
