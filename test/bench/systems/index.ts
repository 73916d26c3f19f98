import { bare, bareSigned } from './bare.ts'
import { libp2p } from './libp2p.ts'
import { peerJs, peerJsRaw } from './peerjs.ts'
import { simplePeer, simplePeerStream } from './simple-peer.ts'
import type { System } from './system.ts'
import { trystero } from './trystero.ts'
import { tsunagi, tsunagiTransfer } from './tsunagi.ts'

export const SYSTEMS: readonly System[] = [
  bare,
  bareSigned,
  simplePeer,
  simplePeerStream,
  peerJs,
  peerJsRaw,
  trystero,
  libp2p,
  tsunagi,
  tsunagiTransfer,
]
