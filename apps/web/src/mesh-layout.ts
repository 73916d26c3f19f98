import type { PeerId } from '@tsunagi/protocol'

export interface Point {
  readonly x: number
  readonly y: number
}

export interface Size {
  readonly width: number
  readonly height: number
}

export interface MeshLayout {
  readonly self: Point
  readonly peers: ReadonlyMap<PeerId, Point>
  /** Side of a peer's picture. */
  readonly side: number
  /** Characters of a name that fit under it; 0 where names would run into each other. */
  readonly nameLength: number
}

/** Four places around, right and left first, then above and below; after those the places between them, and between these. */
const QUARTERS = [0, 2, 3, 1]
const BETWEEN = [0, 3 / 24, 1 / 24, 4 / 24, 2 / 24, 5 / 24]
/** Peers that find room in the picture, also on a phone. All others stand in the list. */
export const PICTURE_SLOTS = QUARTERS.length * BETWEEN.length

/**
 * Keeps each peer in its slot for as long as it is there, so that nobody moves because others come and go;
 * a newcomer takes the lowest slot that is free.
 */
export function assignSlots(slots: ReadonlyMap<PeerId, number>, peers: readonly PeerId[]): Map<PeerId, number> {
  const kept = new Map(peers.flatMap((id) => (slots.has(id) ? [[id, slots.get(id) ?? 0] as const] : [])))
  const taken = new Set(kept.values())
  let free = 0
  for (const id of peers) {
    if (kept.has(id)) continue
    while (taken.has(free)) free++
    if (free >= PICTURE_SLOTS) break
    taken.add(free)
    kept.set(id, free)
  }
  return kept
}

/** Share of a turn at which a slot lies. */
function turnOf(slot: number): number {
  return (QUARTERS[slot % 4] ?? 0) / 4 + (BETWEEN[Math.floor(slot / 4)] ?? 0)
}

/**
 * This peer in the middle, the others on an ellipse around it.
 * @param paired with one other peer, the two share the middle
 */
export function layOut(slots: ReadonlyMap<PeerId, number>, { width, height }: Size, paired: boolean): MeshLayout {
  const highest = Math.max(0, ...slots.values())
  const side = highest < 4 ? 48 : highest < 8 ? 40 : 24
  const nameLength = highest < 4 ? Math.max(10, Math.min(20, Math.floor(width / 36))) : highest < 8 ? 9 : 0
  const wide = width >= height
  const radius = { x: Math.max(0, width / 2 - (width < 480 ? 40 : 72)), y: Math.max(0, height / 2 - 58) }
  const around = new Map(
    Array.from(slots, ([id, slot]): [PeerId, Point] => {
      // From the right on a wide picture, from the top on a tall one: the first peer gets the longer way.
      const angle = 2 * Math.PI * (turnOf(slot) - (wide ? 0 : 0.25))
      return [id, { x: radius.x * Math.cos(angle), y: radius.y * Math.sin(angle) }]
    }),
  )
  const [only] = around.values()
  const shift = paired && only !== undefined ? { x: -only.x / 2, y: -only.y / 2 } : { x: 0, y: 0 }
  const self = { x: width / 2 + shift.x, y: height / 2 + shift.y }
  const peers = new Map(Array.from(around, ([id, { x, y }]) => [id, { x: self.x + x, y: self.y + y }]))
  return { self, peers, side, nameLength }
}

/** The part of the line from `from` to `to` that leaves `clearFrom` and `clearTo` free at its ends. */
export function trim(from: Point, to: Point, clearFrom: number, clearTo: number): [Point, Point] {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1
  const at = (distance: number): Point => ({
    x: from.x + ((to.x - from.x) * distance) / length,
    y: from.y + ((to.y - from.y) * distance) / length,
  })
  return [at(clearFrom), at(Math.max(clearFrom, length - clearTo))]
}
