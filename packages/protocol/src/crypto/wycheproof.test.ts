/** Test files of the Wycheproof project, read from beside the repository; without them these tests are skipped. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { isTsunagiError } from '../errors.ts'
import { createNobleProvider } from './noble.ts'
import { createWebCryptoProvider } from './webcrypto.ts'

const folder = path.join(import.meta.dirname, '../../../../../shared/vectors/wycheproof')

interface Vector {
  readonly tcId: number
  readonly result: 'valid' | 'acceptable' | 'invalid'
}

interface Group<V> {
  readonly tests: readonly V[]
}

/** Skips where the file is not there. `holds` answers whether the provider did with the vector what the vector expects. */
function wycheproof<G extends Group<Vector>>(
  file: string,
  holds: (vector: G['tests'][number], group: G) => Promise<boolean>,
): void {
  const from = path.join(folder, file)
  // Hundreds of curve operations in JavaScript, on a machine that may be busy.
  test(file, { timeout: 60_000 }, async ({ skip }) => {
    skip(!existsSync(from), `skipped: not present: ${from}`)
    const { testGroups } = JSON.parse(readFileSync(from, 'utf8')) as { testGroups: readonly G[] }
    const broken: number[] = []
    let tried = 0
    for (const group of testGroups)
      for (const vector of group.tests) {
        tried += 1
        if (!(await holds(vector, group))) broken.push(vector.tcId)
      }
    expect(tried).toBeGreaterThan(0)
    expect(broken, 'tcId of the vectors that do not hold').toEqual([])
  })
}

const hex = (digits: string) => new Uint8Array(Buffer.from(digits, 'hex'))
const same = (bytes: Uint8Array, digits: string) => Buffer.from(bytes).toString('hex') === digits

/** The error's code where it is one of this library. */
async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  return promise.then(
    () => undefined,
    (error: unknown) => {
      if (isTsunagiError(error)) return error.code
      throw error
    },
  )
}

describe.each([createWebCryptoProvider(), createNobleProvider()])('Wycheproof, $name', (provider) => {
  interface Signature extends Vector {
    readonly msg: string
    readonly sig: string
  }
  wycheproof<Group<Signature> & { readonly publicKey: { readonly pk: string } }>(
    'ed25519_test.json',
    async ({ msg, sig, result }, { publicKey }) =>
      (await provider.verify(hex(publicKey.pk), hex(sig), hex(msg))) === (result === 'valid'),
  )

  interface Agreement extends Vector {
    readonly flags: readonly string[]
    readonly public: string
    readonly private: string
    readonly shared: string
  }
  // "Acceptable" are points of the twist and longer encodings, which RFC 7748 takes, and results of zero, which it lets be refused.
  wycheproof<Group<Agreement>>('x25519_test.json', async (vector) => {
    const key = await provider.ephemeralKeyFrom(hex(vector.private))
    if (vector.flags.includes('ZeroSharedSecret'))
      return (await codeOf(key.agree(hex(vector.public)))) === 'INVALID_FORMAT'
    return same(await key.agree(hex(vector.public)), vector.shared)
  })

  interface Derivation extends Vector {
    readonly ikm: string
    readonly salt: string
    readonly info: string
    readonly size: number
    readonly okm: string
  }
  wycheproof<Group<Derivation>>('hkdf_sha256_test.json', async ({ ikm, salt, info, size, okm, result }) => {
    const derived = (await provider.derivationKey(hex(ikm))).derive(hex(salt), hex(info), size)
    return result === 'valid' ? same(await derived, okm) : (await codeOf(derived)) === 'INVALID_ARGUMENT'
  })

  interface Sealed extends Vector {
    readonly key: string
    readonly iv: string
    readonly aad: string
    readonly msg: string
    readonly ct: string
    readonly tag: string
  }
  wycheproof<Group<Sealed> & { readonly ivSize: number; readonly keySize: number; readonly tagSize: number }>(
    'aes_gcm_test.json',
    async ({ key, iv, aad, msg, ct, tag, result }, { ivSize, keySize, tagSize }) => {
      // Other sizes are not part of this protocol.
      if (ivSize !== 96 || keySize !== 256 || tagSize !== 128) return true
      const traffic = await provider.trafficKeyFrom(hex(key))
      const sealed = ct + tag
      if (result !== 'valid')
        return (await codeOf(traffic.open(hex(iv), hex(aad), hex(sealed)))) === 'DECRYPTION_FAILED'
      return (
        same(await traffic.seal(hex(iv), hex(aad), hex(msg)), sealed) &&
        same(await traffic.open(hex(iv), hex(aad), hex(sealed)), msg)
      )
    },
  )
})
