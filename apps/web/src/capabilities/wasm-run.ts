import type { CapabilityDescription } from '@tsunagi/protocol'
import { workerHandler } from '@tsunagi/protocol/browser'
import WasmRunWorker from './wasm-run.worker.ts?worker&inline'

const MIB = 1_024 * 1_024
/** A module of more takes a browser long to compile, which the time limit cannot interrupt everywhere. */
const MAX_MODULE = 2 * MIB
const MAX_BYTES = 8 * MIB
/** Of the module's memory: enough for a picture or a dictionary, little enough that four at once end no tab. */
const MEMORY_LIMIT = 64 * MIB
/** Milliseconds. */
const TIME_LIMIT = 30_000

/**
 * Runs `run()` of a WebAssembly module that the caller sends, in a worker of its own. The module exports `memory` and `run`,
 * and may import from `tsunagi`: `input_length() → i32`, `read_input(to: i32)`, `write_output(from: i32, length: i32)`, which
 * appends, and `progress(done: f64)`, 0 to 1. There is nothing else that it can reach.
 */
export const wasmRun: CapabilityDescription = {
  name: 'wasm.run',
  version: '1.0',
  description: 'Runs a WebAssembly module in a sandbox: 30 seconds and 64 MiB at most',
  input: {
    type: 'object',
    properties: {
      module: {
        type: 'string',
        contentEncoding: 'binary',
        maxLength: MAX_MODULE,
        title: 'Module',
        description: 'A .wasm file that exports “memory” and “run”.',
      },
      text: { type: 'string', maxLength: MAX_BYTES / 4, title: 'Input, as text' },
      bytes: { type: 'string', contentEncoding: 'binary', maxLength: MAX_BYTES, title: 'Input, as a file' },
    },
    required: ['module'],
    additionalProperties: false,
  },
  output: {
    type: 'object',
    properties: {
      output: { type: 'string', contentEncoding: 'binary', maxLength: MAX_BYTES },
      ms: { type: 'number', minimum: 0 },
    },
    required: ['output', 'ms'],
    additionalProperties: false,
  },
}

export const runWasm = workerHandler(() => new WasmRunWorker(), {
  timeLimit: TIME_LIMIT,
  memoryLimit: MEMORY_LIMIT,
  // A module cannot hear that it should stop.
  grace: 0,
})
