import type { Audience, CapabilityDescription, Peer, TaskHandler } from '@tsunagi/protocol'
import { digestFile, fileSha256 } from './file-sha256.ts'
import { drawTile, fractalTile } from './fractal-tile.ts'
import type { TaskFiles } from './task-file.ts'

/** Something this app can do for others. */
export interface BuiltIn extends CapabilityDescription {
  readonly title: string
  /** Who may use it while the person has chosen nothing. */
  readonly initially: Audience
  /** Why this browser cannot do it, in a sentence; undefined where it can. */
  missing(): string | undefined
  handler(files: TaskFiles): TaskHandler
}

const nothing = () => undefined

export const BUILT_IN: readonly BuiltIn[] = [
  { ...fractalTile, title: 'Draw a fractal', initially: 'mesh', missing: nothing, handler: () => drawTile },
  { ...fileSha256, title: 'SHA-256 of a file', initially: 'mesh', missing: nothing, handler: digestFile },
]

/** What a capability is called on the page: its own name where this app does not know it. */
export function titleOf(capability: string): string {
  return BUILT_IN.find(({ name }) => name === capability)?.title ?? capability
}

/** @param counted wraps each handler, to keep account of what it does */
export function provideBuiltIn(peer: Peer, files: TaskFiles, counted: (handler: TaskHandler) => TaskHandler): void {
  for (const { name, version, description, input, output, handler } of BUILT_IN)
    peer.provide(
      { name, version, input, output, ...(description !== undefined && { description }) },
      counted(handler(files)),
    )
}
