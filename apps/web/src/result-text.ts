/** More of an unknown result is not read here; a download has all of it. */
const MAX_TEXT = 4_000

/** Any value in JSON, with bytes as how many there are, cut where it gets long. */
export function textOf(value: unknown): string {
  const text = jsonOf(value, (bytes) => `${bytes.length} bytes`) ?? 'nothing'
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`
}

/** @param showBytes what stands for bytes, which JSON has not */
export function jsonOf(value: unknown, showBytes: (bytes: Uint8Array) => string): string | undefined {
  return JSON.stringify(
    value,
    (_key, inner) => {
      if (inner instanceof Uint8Array) return showBytes(inner)
      if (inner instanceof Blob) return `a file of ${inner.size} bytes`
      return typeof inner === 'bigint' ? String(inner) : inner
    },
    2,
  )
}

/** A text where the bytes are one that people can read. */
export function readable(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return /[^\P{Cc}\n\r\t]/u.test(text) ? undefined : text
  } catch {
    return undefined
  }
}

type Cell = string | number | boolean | null
export type Row = Readonly<Record<string, Cell>>

const MAX_COLUMNS = 8
export const MAX_ROWS = 200

/** The rows of a table, where the value is a list of flat objects with the same few keys, or one such object. */
export function rowsOf(value: unknown): readonly Row[] | undefined {
  const rows = Array.isArray(value) ? value : [value]
  const [first] = rows
  if (!isRow(first)) return undefined
  const columns = Object.keys(first)
  if (columns.length === 0 || columns.length > MAX_COLUMNS) return undefined
  const fits = rows.every((row) => isRow(row) && Object.keys(row).every((key) => columns.includes(key)))
  return fits ? (rows as Row[]) : undefined
}

function isRow(value: unknown): value is Row {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) return false
  return Object.values(value).every((cell) => cell === null || ['string', 'number', 'boolean'].includes(typeof cell))
}
