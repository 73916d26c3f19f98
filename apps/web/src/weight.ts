/** Bytes that a value holds here: exact for bytes and texts, a few for whatever holds them. A Blob holds none: it is on disk. */
export function weightOf(value: unknown): number {
  if (value instanceof Uint8Array) return value.length
  if (value instanceof Blob) return 0
  if (typeof value === 'string') return value.length
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + weightOf(item), 1)
  if (typeof value !== 'object' || value === null) return 8
  return Object.entries(value).reduce((sum, [key, item]) => sum + key.length + weightOf(item), 1)
}

/** Bytes of all Blobs in a value. */
export function fileBytesOf(value: unknown): number {
  if (value instanceof Blob) return value.size
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 0
  return Object.values(value).reduce((sum: number, item) => sum + fileBytesOf(item), 0)
}
