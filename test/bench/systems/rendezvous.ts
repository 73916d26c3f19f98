/** How a guest and the host of a room find each other where the system has no server of its own. */

import type { End } from './system.ts'

/** Tells the other page something. */
export type Tell = (signal: unknown) => void

/** Of two pages that describe a connection to each other. */
export type Signal = { readonly description: RTCSessionDescriptionInit } | { readonly candidate: RTCIceCandidateInit }

/** What two pages make of a connection that they describe to each other over the relay. */
export interface Dealings {
  /** Tells the other page something. */
  readonly tell: Tell
  /** What the other page told. @throws Error where it is not from there */
  read(told: never): Promise<Signal>
  /** What messages go through. */
  endOver(end: End): End
}

/**
 * @param meet called for each other page; what it returns gets what that page tells
 * @returns fulfils when the room is entered
 * @throws Error where the relay cannot be reached
 */
export async function enterRoom(
  relay: string,
  room: string,
  meet: (tell: Tell) => (signal: never) => Promise<void>,
): Promise<WebSocket> {
  const others = new Map<number, (signal: never) => Promise<void>>()
  const socket = new WebSocket(`${relay}/${encodeURIComponent(room)}`)
  socket.onmessage = async ({ data }: MessageEvent<string>) => {
    const { from, signal } = JSON.parse(data) as { from: number; signal?: never }
    const tell: Tell = (answer) => socket.send(JSON.stringify({ to: from, signal: answer }))
    const take = others.get(from) ?? meet(tell)
    others.set(from, take)
    // What it rejects with is an error of the page, which ends the measurement.
    if (signal !== undefined) await take(signal)
  }
  await new Promise((fulfil, reject) => {
    socket.onopen = fulfil
    socket.onerror = () => reject(new Error('The relay cannot be reached.'))
  })
  return socket
}
