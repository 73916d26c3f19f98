import { expect, test } from 'vitest'
import { boundMemories } from './wasm-memory.ts'

const HEAD = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
/** A type section with the type of a function that takes and gives nothing. */
const TYPES = [1, 4, 1, 0x60, 0, 0]
/** Exports memory 0 as "m". */
const EXPORTS = [7, 5, 1, 1, 0x6d, 2, 0]

/** A module with one memory, which it exports. */
const moduleWith = (...memory: number[]) =>
  new Uint8Array([...HEAD, ...TYPES, 5, memory.length + 1, 1, ...memory, ...EXPORTS])

async function memoryOf(module: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Memory> {
  const { instance } = await WebAssembly.instantiate(module)
  return instance.exports['m'] as WebAssembly.Memory
}

test.each([
  ['no maximum', [0, 1]],
  ['a larger maximum', [1, 1, 0x80, 0x80, 0x04]],
  ['a maximum in more bytes than it takes', [1, 1, 0xff, 0x80, 0x00]],
])('a memory of %s grows to the bound and no further', async (_, memory) => {
  const grown = await memoryOf(boundMemories(moduleWith(...memory), 3))
  expect(grown.grow(2)).toBe(1)
  expect(() => grown.grow(1)).toThrow(RangeError)
})

test('a smaller maximum stays', async () => {
  const memory = await memoryOf(boundMemories(moduleWith(1, 1, 2), 3))
  memory.grow(1)
  expect(() => memory.grow(1)).toThrow(RangeError)
})

test('a module that needs more than the bound to begin with does not compile', async () => {
  await expect(memoryOf(boundMemories(moduleWith(0, 4), 3))).rejects.toThrow(WebAssembly.CompileError)
})

test('a module without a memory is left as it is', () => {
  const module = new Uint8Array([...HEAD, ...TYPES])
  expect(boundMemories(module, 3)).toEqual(module)
})

test.each([
  ['flags of another kind', moduleWith(16, 1)],
  ['a section that ends too soon', new Uint8Array([...HEAD, 5, 1, 1])],
  ['a section that is longer than its memories', new Uint8Array([...HEAD, 5, 4, 1, 0, 1, 0])],
  ['a number without end', new Uint8Array([...HEAD, 5, 9, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1])],
])('what would be read otherwise than by the browser is refused: %s', (_, module) => {
  expect(() => boundMemories(module, 3)).toThrow(RangeError)
})
