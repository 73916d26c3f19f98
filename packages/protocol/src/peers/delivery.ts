/** What send() answers, and what is told of durable messages. */
import type { Delivery, DeliveryInfo } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { SESSION_TYPES } from '../messages.ts'
import type { DurableState } from '../session/host.ts'
import type { StoredMessage } from '../session/store.ts'

/** @param id '' where it was refused */
export function asDelivery(id: string, accepted: Promise<void>, delivered: Promise<void>): Delivery {
  const delivery = delivered.catch((cause: unknown) => {
    throw publicError(cause)
  })
  // Nobody has to await `accepted`; and who awaits no more than that of a durable message hears the rest by `delivery`.
  accepted.catch(() => undefined)
  if (id !== '') delivery.catch(() => undefined)
  return Object.assign(delivery, { id, accepted })
}

const ACCEPTED: Promise<void> = Promise.resolve()

/** Of a message that is not durable: one promise, since there may be very many. */
export function volatileDelivery(delivered: Promise<void>): Delivery {
  return Object.assign(delivered, { id: '', accepted: ACCEPTED })
}

export function refusedDelivery(cause: unknown): Delivery {
  const refused: Promise<void> = Promise.reject(publicError(cause))
  return asDelivery('', refused, refused)
}

/** What the wire calls a malformed value is a wrong argument to who gave it, and so is one that throws when it is read. */
export function publicError(cause: unknown): TsunagiError {
  const error = toTsunagiError(cause, 'INVALID_FORMAT', 'What was given to send() cannot be read; give plain values.')
  return error.code === 'INVALID_FORMAT' ? new TsunagiError('INVALID_ARGUMENT', error.message, { cause }) : error
}

/** Results of tasks travel as durable messages as well, and are told of as tasks. */
export function isApplicationData({ type }: StoredMessage): boolean {
  return type === SESSION_TYPES.message
}

export function deliveryInfo(
  message: StoredMessage,
  state: DurableState,
  error: TsunagiError | undefined,
): DeliveryInfo {
  const { id, peer, at, payload } = message
  return {
    id,
    to: peer,
    state,
    acceptedAt: at,
    size: payload.length,
    error: error && { code: error.code, message: error.message },
  }
}
