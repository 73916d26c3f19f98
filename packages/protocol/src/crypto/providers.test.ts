import { afterEach, describe, expect, test, vi } from 'vitest'
import { cryptoConformance } from '../conformance/crypto.ts'
import { ED25519 } from '../conformance/crypto-vectors.ts'
import { createCryptoProvider } from './index.ts'
import { createNobleProvider } from './noble.ts'
import { createWebCryptoProvider } from './webcrypto.ts'

const keep = async (stored: unknown) => structuredClone(stored)
const webcrypto = createWebCryptoProvider()
const noble = createNobleProvider()

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

describe.each([
  { provider: webcrypto, other: noble, keep },
  { provider: noble, other: webcrypto, keep },
])('the provider $provider.name passes the conformance suite', (implementation) => {
  test.each(cryptoConformance)('$name', ({ run }) => run(implementation))
})

describe('on a host whose WebCrypto has no Ed25519 and no X25519', () => {
  test.each(cryptoConformance)('noble passes: $name', async ({ run }) => {
    takeCurvesAway()
    await run({ provider: noble, other: noble, keep })
  })

  test('noble is chosen', async () => {
    takeCurvesAway()
    expect((await createCryptoProvider()).name).toBe('noble')
  })

  test('webcrypto verifies nothing, and holds it against no key afterwards', async () => {
    const [{ publicKey, signature, message }] = ED25519
    const provider = createWebCryptoProvider()
    takeCurvesAway()
    expect(await provider.verify(publicKey, signature, message)).toBe(false)
    vi.restoreAllMocks()
    expect(await provider.verify(publicKey, signature, message)).toBe(true)
  })
})

test.each([webcrypto, noble])('$name signs as RFC 8032 does', async (provider) => {
  for (const { seed, publicKey, message, signature } of ED25519) {
    const key = await provider.signingKeyFrom(seed, publicKey)
    expect(await key.sign(message)).toEqual(new Uint8Array(signature))
  }
})

test('webcrypto is chosen where its keys do what is asked', async () => {
  expect((await createCryptoProvider()).name).toBe('webcrypto')
})

test('noble is chosen where keys of WebCrypto cannot be stored', async () => {
  vi.stubGlobal('structuredClone', () => {
    throw new DOMException('A key could not be cloned.', 'DataCloneError')
  })
  expect((await createCryptoProvider()).name).toBe('noble')
})

test('a page without WebCrypto is told what to do', async () => {
  vi.stubGlobal('crypto', {})
  await expect(createCryptoProvider()).rejects.toMatchObject({ code: 'NOT_SUPPORTED' })
  expect(() => createNobleProvider()).toThrow(expect.objectContaining({ code: 'NOT_SUPPORTED' }))
})

test('webcrypto restores what noble stored, and noble says that it cannot restore what webcrypto stored', async () => {
  const wrapped = await noble.generateSigningKey()
  const restored = await webcrypto.restoreSigningKey(await keep(await noble.storeSigningKey(wrapped)))
  expect(restored.publicKey).toEqual(wrapped.publicKey)
  const introduction = await noble.generateIntroductionKey()
  const opening = await webcrypto.restoreIntroductionKey(await keep(await noble.storeIntroductionKey(introduction)))
  expect(opening.publicKey).toEqual(introduction.publicKey)

  const native = await keep(await webcrypto.storeSigningKey(restored))
  await expect(noble.restoreSigningKey(native)).rejects.toMatchObject({ code: 'NOT_SUPPORTED' })
  const nativeIntroduction = await keep(await webcrypto.storeIntroductionKey(opening))
  await expect(noble.restoreIntroductionKey(nativeIntroduction)).rejects.toMatchObject({ code: 'NOT_SUPPORTED' })
})

test('webcrypto refuses an agreement on zero that the host lets pass', async () => {
  const key = await webcrypto.generateEphemeralKey()
  vi.spyOn(crypto.subtle, 'deriveBits').mockResolvedValue(new ArrayBuffer(32))
  await expect(key.agree(key.publicKey)).rejects.toMatchObject({ code: 'INVALID_FORMAT' })
})

test('webcrypto imports the key of a peer once, and forgets it after 64 others', async () => {
  const [{ publicKey, signature, message }] = ED25519
  const provider = createWebCryptoProvider()
  const others = await Promise.all(Array.from({ length: 64 }, () => provider.generateSigningKey()))
  const imports = vi.spyOn(crypto.subtle, 'importKey')
  for (let i = 0; i < 3; i++) expect(await provider.verify(publicKey, signature, message)).toBe(true)
  expect(imports).toHaveBeenCalledTimes(1)
  for (const other of others) expect(await provider.verify(other.publicKey, signature, message)).toBe(false)
  expect(await provider.verify(publicKey, signature, message)).toBe(true)
  expect(imports).toHaveBeenCalledTimes(1 + 64 + 1)
})

test('more random bytes than the host gives at once are refused', () => {
  expect(() => webcrypto.randomBytes(65_537)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
})

/** Calls of WebCrypto that name one of the two curves fail, as they do in older browsers. */
function takeCurvesAway(): void {
  const isCurve = (value: unknown) =>
    ['Ed25519', 'X25519'].some((curve) => value === curve || (value as { name?: unknown } | null)?.name === curve)
  const subtle = new Proxy(crypto.subtle, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name)
      if (typeof method !== 'function') return method
      return async (...args: unknown[]) => {
        if (args.some(isCurve)) throw new DOMException('Unrecognized name.', 'NotSupportedError')
        return Reflect.apply(method, target, args)
      }
    },
  })
  vi.spyOn(crypto, 'subtle', 'get').mockReturnValue(subtle)
}
