import type { PeerId } from '../api.ts'
import type { TsunagiError } from '../errors.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import type { SessionPayload, SessionType } from '../messages.ts'
import { TaskFileTransfers } from './file-transfers.ts'
import type { SendMessage, SendResult } from './payload.ts'

interface Sent {
  readonly peer: PeerId
  readonly type: SessionType
  readonly payload: unknown
  readonly acknowledge: () => void
  readonly fail: (error: TsunagiError) => void
}

/** Stands where sessions stand: keeps what is sent, acknowledges it at once or, where `holds` says so, when told to. */
export class Outbox {
  readonly sent: Sent[] = []
  holds = false

  readonly send: SendMessage = (peer, type, payload) =>
    new Promise((acknowledge, fail) => {
      this.sent.push({ peer, type, payload, acknowledge, fail })
      if (!this.holds) acknowledge()
    })

  readonly sendResult: SendResult = (peer, payload) => {
    const delivered = this.send(peer, 'task_result', payload)
    return { accepted: Promise.resolve(), delivered }
  }

  /** Payloads of one type in the order sent, to one peer or to all. */
  of<T extends SessionType>(type: T, peer?: PeerId): SessionPayload<T>[] {
    return this.sent
      .filter((sent) => sent.type === type && (peer === undefined || sent.peer === peer))
      .map((sent) => sent.payload as SessionPayload<T>)
  }

  get types(): SessionType[] {
    return this.sent.map((sent) => sent.type)
  }

  last<T extends SessionType>(type: T): SessionPayload<T> {
    const payload = this.of(type).at(-1)
    if (payload === undefined) throw new Error(`No ${type} was sent.`)
    return payload
  }
}

/** Of tasks without Blobs. */
export const noFiles = new TaskFileTransfers(new FakeClock(), {
  keepsFiles: false,
  offer() {
    throw new Error('There is nothing to send.')
  },
  received: () => undefined,
})

/** Lets every promise that can settle do so. */
export const settled = () => new Promise<void>((resolve) => setTimeout(resolve, 0))

/** A 16-byte task id that holds `number`. */
export function taskId(number: number): Uint8Array<ArrayBuffer> {
  const id = new Uint8Array(16)
  new DataView(id.buffer).setUint32(0, number)
  return id
}
