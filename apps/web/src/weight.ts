/** Bytes of what travels: exact for bytes and texts, a few for whatever holds them. Bounded in depth as messages are. */
export function weightOf(value: unknown): number {
  if (value instanceof Uint8Array) return value.length
  if (typeof value === 'string') return value.length
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + weightOf(item), 1)
  if (typeof value !== 'object' || value === null) return 8
  return Object.entries(value).reduce((sum, [key, item]) => sum + key.length + weightOf(item), 1)
}
