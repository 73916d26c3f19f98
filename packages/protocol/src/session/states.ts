/** The life of a session (SPEC §5.1). It outlives its links: losing one suspends it, and the next one goes on with it. */

export type SessionState = 'new' | 'handshaking' | 'established' | 'suspended' | 'expired' | 'closed'

/**
 * `begin`: a handshake is under way. `fail`: it came to nothing. `attach`: it gave a channel. `lose`: the channel is gone.
 * `expire`: nobody came back in time. `close`: one side ended it.
 */
export type SessionEvent = 'begin' | 'fail' | 'attach' | 'lose' | 'expire' | 'close'

const over = <S extends SessionState>(state: S): Record<SessionEvent, S> => ({
  begin: state,
  fail: state,
  attach: state,
  lose: state,
  expire: state,
  close: state,
})

/** Every state × every event. */
export const SESSION_STATES: Record<SessionState, Record<SessionEvent, SessionState>> = {
  new: {
    begin: 'handshaking',
    fail: 'new',
    attach: 'established',
    lose: 'new',
    expire: 'expired',
    close: 'closed',
  },
  handshaking: {
    begin: 'handshaking',
    fail: 'new',
    attach: 'established',
    lose: 'handshaking',
    expire: 'expired',
    close: 'closed',
  },
  // A handshake beside a link that works replaces it; the session is established all along.
  established: {
    begin: 'established',
    fail: 'established',
    attach: 'established',
    lose: 'suspended',
    expire: 'expired',
    close: 'closed',
  },
  suspended: {
    begin: 'suspended',
    fail: 'suspended',
    attach: 'established',
    lose: 'suspended',
    expire: 'expired',
    close: 'closed',
  },
  expired: over('expired'),
  closed: over('closed'),
}

export function isOver(state: SessionState): boolean {
  return state === 'expired' || state === 'closed'
}
