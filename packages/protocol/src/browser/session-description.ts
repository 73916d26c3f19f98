import { TsunagiError } from '../errors.ts'
import { type Bytes, fromUtf8 } from '../wire/bytes.ts'

/** More candidates of one peer than any machine has interfaces would only cost connectivity checks. */
export const MOST_CANDIDATES = 64
/** What the handshake carries of an offer or answer; a data channel's SDP has 1 to 3 KiB. */
const MOST_BYTES = 16_384
const PRINTABLE_LINES = /^v=0\r?\n(?:[ -~]*\r?\n)*[ -~]*$/
/** As generously as any browser might read them, of lines without another blank than the space. */
const MEDIA = /^ *m *=.*/gim
const CANDIDATE = /^ *a *= *candidate/gim
const ANY_FINGERPRINT = /^ *a *= *fingerprint.*/gim
const FINGERPRINT = /^a=fingerprint:sha-256 ([0-9a-f]{2}(?::[0-9a-f]{2}){31})$/i

export interface SessionDescription {
  readonly sdp: string
  /** SHA-256 of the certificate that the sender will show, 32 bytes. */
  readonly fingerprint: Bytes
}

/**
 * Reads another peer's SDP (RFC 8866, RFC 8841, RFC 8122) as strictly as its fingerprint needs: printable lines, one data channel
 * and no media, one fingerprint and only SHA-256. So no browser finds a line in it that was not looked at here.
 * @throws TsunagiError INVALID_FORMAT
 */
export function readSessionDescription(data: Bytes): SessionDescription {
  if (data.length > MOST_BYTES) throw refused(`has more than ${MOST_BYTES} bytes`)
  const sdp = readText(data)
  if (!PRINTABLE_LINES.test(sdp)) throw refused('is no SDP')
  const media = linesOf(sdp, MEDIA)
  if (media.length !== 1 || !media[0]?.startsWith('m=application ')) throw refused('is not for one data channel alone')
  if (linesOf(sdp, CANDIDATE).length > MOST_CANDIDATES) throw refused(`has more than ${MOST_CANDIDATES} candidates`)
  const prints = linesOf(sdp, ANY_FINGERPRINT).map((line) => FINGERPRINT.exec(line)?.[1]?.toLowerCase())
  const [print, ...others] = new Set(prints)
  if (!print || others.length > 0) throw refused('does not have exactly one fingerprint, by SHA-256')
  return { sdp, fingerprint: Uint8Array.from(print.split(':'), (hex) => Number.parseInt(hex, 16)) }
}

function linesOf(sdp: string, form: RegExp): readonly string[] {
  return sdp.match(form) ?? []
}

function readText(data: Bytes): string {
  try {
    return fromUtf8(data)
  } catch (cause) {
    throw refused('is not UTF-8', cause)
  }
}

function refused(why: string, cause?: unknown): TsunagiError {
  return new TsunagiError('INVALID_FORMAT', `The peer's description of its connection ${why}.`, { cause })
}
