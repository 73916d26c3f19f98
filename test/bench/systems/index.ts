import { bare } from './bare.ts'
import type { System } from './system.ts'
import { tsunagi } from './tsunagi.ts'

/** In the order of the table; `bare` is first, since the others are shown as shares of it. */
export const SYSTEMS: readonly System[] = [bare, tsunagi]
