/** What outlives a stop of the server: records under names, on shelves with room for so many. */

export interface Stored {
  readonly text: string
  /** Milliseconds since 1970: from then on it counts as gone, and a sweep removes it. */
  readonly due: number
}

export interface Room {
  readonly records: number
  /** What becomes of a new record where there is no room: it is refused, or the one that is due first is forgotten for it. */
  readonly whenFull: 'refuse' | 'forget'
}

/** Each rejects where the store cannot be reached or written, and does so soon. */
export interface Shelf {
  read(name: string): Promise<Stored | undefined>
  /**
   * Puts a record, or none, in the place of `held`. `changed`: it is not what is there, since another was faster.
   * Fulfils when what was written outlives the process.
   */
  replace(name: string, held: Stored | undefined, next: Stored | undefined): Promise<'done' | 'changed' | 'full'>
  /** Removes some of the records that are due; answers what they said, nothing where no more are due. */
  sweep(now: number): Promise<string[]>
}

export interface Store {
  /** Whether it still has tomorrow what it has today, if this process ends between. */
  readonly isLasting: boolean
  shelf(name: string, room: Room): Shelf
  close(): Promise<void>
}

/** Records one call of sweep() removes at most: together they are a few megabytes. */
export const SWEPT_AT_ONCE = 64

/** In the way of one record there are a few others at most: the nodes that have mail for one peer at the same moment. */
const MOST_TRIES = 16

export interface Change<T, A> {
  /** The same object where nothing is to be written; undefined where nothing is to be kept. */
  readonly record: T | undefined
  readonly due: number
  readonly answer: A
}

/**
 * Changes a record as `decide` says, which is asked anew where another changed it meanwhile.
 * @returns the answer, or `full`
 */
export async function change<T, A>(
  shelf: Shelf,
  name: string,
  now: number,
  decide: (held: T | undefined) => Change<T, A>,
): Promise<A | 'full'> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const stored = await shelf.read(name)
    const held = parse<T>(stored, now)
    const { record, due, answer } = decide(held)
    if (record === held) return answer
    const next = record === undefined ? undefined : { text: JSON.stringify(record), due }
    const outcome = await shelf.replace(name, stored, next)
    if (outcome === 'done') return answer
    if (outcome === 'full') return outcome
  }
  throw new Error('A record was changed by others again and again.')
}

/** What a record says, unless its time is up. A store holds what this server wrote. */
export function parse<T>(stored: Stored | undefined, now: number): T | undefined {
  return stored !== undefined && stored.due > now ? JSON.parse(stored.text) : undefined
}
