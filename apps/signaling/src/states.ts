/** The states of a socket, and what a peer may say in which. */
import type { SignalingMessage } from '@tsunagi/protocol/signaling'

export type State = 'unproven' | 'proving' | 'proven' | 'closed'
export type FromPeer = 'join' | 'relay' | 'ping' | 'announce' | 'discover' | 'wake_up' | 'mail_taken' | 'push_subscribe'

const NOTHING = {
  join: false,
  relay: false,
  ping: false,
  announce: false,
  discover: false,
  wake_up: false,
  mail_taken: false,
  push_subscribe: false,
}
/** What is taken in which state; the rest is answered INVALID_STATE. */
export const ACCEPTED: Record<State, Record<FromPeer, boolean>> = {
  unproven: { ...NOTHING, join: true, ping: true },
  proving: { ...NOTHING, ping: true },
  proven: {
    join: false,
    relay: true,
    ping: true,
    announce: true,
    discover: true,
    wake_up: true,
    mail_taken: true,
    push_subscribe: true,
  },
  closed: NOTHING,
}

export function isFromPeer(message: SignalingMessage): message is SignalingMessage & { readonly type: FromPeer } {
  return message.type in NOTHING
}
