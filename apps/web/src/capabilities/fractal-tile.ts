import type { CapabilityDescription } from '@tsunagi/protocol'
import { workerHandler } from '@tsunagi/protocol/browser'
import type { TilePicture } from './fractal-tile.worker.ts'
import FractalTileWorker from './fractal-tile.worker.ts?worker&inline'

export type { TilePicture }

/** Pixels a side: one tile, a byte a pixel, stays well below the largest message. */
export const MAX_SIDE = 2_048
/** Beyond this a tile of the largest size would keep an executor busy for minutes. */
export const MAX_ITERATIONS = 20_000

const side = { type: 'integer', minimum: 1, maximum: MAX_SIDE }
const offset = { type: 'integer', minimum: 0, maximum: MAX_SIDE - 1 }
const coordinate = { type: 'number', minimum: -4, maximum: 4 }

export const fractalTile: CapabilityDescription = {
  name: 'fractal.tile',
  version: '1.1',
  description: 'Picture of a part of the Mandelbrot set',
  input: {
    type: 'object',
    properties: {
      cx: coordinate,
      cy: coordinate,
      scale: { type: 'number', exclusiveMinimum: 0, maximum: 8 },
      width: side,
      height: side,
      iterations: { type: 'integer', minimum: 1, maximum: MAX_ITERATIONS },
      part: {
        type: 'object',
        properties: { left: offset, top: offset, width: side, height: side },
        required: ['left', 'top', 'width', 'height'],
        additionalProperties: false,
      },
    },
    required: ['cx', 'cy', 'scale', 'width', 'height', 'iterations'],
    additionalProperties: false,
  },
  output: {
    type: 'object',
    properties: {
      width: side,
      height: side,
      pixels: { type: 'string', contentEncoding: 'binary', maxLength: MAX_SIDE ** 2 },
    },
    required: ['width', 'height', 'pixels'],
    additionalProperties: false,
  },
}

/** The worker's code comes with the page: sessions outlast the server, and so must the work. */
export const drawTile = workerHandler(() => new FractalTileWorker())

/** Another peer made it: a picture is only what fits its own words. */
export function isTilePicture(value: unknown): value is TilePicture {
  const { width, height, pixels } = (value ?? {}) as Record<string, unknown>
  const fits = (length: unknown): length is number =>
    typeof length === 'number' && Number.isInteger(length) && length >= 1 && length <= MAX_SIDE
  return fits(width) && fits(height) && pixels instanceof Uint8Array && pixels.length === width * height
}
