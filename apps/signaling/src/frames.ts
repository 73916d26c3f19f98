/**
 * WebSocket frames to a peer: in one piece, not masked, not compressed (RFC 6455 §5.2). ws writes the head of a frame and
 * what is in it as two buffers; as one, a relay takes less of the processor.
 */
export const BINARY = 0x82
export const PONG = 0x8a
/** Lengths from here on are written in two bytes, and from LONG on in eight. */
const MEDIUM = 126
const LONG = 65_536

/**
 * A frame whose last `length` bytes are to be filled in.
 * @param mayWait for a slow reader: then it has memory of its own. Else it has a part of a larger piece, which costs less, and
 * which it keeps alive as a whole.
 */
export function openFrame(length: number, mayWait: boolean, kind = BINARY): Buffer<ArrayBuffer> {
  const size = headSize(length) + length
  const frame = mayWait ? Buffer.allocUnsafeSlow(size) : Buffer.allocUnsafe(size)
  frame[0] = kind
  if (length < MEDIUM) frame[1] = length
  else if (length < LONG) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeUInt32BE(0, 2)
    frame.writeUInt32BE(length, 6)
  }
  return frame
}

/** The frame of a message. It may wait. */
export function frameOf(message: Uint8Array, kind = BINARY): Buffer<ArrayBuffer> {
  const frame = openFrame(message.length, true, kind)
  frame.set(message, headSize(message.length))
  return frame
}

function headSize(length: number): number {
  if (length < MEDIUM) return 2
  return length < LONG ? 4 : 10
}
