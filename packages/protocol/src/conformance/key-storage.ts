/** Keys that are stored and come back, or are made of given bytes: whole, or refused; in the store their secret cannot be read. */
import { equalBytes, utf8 } from '../wire/bytes.ts'
import { check, rejects } from './case.ts'
import { altered, type CryptoCase, type CryptoImplementation, wrongLengths } from './crypto-implementation.ts'
import { ED25519, HPKE } from './crypto-vectors.ts'

type StoredRecord = Readonly<Record<string, unknown>>

/** One record for each kind of key, as a store gives them back. */
async function storedKeys({
  provider,
  keep,
}: CryptoImplementation): Promise<{ signing: StoredRecord; introduction: StoredRecord }> {
  const signing = await keep(await provider.storeSigningKey(await provider.generateSigningKey()))
  const introduction = await keep(await provider.storeIntroductionKey(await provider.generateIntroductionKey()))
  return { signing: signing as StoredRecord, introduction: introduction as StoredRecord }
}

/** The record with one of its entries absent, of another type, out of another record, altered, or of another length. */
function* damaged(record: StoredRecord, another: StoredRecord): Generator<unknown> {
  yield* [undefined, null, 'a key', 1, [], {}, new Uint8Array(32)]
  for (const [name, value] of Object.entries(record)) {
    yield Object.fromEntries(Object.entries(record).filter(([other]) => other !== name))
    yield { ...record, [name]: null }
    if (another[name] !== value) yield { ...record, [name]: another[name] }
    if (!(value instanceof Uint8Array)) continue
    for (const bad of [...altered(value), ...wrongLengths(value)]) yield { ...record, [name]: bad }
  }
}

/** Entries of a record in which a script could read `secret`. */
function readable(record: StoredRecord, secret: Uint8Array): string[] {
  const digits = (bytes: Uint8Array) => bytes.join()
  return Object.entries(record)
    .filter(([, value]) => {
      if (value instanceof Uint8Array) return digits(value).includes(digits(secret))
      // A host's key object says itself whether it can be exported.
      return typeof value === 'object' && value !== null && !('extractable' in value && value.extractable === false)
    })
    .map(([name]) => name)
}

export const keyStorageConformance: readonly CryptoCase[] = [
  {
    name: 'a stored signing key comes back and signs',
    async run({ provider, other, keep }) {
      const key = await provider.generateSigningKey()
      const restored = await provider.restoreSigningKey(await keep(await provider.storeSigningKey(key)))
      check(equalBytes(restored.publicKey, key.publicKey), 'its public half is the same')
      const data = utf8('message')
      check(await other.verify(key.publicKey, await restored.sign(data), data), 'its signature is good')
      const again = await provider.restoreSigningKey(await keep(await provider.storeSigningKey(restored)))
      check(equalBytes(again.publicKey, key.publicKey), 'a restored key can be stored again')
    },
  },

  {
    name: 'a stored introduction key comes back and opens what was sealed before',
    async run({ provider, other, keep }) {
      const key = await provider.generateIntroductionKey()
      const [info, plaintext] = [utf8('info'), utf8('plaintext')]
      const sealed = await other.seal(key.publicKey, info, plaintext)
      const restored = await provider.restoreIntroductionKey(await keep(await provider.storeIntroductionKey(key)))
      check(equalBytes(restored.publicKey, key.publicKey), 'its public half is the same')
      check(equalBytes(await restored.open(info, sealed), plaintext), 'it opens')
      const again = await provider.restoreIntroductionKey(await keep(await provider.storeIntroductionKey(restored)))
      check(equalBytes(again.publicKey, key.publicKey), 'a restored key can be stored again')
    },
  },

  {
    name: 'the private half of a stored key cannot be read',
    async run(implementation) {
      const { provider, keep } = implementation
      const [{ seed, publicKey }] = ED25519
      const signing = await keep(await provider.storeSigningKey(await provider.signingKeyFrom(seed, publicKey)))
      check(readable(signing as StoredRecord, seed).length === 0, 'no entry shows the seed')
      const key = await provider.introductionKeyFrom(HPKE.secret)
      const introduction = await keep(await provider.storeIntroductionKey(key))
      check(readable(introduction as StoredRecord, HPKE.secret).length === 0, 'no entry shows the secret')
      for (const generated of Object.values(await storedKeys(implementation)))
        check(readable(generated, seed).length === 0, 'no entry of a generated key can be exported')
    },
  },

  {
    name: 'a damaged record of a signing key is refused',
    async run(implementation) {
      const [{ signing }, another] = [await storedKeys(implementation), await storedKeys(implementation)]
      for (const bad of damaged(signing, another.signing))
        await rejects('INVALID_FORMAT', implementation.provider.restoreSigningKey(bad))
    },
  },

  {
    name: 'a damaged record of an introduction key is refused',
    async run(implementation) {
      const [{ introduction }, another] = [await storedKeys(implementation), await storedKeys(implementation)]
      for (const bad of damaged(introduction, another.introduction))
        await rejects('INVALID_FORMAT', implementation.provider.restoreIntroductionKey(bad))
    },
  },

  {
    name: 'a key comes back only as the kind it was',
    async run(implementation) {
      const { signing, introduction } = await storedKeys(implementation)
      await rejects('INVALID_FORMAT', implementation.provider.restoreSigningKey(introduction))
      await rejects('INVALID_FORMAT', implementation.provider.restoreIntroductionKey(signing))
    },
  },

  {
    name: 'a key that the provider did not make cannot be stored',
    async run({ provider }) {
      const signing = await provider.generateSigningKey()
      const introduction = await provider.generateIntroductionKey()
      await rejects(
        'INVALID_ARGUMENT',
        provider.storeSigningKey({ publicKey: signing.publicKey, sign: (data) => signing.sign(data) }),
      )
      await rejects(
        'INVALID_ARGUMENT',
        provider.storeIntroductionKey({
          publicKey: introduction.publicKey,
          open: (info, sealed) => introduction.open(info, sealed),
        }),
      )
    },
  },

  {
    name: 'no key is made of a secret of a wrong length',
    async run({ provider }) {
      const [{ seed, publicKey }] = ED25519
      for (const bad of wrongLengths(seed)) {
        await rejects('INVALID_FORMAT', provider.signingKeyFrom(bad, publicKey))
        await rejects('INVALID_FORMAT', provider.ephemeralKeyFrom(bad))
        await rejects('INVALID_FORMAT', provider.introductionKeyFrom(bad))
      }
    },
  },
]
