/** The two roles' tables (SPEC §4.5), every state × every event. An event that leaves the state as it is has no effect. */

/** Common to both roles. `established`: the session has the channel. `ended`: nothing came of it. */
export type FinalState = 'established' | 'ended'

/** A failure, a time-out, a newer handshake, close(): whatever the state, this one is over. */
export type EndEvent = 'end'

export type StateTable<State extends string, Event extends string> = Record<State, Record<Event, State>>

/** Each of them may last LIMITS.handshakeTimeout. */
export type InitiatorState = 'describing' | 'awaiting_ack' | 'checking_ack' | 'opening' | 'confirming' | FinalState

/**
 * `described`: message 1 is ready. `ack`: message 2 came. `proved`: the responder is who it says.
 * `opened`: the link is open. `confirmed`: message 3 is sent.
 */
export type InitiatorEvent = 'described' | 'ack' | 'proved' | 'opened' | 'confirmed' | EndEvent

export type ResponderState = 'answering' | 'opening' | 'awaiting_confirm' | 'checking_confirm' | FinalState

/** `answered`: message 2 is ready. `confirm`: message 3 came. `proved`: the initiator is who it says. */
export type ResponderEvent = 'answered' | 'opened' | 'confirm' | 'proved' | EndEvent

export const INITIATOR_STATES: StateTable<InitiatorState, InitiatorEvent> = {
  describing: {
    described: 'awaiting_ack',
    // Nobody can answer an id that has not been sent.
    ack: 'describing',
    proved: 'describing',
    opened: 'describing',
    confirmed: 'describing',
    end: 'ended',
  },
  awaiting_ack: {
    described: 'awaiting_ack',
    ack: 'checking_ack',
    proved: 'awaiting_ack',
    opened: 'awaiting_ack',
    confirmed: 'awaiting_ack',
    end: 'ended',
  },
  checking_ack: {
    described: 'checking_ack',
    // One answer counts, and it is the first.
    ack: 'checking_ack',
    proved: 'opening',
    opened: 'checking_ack',
    confirmed: 'checking_ack',
    end: 'ended',
  },
  opening: {
    described: 'opening',
    ack: 'opening',
    proved: 'opening',
    opened: 'confirming',
    confirmed: 'opening',
    end: 'ended',
  },
  confirming: {
    described: 'confirming',
    ack: 'confirming',
    proved: 'confirming',
    opened: 'confirming',
    confirmed: 'established',
    end: 'ended',
  },
  established: final('established'),
  ended: final('ended'),
}

export const RESPONDER_STATES: StateTable<ResponderState, ResponderEvent> = {
  answering: {
    answered: 'opening',
    opened: 'answering',
    confirm: 'answering',
    proved: 'answering',
    end: 'ended',
  },
  opening: {
    answered: 'opening',
    opened: 'awaiting_confirm',
    confirm: 'opening',
    proved: 'opening',
    end: 'ended',
  },
  awaiting_confirm: {
    answered: 'awaiting_confirm',
    opened: 'awaiting_confirm',
    confirm: 'checking_confirm',
    proved: 'awaiting_confirm',
    end: 'ended',
  },
  checking_confirm: {
    answered: 'checking_confirm',
    opened: 'checking_confirm',
    confirm: 'checking_confirm',
    proved: 'established',
    end: 'ended',
  },
  established: final('established'),
  ended: final('ended'),
}

/** What was handed to the session is the session's, and what has ended stays so. */
function final<S extends FinalState>(state: S): Record<InitiatorEvent | ResponderEvent, S> {
  return {
    described: state,
    ack: state,
    opened: state,
    confirmed: state,
    answered: state,
    confirm: state,
    proved: state,
    end: state,
  }
}
