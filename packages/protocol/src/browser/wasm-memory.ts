/** Bounds the memory of WebAssembly in a worker (SPEC R91): the one kind that can be bounded exactly, and that a stranger's code has. */

/** Bytes of a page of WebAssembly memory. */
const PAGE = 65_536
/** `\0asm` and the version. */
const HEAD_LENGTH = 8
const MEMORY_SECTION = 5
/** Of a memory's flags: it has a maximum; and all that are known. */
const HAS_MAXIMUM = 1
const KNOWN_FLAGS = 0b1111
const HAS_PAGE_SIZE = 0b1000

/**
 * From now on no WebAssembly memory that is made in this realm grows beyond `limit` bytes, whether made by JavaScript or
 * declared by a module: a growth beyond it fails there, as it does where a machine has no more.
 */
export function limitWasmMemory(limit: number): void {
  const pages = Math.floor(limit / PAGE)
  const { Memory, Module, compile, instantiate } = WebAssembly
  const bounded = (code: BufferSource) => boundMemories(bytesOf(code), pages)
  const fetched = async (response: Response | PromiseLike<Response>) => bounded(await (await response).arrayBuffer())
  Object.assign(WebAssembly, {
    Memory: class extends Memory {
      constructor(descriptor: WebAssembly.MemoryDescriptor) {
        super({ ...descriptor, maximum: Math.min(descriptor.maximum ?? pages, pages) })
      }
    },
    Module: class extends Module {
      constructor(code: BufferSource) {
        super(bounded(code))
      }
    },
    compile: async (code: BufferSource) => compile(bounded(code)),
    compileStreaming: async (response: Response | PromiseLike<Response>) => compile(await fetched(response)),
    instantiate: async (code: BufferSource | WebAssembly.Module, imports?: WebAssembly.Imports) =>
      code instanceof Module ? instantiate(code, imports) : instantiate(bounded(code), imports),
    instantiateStreaming: async (response: Response | PromiseLike<Response>, imports?: WebAssembly.Imports) =>
      instantiate(await fetched(response), imports),
  })
}

/**
 * The module with every memory that it declares bounded to `pages`.
 * @throws RangeError where its memories cannot be read
 */
export function boundMemories(code: Uint8Array<ArrayBuffer>, pages: number): Uint8Array<ArrayBuffer> {
  const reader = new Reader(code, HEAD_LENGTH)
  while (reader.at < code.length) {
    const start = reader.at
    const id = reader.number()
    const length = reader.number()
    const end = reader.at + length
    if (id !== MEMORY_SECTION) {
      reader.at = end
      continue
    }
    const memories: number[] = []
    const count = reader.number()
    for (let n = 0; n < count; n++) memories.push(...boundedMemory(reader, pages))
    if (reader.at !== end) throw unreadable()
    const content = [...written(count), ...memories]
    const section = [MEMORY_SECTION, ...written(content.length), ...content]
    const module = new Uint8Array(start + section.length + code.length - end)
    module.set(code.subarray(0, start))
    module.set(section, start)
    module.set(code.subarray(end), start + section.length)
    return module
  }
  return code
}

function boundedMemory(reader: Reader, pages: number): number[] {
  const flags = reader.number()
  if (flags > KNOWN_FLAGS) throw unreadable()
  const least = reader.number()
  const most = flags & HAS_MAXIMUM ? reader.number() : pages
  // A page is never larger than the usual one.
  const pageSize = flags & HAS_PAGE_SIZE ? written(reader.number()) : []
  return [...written(flags | HAS_MAXIMUM), ...written(least), ...written(Math.min(most, pages)), ...pageSize]
}

/** Reads unsigned LEB128 numbers. */
class Reader {
  at: number
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.at = at
  }

  number(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.at++]
      if (byte === undefined) throw unreadable()
      value += (byte & 0x7f) * scale
      if (!Number.isSafeInteger(value)) throw unreadable()
      if (byte < 0x80) return value
    }
  }
}

function written(value: number): number[] {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest]
    bytes.push((rest % 128) + 128)
  }
}

function bytesOf(code: BufferSource): Uint8Array<ArrayBuffer> {
  const copy = ArrayBuffer.isView(code) ? code.buffer.slice(code.byteOffset, code.byteOffset + code.byteLength) : code
  return new Uint8Array(copy as ArrayBuffer)
}

function unreadable(): RangeError {
  return new RangeError('The memories of the WebAssembly module cannot be read.')
}
