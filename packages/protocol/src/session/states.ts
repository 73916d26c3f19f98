/** The life of a session (SPEC §5). It outlives its links: losing one suspends it, and the next one goes on with it. */

export type SessionState = 'established' | 'suspended' | 'expired' | 'closed'

/** `attach`: a handshake gave it a channel. `lose`: its channel is gone. `expire`: nobody came back in time. `close`: one side ended it. */
export type SessionEvent = 'attach' | 'lose' | 'expire' | 'close'

/** Every state × every event. A session begins suspended, until the handshake that made it gives it a channel; the last two states are its end. */
export const SESSION_STATES: Record<SessionState, Record<SessionEvent, SessionState>> = {
  established: { attach: 'established', lose: 'suspended', expire: 'expired', close: 'closed' },
  suspended: { attach: 'established', lose: 'suspended', expire: 'expired', close: 'closed' },
  expired: { attach: 'expired', lose: 'expired', expire: 'expired', close: 'expired' },
  closed: { attach: 'closed', lose: 'closed', expire: 'closed', close: 'closed' },
}

export function isOver(state: SessionState): boolean {
  return state === 'expired' || state === 'closed'
}
