/** Pictures among bytes of strangers: known by how they begin, and no larger to show than this page can take. */

export interface PictureFile {
  readonly type: 'image/png' | 'image/gif' | 'image/jpeg' | 'image/webp'
  readonly extension: string
}

/** Pixels; a decoded one takes four bytes. A few hundred bytes can claim a picture of gigabytes. */
const MAX_PIXELS = 4_096 * 4_096

/** Undefined where the bytes are no picture of a kind that is shown here, or one that is too large to show. */
export function pictureIn(bytes: Uint8Array): PictureFile | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const begins = (text: string, at = 0) => [...text].every((char, i) => bytes[at + i] === char.charCodeAt(0))
  const fits = (width: number, height: number) => width > 0 && height > 0 && width * height <= MAX_PIXELS
  if (begins('\x89PNG\r\n\x1a\n') && bytes.length > 24)
    return fits(view.getUint32(16), view.getUint32(20)) ? { type: 'image/png', extension: 'png' } : undefined
  if (begins('GIF8') && bytes.length > 10)
    return fits(view.getUint16(6, true), view.getUint16(8, true)) ? { type: 'image/gif', extension: 'gif' } : undefined
  if (begins('\xff\xd8\xff')) return fits(...jpegSize(view)) ? { type: 'image/jpeg', extension: 'jpg' } : undefined
  if (begins('RIFF') && begins('WEBPVP8', 8) && bytes.length > 30)
    return fits(...webpSize(view)) ? { type: 'image/webp', extension: 'webp' } : undefined
  return undefined
}

function jpegSize(view: DataView): [number, number] {
  let at = 2
  while (at + 9 < view.byteLength && view.getUint8(at) === 0xff) {
    const marker = view.getUint8(at + 1)
    // Start of frame, all kinds; among their numbers are three that mean something else.
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
      return [view.getUint16(at + 7), view.getUint16(at + 5)]
    at += 2 + view.getUint16(at + 2)
  }
  return [0, 0]
}

function webpSize(view: DataView): [number, number] {
  const kind = view.getUint8(15)
  // VP8X, VP8L and VP8 with a space, in turn.
  if (kind === 0x58) return [1 + (view.getUint32(24, true) & 0xff_ffff), 1 + (view.getUint32(26, true) >>> 8)]
  if (kind === 0x4c) {
    const bits = view.getUint32(21, true)
    return [1 + (bits & 0x3fff), 1 + ((bits >>> 14) & 0x3fff)]
  }
  return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff]
}
