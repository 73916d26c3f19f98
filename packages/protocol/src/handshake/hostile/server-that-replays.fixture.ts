import type { Lab } from '../lab.fixture.ts'

/** Delivers everything it was ever given once more, to whom it was for. */
export function replayAll(lab: Lab): void {
  for (const mail of [...lab.mail]) lab.deliver(mail)
}
