import { TsunagiError, toTsunagiError } from '../errors.ts'

/** More tabs than a person has open, fewer than would make the search for a free slot long. */
const SLOTS = 64
/** How long a tab waits for the slot it had before: the lock of a reloaded page may outlive the start of the new one. */
const RETURN_WAIT = 500
/** Of the address that a service worker opens: see service-worker.ts. */
export const SLOT_PARAMETER = 'tsunagi-slot'
/** Where a tab keeps the number of its slot; a duplicated tab starts with a copy. */
const STORAGE_KEY = 'tsunagi.slot'

/** Name of the Web Lock that the tab in that slot holds. */
export function slotLock(slot: number): string {
  return `tsunagi.slot.${slot}`
}

/** One of the identities of this browser, held by one tab at a time (SPEC §2). */
export interface IdentitySlot {
  /** From 0; the key of the stored identity. */
  readonly number: number
  /** Lets another tab have the slot. The end of the tab does the same, also by a crash. */
  release(): void
}

/**
 * Takes the slot this tab had before, or was opened for, else the first free one, so that no two tabs ever speak as one peer.
 * @throws TsunagiError SLOT_UNAVAILABLE where all are taken, NOT_SUPPORTED where there are no Web Locks
 */
export async function takeIdentitySlot(): Promise<IdentitySlot> {
  // Absent in old browsers and outside secure contexts, whatever its type says.
  const locks: LockManager | undefined = navigator.locks
  if (!locks) {
    throw new TsunagiError(
      'NOT_SUPPORTED',
      'This page has no Web Locks, which keep two tabs from speaking as one peer: open it over https in a current browser.',
    )
  }
  const before = slotBefore() ?? slotIn(new URLSearchParams(location.search).get(SLOT_PARAMETER))
  const release = before === undefined ? undefined : await hold(locks, before, RETURN_WAIT)
  if (before !== undefined && release) {
    rememberSlot(before)
    return { number: before, release }
  }
  for (let number = 0; number < SLOTS; number++) {
    const release = await hold(locks, number, 0)
    if (!release) continue
    rememberSlot(number)
    return { number, release }
  }
  throw new TsunagiError(
    'SLOT_UNAVAILABLE',
    `${SLOTS} tabs of this browser are peers already: close some of them and reload this page.`,
  )
}

/** @returns what lets go of the slot, or undefined where another tab holds it for longer than `wait` milliseconds */
function hold(locks: LockManager, slot: number, wait: number): Promise<(() => void) | undefined> {
  const signal = wait > 0 ? AbortSignal.timeout(wait) : undefined
  return new Promise((resolve, reject) => {
    const held = (lock: Lock | null) => (lock ? new Promise<void>((release) => resolve(release)) : resolve(undefined))
    locks.request(slotLock(slot), signal ? { signal } : { ifAvailable: true }, held).catch((cause) => {
      if (signal?.aborted) resolve(undefined)
      else {
        const sentence =
          'The browser refuses Web Locks to this page: allow site data for it, or leave private browsing.'
        reject(toTsunagiError(cause, 'NOT_SUPPORTED', sentence))
      }
    })
  })
}

function slotBefore(): number | undefined {
  let stored: string | null
  try {
    stored = sessionStorage.getItem(STORAGE_KEY)
  } catch {
    // A browser that keeps no site data: the first free slot will do.
    return undefined
  }
  return slotIn(stored)
}

function slotIn(text: string | null): number | undefined {
  const slot = Number(text ?? undefined)
  return Number.isInteger(slot) && slot >= 0 && slot < SLOTS ? slot : undefined
}

function rememberSlot(slot: number): void {
  try {
    sessionStorage.setItem(STORAGE_KEY, String(slot))
  } catch {
    // As above; a reload then takes the first free slot again.
  }
}
