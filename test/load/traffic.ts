/** Relays between peers at a steady rate, each counted and timed. */
import type { Bytes } from '@tsunagi/protocol/signaling'
import type { LoadPeer } from './load-peer.ts'

/** As a sealed candidate has: 200 bytes. */
const PAYLOAD = 200
const TICK = 5

export interface TrafficFigures {
  readonly relayed: number
  readonly lost: number
  /** Milliseconds from send to receipt. */
  readonly p50: number
  readonly p99: number
}

/**
 * Each relay goes from one of the peers, drawn at random, to another.
 * @param rate relays a second, of all together
 * @param duration milliseconds
 * @param patience milliseconds that the last relays may take
 */
export async function traffic(
  peers: readonly LoadPeer[],
  {
    rate,
    duration,
    patience = 5_000,
  }: { readonly rate: number; readonly duration: number; readonly patience?: number },
): Promise<TrafficFigures> {
  const times: number[] = []
  let sent = 0
  for (const peer of peers) {
    peer.onRelay = (payload) => {
      // Others may send to these peers, too.
      if (payload.length === PAYLOAD) times.push(performance.now() - payload.readDoubleLE(0))
    }
  }
  const begun = performance.now()
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const elapsed = Math.min(performance.now() - begun, duration)
      for (const due = Math.floor((elapsed / 1_000) * rate); sent < due; sent++) sendOne(peers)
      if (elapsed < duration) return
      clearInterval(timer)
      resolve()
    }, TICK)
  })
  const deadline = performance.now() + patience
  while (times.length < sent && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, TICK))
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN
  return { relayed: times.length, lost: sent - times.length, p50: at(0.5), p99: at(0.99) }
}

function sendOne(peers: readonly LoadPeer[]): void {
  const from = Math.floor(Math.random() * peers.length)
  const to = (from + 1 + Math.floor(Math.random() * (peers.length - 1))) % peers.length
  const payload: Bytes = new Uint8Array(PAYLOAD)
  new DataView(payload.buffer).setFloat64(0, performance.now(), true)
  peers[from]?.relay((peers[to] as LoadPeer).key.publicKey, payload)
}
