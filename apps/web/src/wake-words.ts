import type { WakeUpResult } from '@tsunagi/protocol'
import { span } from './format.ts'

const STEPS: Readonly<Record<WakeUpResult['step'], string>> = {
  none: 'nowhere',
  session: 'over its session',
  socket: 'through the server to its page',
  push: 'by a notification to its browser',
  mailbox: 'to the server, which keeps it',
}

const WHY: Readonly<Record<NonNullable<WakeUpResult['why']>, string>> = {
  silent: 'nobody answered',
  offline: 'the server cannot be reached',
  unknown_peer: 'it was never met, or too long ago',
  rate_limited: 'there were too many wake-ups; wait a minute',
  full: 'the server keeps no more for it',
  unavailable: 'the server keeps nothing at present',
}

/** What became of a wake-up, in a sentence. */
export function wakeWords({ outcome, step, ms, why }: WakeUpResult): string {
  const reason = why === undefined ? '' : `: ${WHY[why]}`
  switch (outcome) {
    case 'active':
      return `It is awake, and answered ${STEPS[step]} in ${span(ms)}.`
    case 'waking':
      return `It is waking: it answered ${STEPS[step]} in ${span(ms)}, and connects now.`
    case 'refused':
      return 'Its user lets this peer not wake it.'
    case 'expired':
      return `The wake-up came too late${reason}.`
    case 'kept':
      return `It sleeps still${reason}. The wake-up went ${STEPS[step]}, and waits for it there.`
    case 'unanswered':
      return `It could not be woken${reason}.`
  }
}
