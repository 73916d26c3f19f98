/**
 * Trystero with its standard strategy, Nostr, over one relay run locally. It says nothing of another page before the two are
 * connected, so its set-up counts from a guest's coming into the room, with the relay's socket open since the round before.
 */
import { getRelaySockets, joinRoom, type Room } from 'trystero'
import type { End, System } from './system.ts'

export const trystero: System = {
  name: 'trystero',
  async join({ nostr }, { room: name, hosts, known, opened }) {
    if (!hosts) known()
    const config = { appId: 'bench', relayConfig: { urls: [nostr], redundancy: 1 }, rtcConfig: { iceServers: [] } }
    const room = joinRoom(config, name)
    const ends = new Map<string, TrysteroEnd>()
    const action = room.makeAction<Uint8Array<ArrayBuffer>>('bytes')
    action.onMessage = (message, { peerId }) => ends.get(peerId)?.onMessage(message)
    room.onPeerJoin = (peer) => {
      const end = new TrysteroEnd(action, peer)
      ends.set(peer, end)
      opened(end)
    }
    if (hosts) await subscribed(nostr)
    return { leave: () => room.leave() }
  },
}

/** Fulfils when the relay has said that it knows what this page waits for. */
async function subscribed(relay: string): Promise<void> {
  const socket = (getRelaySockets() as Record<string, WebSocket>)[relay]
  await new Promise<void>((fulfil) => {
    socket?.addEventListener('message', ({ data }: MessageEvent<string>) => {
      if (data.startsWith('["EOSE"')) fulfil()
    })
  })
}

type Action = ReturnType<typeof bytesAction>
const bytesAction = (room: Room) => room.makeAction<Uint8Array<ArrayBuffer>>('bytes')

class TrysteroEnd implements End {
  onMessage: End['onMessage'] = () => undefined
  readonly #action: Action
  readonly #peer: string

  constructor(action: Action, peer: string) {
    this.#action = action
    this.#peer = peer
  }

  /** Its promise is the only back-pressure it has. */
  send(message: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#action.send(message, { target: this.#peer })
  }

  async delivered(): Promise<void> {
    // It does not tell its sender what has arrived.
  }
}
