/**
 * What a WebAssembly module of a stranger may be here. Its memory is bounded by the worker it runs in; this refuses what
 * would take memory beside it: objects (types other than functions, tags), tables without a bound, several memories, and
 * imports other than those of WASM_INTERFACE.
 */

export const WASM_INTERFACE = {
  module: 'tsunagi',
  functions: ['input_length', 'read_input', 'write_output', 'progress'],
} as const

/** `\0asm` and version 1. */
const HEAD = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
const [TYPES, IMPORTS, TABLES, MEMORIES, LAST_SECTION] = [1, 2, 4, 5, 12]
const FUNCTION_TYPE = 0x60
/** i32, i64, f32, f64, v128, funcref, externref. */
const VALUE_TYPES = new Set([0x7f, 0x7e, 0x7d, 0x7c, 0x7b, 0x70, 0x6f])
/** Entries of a table take some words each. */
const MAX_TABLE = 100_000

/** @throws Error with a sentence for whoever sent it */
export function checkModule(code: Uint8Array): void {
  if (HEAD.some((byte, at) => code[at] !== byte)) throw new Error('This is no WebAssembly module.')
  const reader = new Reader(code, HEAD.length)
  while (reader.at < code.length) {
    const id = reader.number()
    const length = reader.number()
    const end = reader.at + length
    if (id > LAST_SECTION) throw new Error(`The module has a section of kind ${id}, which is not allowed here.`)
    if (id === TYPES) reader.each(() => checkType(reader))
    else if (id === IMPORTS) reader.each(() => checkImport(reader))
    else if (id === TABLES) reader.each(() => checkTable(reader))
    else if (id === MEMORIES && reader.number() > 1) throw new Error('The module has more than one memory.')
    reader.at = end
  }
}

function checkType(reader: Reader): void {
  if (reader.byte() !== FUNCTION_TYPE) throw new Error('The module declares types other than functions.')
  for (const _ of ['parameters', 'results'])
    reader.each(() => {
      if (!VALUE_TYPES.has(reader.byte())) throw new Error('The module uses types that are not allowed here.')
    })
}

function checkImport(reader: Reader): void {
  const [module, name, kind] = [reader.text(), reader.text(), reader.byte()]
  reader.number()
  const known = module === WASM_INTERFACE.module && WASM_INTERFACE.functions.some((known) => known === name)
  if (known && kind === 0) return
  throw new Error(
    `The module imports “${module}.${name}”; there is only ${WASM_INTERFACE.functions.join(', ')} of ${WASM_INTERFACE.module}.`,
  )
}

function checkTable(reader: Reader): void {
  if (!VALUE_TYPES.has(reader.byte()) || reader.number() !== 1)
    throw new Error('The module has a table without a maximum.')
  reader.number()
  if (reader.number() > MAX_TABLE) throw new Error(`The module has a table of more than ${MAX_TABLE} entries.`)
}

/** Reads what the browser will read in the same way, or fails. */
class Reader {
  at: number
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.at = at
  }

  byte(): number {
    const byte = this.#bytes[this.at++]
    if (byte === undefined) throw new Error('The module ends too soon.')
    return byte
  }

  /** Unsigned LEB128, at most 32 bits. */
  number(): number {
    let value = 0
    for (let shift = 0; shift < 5; shift++) {
      const byte = this.byte()
      value += (byte & 0x7f) * 128 ** shift
      if (byte < 0x80) return value
    }
    throw new Error('The module has a number that is too long.')
  }

  text(): string {
    const length = this.number()
    const text = new TextDecoder().decode(this.#bytes.subarray(this.at, this.at + length))
    this.at += length
    return text
  }

  each(read: () => void): void {
    for (let left = this.number(); left > 0; left--) read()
  }
}
