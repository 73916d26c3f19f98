/**
 * Blobs in inputs and outputs (SPEC R92). A message carries the value with null where each of them stands, and a list of
 * these places; the bytes travel as transfers, whose ids both sides make from the id of the try.
 */
import type { TaskFileInfo } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { PROTOCOL } from '../limits.ts'
import type { TaskFilePlace } from '../messages.ts'
import type { Bytes } from '../wire/bytes.ts'
import { decodeCbor, encodeCbor } from '../wire/cbor.ts'

/** A Blob of a value, and where it stands there. */
export interface FoundBlob {
  readonly at: TaskFilePlace['at']
  readonly blob: Blob
}

/** Stands for a Blob while a value is checked against a schema: the core knows no host's Blob. */
export class BlobMark implements TaskFileInfo {
  readonly size: number
  readonly type: string
  readonly name: string

  constructor({ size, media_type, name }: TaskFilePlace) {
    this.size = size
    this.type = media_type
    this.name = name
  }
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

/** How a message names the places of `blobs`. */
export function placesOf(blobs: readonly FoundBlob[]): TaskFilePlace[] {
  return blobs.map(({ at, blob }) => ({
    at: [...at],
    size: blob.size,
    media_type: blob.type.slice(0, PROTOCOL.maxMediaType),
    name: nameOf(blob).slice(0, PROTOCOL.maxTransferName),
  }))
}

function nameOf(blob: Blob): string {
  const { name } = blob as { name?: unknown }
  return typeof name === 'string' ? name.replace(/\p{Surrogate}/gu, '') : ''
}

/**
 * Puts each of `parts` in its place, which holds null; `value` is changed.
 * @throws TsunagiError INVALID_FORMAT where there is no such place
 */
export function attachTo(value: unknown, places: readonly TaskFilePlace[], parts: readonly unknown[]): unknown {
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

/** A copy of `value` as a schema sees it. @throws as attachTo() */
export function withMarks(value: unknown, places: readonly TaskFilePlace[]): unknown {
  if (places.length === 0) return value
  const marks = places.map((place) => new BlobMark(place))
  return attachTo(decodeCbor(encodeCbor(value)), places, marks)
}

/** Bytes of all files. */
export function sizeOf(places: readonly TaskFilePlace[]): number {
  return places.reduce((sum, { size }) => sum + size, 0)
}

export type FileSide = 'input' | 'output'

/** In the last two bytes of a task id: which file of it. Outputs count from here, so that one transfer each way has the id. */
const FIRST_OUTPUT = 0x8000
const INDEX_AT = 14

/** The id of the transfer of a file of the task that has `taskId` at its executor. */
export function transferIdOf(taskId: Uint8Array, side: FileSide, index: number): Bytes {
  const id = new Uint8Array(taskId)
  new DataView(id.buffer).setUint16(INDEX_AT, side === 'output' ? FIRST_OUTPUT + index : index)
  return id
}

/** Which file of the task a transfer is; undefined where it is none. */
export function fileIndexOf(taskId: Uint8Array, side: FileSide, transferId: Uint8Array): number | undefined {
  for (let index = 0; index < PROTOCOL.maxTaskFiles; index++) {
    if (transferIdOf(taskId, side, index).every((byte, n) => byte === transferId[n])) return index
  }
  return undefined
}
