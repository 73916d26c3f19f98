import type { Audience, CapabilityDescription, Peer, TaskHandler } from '@tsunagi/protocol'
import { generate, lacking, summarize, textGenerate, textSummarize } from './built-in-model.ts'
import { digestFile, fileSha256 } from './file-sha256.ts'
import { drawTile, fractalTile } from './fractal-tile.ts'
import { runWasm, wasmRun } from './wasm-run.ts'

/** Something this app can do for others. */
export interface BuiltIn extends CapabilityDescription {
  readonly title: string
  /** Who may use it while the person has chosen nothing. */
  readonly initially: Audience
  /** Why this browser cannot do it, in a sentence; undefined where it can. */
  lacking(): Promise<string | undefined>
  readonly handler: TaskHandler
}

const nothing = async () => undefined

export const BUILT_IN: readonly BuiltIn[] = [
  { ...fractalTile, title: 'Draw a fractal', initially: 'mesh', lacking: nothing, handler: drawTile },
  { ...fileSha256, title: 'SHA-256 of a file', initially: 'mesh', lacking: nothing, handler: digestFile },
  { ...wasmRun, title: 'Run a WebAssembly module', initially: 'ask', lacking: nothing, handler: runWasm },
  {
    ...textGenerate,
    title: 'Write a text',
    initially: 'ask',
    lacking: () => lacking('LanguageModel'),
    handler: generate,
  },
  {
    ...textSummarize,
    title: 'Summarize a text',
    initially: 'ask',
    lacking: () => lacking('Summarizer'),
    handler: summarize,
  },
]

/** What a capability is called on the page: its own name where this app does not know it. */
export function titleOf(capability: string): string {
  return BUILT_IN.find(({ name }) => name === capability)?.title ?? capability
}

/** @param counted wraps each handler, to keep account of what it does */
export function provide(
  peer: Peer,
  { name, version, description, input, output, handler }: BuiltIn,
  counted: (handler: TaskHandler) => TaskHandler,
): void {
  const described = { name, version, input, output, ...(description !== undefined && { description }) }
  peer.provide(described, counted(handler))
}
