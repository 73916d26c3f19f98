/** In the order of the table; `bare` is first, since the others are shown as shares of it. */
export const SYSTEM_NAMES = [
  'bare',
  'bare signed',
  'simple-peer',
  'simple-peer stream',
  'peerjs',
  'peerjs raw',
  'trystero',
  'libp2p',
  'tsunagi',
  'tsunagi transfer',
] as const
export type SystemName = (typeof SYSTEM_NAMES)[number]

const LIKE_BARE = 'As `bare`.'
const LIKE_SIMPLE_PEER = 'As `simple-peer`.'
const LIKE_PEERJS = 'As `peerjs`.'
const LIKE_TSUNAGI = 'As `tsunagi`: only many bytes go another way.'
/** By the row's name, or its part before a comma: what is not measured, and why. */
const NOT_MEASURED: Partial<Record<SystemName, Readonly<Record<string, string>>>> = {
  'bare signed': { size: LIKE_BARE, memory: LIKE_BARE },
  'simple-peer stream': { setup: LIKE_SIMPLE_PEER, size: LIKE_SIMPLE_PEER, memory: LIKE_SIMPLE_PEER },
  'peerjs raw': { setup: LIKE_PEERJS, size: LIKE_PEERJS, memory: LIKE_PEERJS },
  'tsunagi transfer': {
    setup: LIKE_TSUNAGI,
    messages: LIKE_TSUNAGI,
    echo: LIKE_TSUNAGI,
    wire: LIKE_TSUNAGI,
    'cpu, messages': LIKE_TSUNAGI,
    'lossy, messages': LIKE_TSUNAGI,
    'lossy, echo': LIKE_TSUNAGI,
    size: LIKE_TSUNAGI,
    memory: LIKE_TSUNAGI,
  },
}

/** Why a row of a system has no value; undefined where it has one. */
export function whyNot(row: string, system: string): string | undefined {
  const reasons = NOT_MEASURED[system as SystemName] ?? {}
  return Object.entries(reasons).find(([name]) => row === name || row.startsWith(`${name},`))?.[1]
}
