/** Who the peer in this tab is: one signing key for each identity slot, and the introduction key of the week (SPEC §2). */
import * as v from 'valibot'
import type { StorableCrypto } from '../crypto/stored-key.ts'
import { TsunagiError } from '../errors.ts'
import { PROTOCOL } from '../limits.ts'
import type { IntroductionKey, SigningKey } from '../ports.ts'
import { type Database, storageFailure } from './database.ts'

export interface Identity {
  readonly signingKey: SigningKey
  readonly introductionKey: IntroductionKey
  /** Milliseconds since 1970; loadIdentity() then gives the next one. */
  readonly introductionKeyNotAfter: number
  /** The one before, for what was sealed to it and comes late; at most for one more life. */
  readonly previousIntroductionKey: IntroductionKey | undefined
  /** Whether the next page in this slot will be the same peer. */
  readonly persistent: boolean
  /** STORAGE_FAILED where the browser did not keep something: the whole identity, or (persistent) a new introduction key. */
  readonly storageFailure: TsunagiError | undefined
}

const storedIntroductionKey = v.strictObject({ key: v.unknown(), notAfter: v.pipe(v.number(), v.safeInteger()) })
const storedIdentity = v.strictObject({
  signingKey: v.unknown(),
  introductionKey: storedIntroductionKey,
  previousIntroductionKey: v.optional(storedIntroductionKey),
})
type StoredIntroductionKey = v.InferOutput<typeof storedIntroductionKey>
type StoredIdentity = v.InferOutput<typeof storedIdentity>

/**
 * The identity of a slot, made and stored at first use; its introduction key is renewed after PROTOCOL.introductionKeyLife.
 * Without a database, or where that fails, the identity lasts as long as the page.
 * @param slot held by this tab: see takeIdentitySlot()
 * @param now milliseconds since 1970
 * @throws TsunagiError INVALID_FORMAT where what is stored is damaged, NOT_SUPPORTED where `crypto` cannot use it: an
 *   identity is never replaced behind its owner's back
 */
export async function loadIdentity(
  database: Database | undefined,
  slot: number,
  crypto: StorableCrypto,
  now: number,
): Promise<Identity> {
  let failure: TsunagiError | undefined
  const attempt = async <T>(access: Promise<T> | undefined): Promise<T | undefined> => {
    try {
      return await access
    } catch (cause) {
      failure = storageFailure(cause)
      return undefined
    }
  }
  const found = await attempt(database?.get('identities', slot))
  const kept = found === undefined ? undefined : parse(found)
  const stored = await renewed(kept, crypto, now)
  const identity = await restored(stored, crypto)
  // Nothing is written where nothing could be read: what is there may be an identity.
  if (database && !failure && stored !== kept) await attempt(write(database, slot, stored, kept === undefined))
  const persistent = kept !== undefined || (database !== undefined && failure === undefined)
  return { ...identity, persistent, storageFailure: failure }
}

/** @throws TsunagiError INVALID_FORMAT */
function parse(found: unknown): StoredIdentity {
  const result = v.safeParse(storedIdentity, found)
  if (result.success) return result.output
  throw new TsunagiError(
    'INVALID_FORMAT',
    'The stored identity of this tab is damaged: clear the data of this site to start anew.',
    { cause: result.issues },
  )
}

/** @returns `kept` itself where nothing is to be changed */
async function renewed(kept: StoredIdentity | undefined, crypto: StorableCrypto, now: number): Promise<StoredIdentity> {
  const life = PROTOCOL.introductionKeyLife
  // Not what ended more than a life ago, nor what a clock that ran far ahead would make last for years.
  const usable = (key: StoredIntroductionKey | undefined) =>
    key && key.notAfter > now - life && key.notAfter < now + 2 * life ? key : undefined
  const newest = usable(kept?.introductionKey)
  const current = newest && newest.notAfter > now ? newest : await made(crypto, now + life)
  const previous = usable(current === newest ? kept?.previousIntroductionKey : newest)
  if (kept && current === kept.introductionKey && previous === kept.previousIntroductionKey) return kept
  return {
    signingKey: kept ? kept.signingKey : await crypto.storeSigningKey(await crypto.generateSigningKey()),
    introductionKey: current,
    ...(previous && { previousIntroductionKey: previous }),
  }
}

async function made(crypto: StorableCrypto, notAfter: number): Promise<StoredIntroductionKey> {
  return { key: await crypto.storeIntroductionKey(await crypto.generateIntroductionKey()), notAfter }
}

async function restored(stored: StoredIdentity, crypto: StorableCrypto) {
  const { introductionKey, previousIntroductionKey: previous } = stored
  return {
    signingKey: await crypto.restoreSigningKey(stored.signingKey),
    introductionKey: await crypto.restoreIntroductionKey(introductionKey.key),
    introductionKeyNotAfter: introductionKey.notAfter,
    previousIntroductionKey: previous && (await crypto.restoreIntroductionKey(previous.key)),
  }
}

/** On the disk when it fulfils: a peer that others have met must not be forgotten by a power cut. */
async function write(database: Database, slot: number, stored: StoredIdentity, isNew: boolean): Promise<void> {
  const transaction = database.transaction('identities', 'readwrite', { durability: 'strict' })
  const { store } = transaction
  // add() fails where there is one already: two pages in one slot must not take each other's identity away.
  await Promise.all([isNew ? store.add(stored, slot) : store.put(stored, slot), transaction.done])
}
