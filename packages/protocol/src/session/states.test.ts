import { expect, test } from 'vitest'
import { isOver, SESSION_STATES, type SessionEvent, type SessionState } from './states.ts'

const STATES: SessionState[] = ['new', 'handshaking', 'established', 'suspended', 'expired', 'closed']
const EVENTS: SessionEvent[] = ['begin', 'fail', 'attach', 'lose', 'expire', 'close']

test('every state has an answer to every event, and it is a state', () => {
  expect(Object.keys(SESSION_STATES)).toEqual(STATES)
  for (const state of STATES) {
    expect(Object.keys(SESSION_STATES[state])).toEqual(EVENTS)
    for (const event of EVENTS) expect(STATES).toContain(SESSION_STATES[state][event])
  }
})

test('a session that is over stays as it ended, whatever comes', () => {
  for (const state of STATES.filter(isOver)) {
    for (const event of EVENTS) expect(SESSION_STATES[state][event]).toBe(state)
  }
})

test('only the end of a session ends it: losing a link suspends, a new one goes on', () => {
  for (const state of STATES.filter((state) => !isOver(state))) {
    expect(SESSION_STATES[state]).toMatchObject({ attach: 'established', expire: 'expired', close: 'closed' })
    for (const event of EVENTS.filter((event) => event !== 'expire' && event !== 'close')) {
      expect(isOver(SESSION_STATES[state][event])).toBe(false)
    }
  }
  expect(SESSION_STATES.established.lose).toBe('suspended')
})

test('a handshake that comes to nothing leaves a session as it was', () => {
  for (const state of STATES.filter((state) => state !== 'handshaking')) {
    expect(SESSION_STATES[SESSION_STATES[state].begin].fail).toBe(state)
  }
})
