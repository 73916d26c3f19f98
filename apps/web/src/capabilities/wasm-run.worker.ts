import { serveTasks } from '@tsunagi/protocol/browser'
import { checkModule, WASM_INTERFACE } from './wasm-module.ts'

export interface WasmInput {
  readonly module: Uint8Array<ArrayBuffer>
  /** What the module reads: this text as UTF-8, or these bytes; nothing where both are left out. */
  readonly text?: string
  readonly bytes?: Uint8Array<ArrayBuffer>
}

export interface WasmOutput {
  /** What the module wrote. */
  readonly output: Uint8Array<ArrayBuffer>
  /** Milliseconds it ran. */
  readonly ms: number
}

export const MAX_WASM_OUTPUT = 8 * 1_024 * 1_024

serveTasks<WasmInput>(async ({ module, text, bytes }, context): Promise<WasmOutput> => {
  checkModule(module)
  const input = text === undefined ? (bytes ?? new Uint8Array()) : new TextEncoder().encode(text)
  const written: Uint8Array<ArrayBuffer>[] = []
  let length = 0
  let memory: unknown
  /** The part of the module's memory that it names. @throws RangeError where there is no such part */
  const part = (at: number, size: number) => {
    const { buffer } = Object(memory) as Partial<WebAssembly.Memory>
    if (!(buffer instanceof ArrayBuffer)) throw new Error('The module exports no “memory”.')
    return new Uint8Array(buffer, at >>> 0, size >>> 0)
  }
  const functions: Record<(typeof WASM_INTERFACE.functions)[number], (...numbers: number[]) => number | undefined> = {
    input_length: () => input.length,
    read_input: (to = 0) => void part(to, input.length).set(input),
    write_output(from = 0, size = 0) {
      length += size >>> 0
      if (length > MAX_WASM_OUTPUT) throw new Error(`The module wrote more than ${MAX_WASM_OUTPUT} bytes.`)
      written.push(part(from, size).slice())
      return undefined
    },
    progress: (progress = 0) => void context.progress(Math.min(1, Math.max(0, progress || 0))),
  }
  const { instance } = await WebAssembly.instantiate(module, { [WASM_INTERFACE.module]: functions })
  memory = instance.exports['memory']
  const { run } = instance.exports
  if (typeof run !== 'function') throw new Error('The module exports no function “run”.')
  const started = performance.now()
  run()
  // Browsers' clocks tell no more than this; the rest of the digits is noise.
  const ms = Math.round((performance.now() - started) * 100) / 100
  const output = new Uint8Array(length)
  let at = 0
  for (const piece of written) {
    output.set(piece, at)
    at += piece.length
  }
  return { output, ms }
})
