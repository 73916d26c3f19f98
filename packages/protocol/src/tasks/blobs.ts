/** Takes Blobs out of a value, and puts them in again (SPEC R92). */
import { TsunagiError } from '../errors.ts'
import { PROTOCOL } from '../limits.ts'
import type { TaskFilePlace } from '../messages.ts'

/** A Blob of a value, and where it stands there. */
export interface FoundBlob {
  readonly at: TaskFilePlace['at']
  readonly blob: Blob
}

/** Every host's Blob and File say so. */
export function isBlob(value: unknown): value is Blob {
  return typeof value === 'object' && value !== null && /^\[object (Blob|File)\]$/.test(nameOfClass.call(value))
}
const nameOfClass = Object.prototype.toString

/** The value with null for each Blob, and those; the value itself where it holds none. @throws whatever reading it throws */
export function detachBlobs(value: unknown): { readonly value: unknown; readonly blobs: readonly FoundBlob[] } {
  if (!holdsBlob(value, 0)) return { value, blobs: [] }
  const blobs: FoundBlob[] = []
  return { value: detached(value, [], blobs), blobs }
}

/** Deeper than a message may nest nothing is looked for: the encoder refuses it, and a cycle ends. */
function holdsBlob(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return false
  if (isBlob(value)) return true
  return depth < PROTOCOL.maxDepth && Object.values(value).some((inner) => holdsBlob(inner, depth + 1))
}

function detached(value: unknown, at: readonly (string | number)[], blobs: FoundBlob[]): unknown {
  if (!holdsBlob(value, at.length)) return value
  if (isBlob(value)) {
    blobs.push({ at: [...at], blob: value })
    return null
  }
  if (Array.isArray(value)) return value.map((inner, n) => detached(inner, [...at, n], blobs))
  return Object.fromEntries(
    Object.entries(value as object).map(([key, inner]) => [key, detached(inner, [...at, key], blobs)]),
  )
}

/**
 * Puts each of `parts` in its place, which holds null; `value` is changed.
 * @throws TsunagiError INVALID_FORMAT where there is no such place
 */
export function attachTo(
  value: unknown,
  places: readonly Pick<TaskFilePlace, 'at'>[],
  parts: readonly unknown[],
): unknown {
  const root = { value }
  for (const [n, { at }] of places.entries()) {
    const path = ['value', ...at]
    let parent: object = root
    for (const key of path.slice(0, -1)) parent = Object(own(parent, key))
    const last = path.at(-1) ?? ''
    if (own(parent, last) !== null) throw new TsunagiError('INVALID_FORMAT', NO_PLACE)
    ;(parent as Record<string | number, unknown>)[last] = parts[n]
  }
  return root.value
}

const NO_PLACE = 'The message names a place for a Blob where its value has none.'

function own(parent: object, key: string | number): unknown {
  return Object.hasOwn(parent, key) ? (parent as Record<string | number, unknown>)[key] : undefined
}
