/**
 * Blobs in inputs and outputs (SPEC R92). A message carries the value with null where each of them stands, and a list of
 * these places; the bytes travel as transfers, whose ids both sides make from the id of the try.
 */
import type { TaskFileInfo } from '../api.ts'
import { PROTOCOL } from '../limits.ts'
import type { TaskFilePlace } from '../messages.ts'
import type { Bytes } from '../wire/bytes.ts'
import { decodeCbor, encodeCbor } from '../wire/cbor.ts'
import { attachTo, type FoundBlob } from './blobs.ts'

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
