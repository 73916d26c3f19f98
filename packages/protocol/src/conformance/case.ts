import { type ErrorCode, isTsunagiError } from '../errors.ts'

/** One statement about every implementation of a port. It runs under any test runner, or in a page without one. */
export interface ConformanceCase<Implementation> {
  readonly name: string
  /** Rejects where the statement does not hold. */
  run(implementation: Implementation): Promise<void>
}

/** Throws, naming the broken statement, where `holds` is false. */
export function check(holds: boolean, statement: string): asserts holds {
  if (!holds) throw new Error(`Does not hold: ${statement}`)
}

export function refuses(code: ErrorCode, call: () => unknown): void {
  let thrown: unknown
  try {
    call()
  } catch (error) {
    thrown = error
  }
  checkError(code, thrown)
}

export async function rejects(code: ErrorCode, promise: Promise<unknown>): Promise<void> {
  checkError(
    code,
    await promise.then(
      () => undefined,
      (error: unknown) => error,
    ),
  )
}

function checkError(code: ErrorCode, error: unknown): void {
  if (isTsunagiError(error, code) && error.message) return
  throw new Error(`Expected the error ${code}, got ${String(error)}`, { cause: error })
}
