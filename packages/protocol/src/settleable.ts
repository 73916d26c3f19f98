/** Promises of which there may be very many, settled from elsewhere. */

export interface Settleable {
  readonly promise: Promise<void>
  /** Call once: without an error to fulfil the promise. */
  readonly settle: (error?: Error) => void
}

/**
 * Unlike a function made within an executor, `settle` keeps nothing else alive: not what its maker was given, such as a message.
 * @param asTold what the promise rejects with in place of the error
 */
export function settleable(asTold: (error: Error) => Error = same): Settleable {
  let settle!: Settleable['settle']
  const promise = new Promise<void>((fulfil, reject) => {
    settle = settling(fulfil, reject, asTold)
  })
  return { promise, settle }
}

function same(error: Error): Error {
  return error
}

function settling(
  fulfil: () => void,
  reject: (error: Error) => void,
  asTold: (error: Error) => Error,
): Settleable['settle'] {
  return (error) => (error === undefined ? fulfil() : reject(asTold(error)))
}
