import type { Lab } from '../lab.fixture.ts'

/** Sends each frame back to its sender, as coming from the peer it was for. */
export function reflect(lab: Lab): void {
  lab.server = (mail) => lab.deliver(mail, { to: mail.from.id, claimed: mail.to })
}
