import type { StorableCrypto } from './stored-key.ts'
import { createWebCryptoProvider, type SecretImport } from './webcrypto.ts'

export type { StorableCrypto, StoredKey } from './stored-key.ts'
export { createWebCryptoProvider, type SecretImport } from './webcrypto.ts'

/** The JavaScript provider; its code is loaded only now. */
export async function loadNobleProvider(): Promise<StorableCrypto & SecretImport> {
  const { createNobleProvider } = await import('./noble.ts')
  return createNobleProvider()
}

/** Whether the host's keys do all that is asked of them, which includes surviving the clone that IndexedDB makes. */
async function isSufficient(provider: StorableCrypto): Promise<boolean> {
  const data = new Uint8Array([1])
  try {
    const made = await provider.generateSigningKey()
    const key = await provider.restoreSigningKey(structuredClone(await provider.storeSigningKey(made)))
    if (!(await provider.verify(key.publicKey, await key.sign(data), data))) return false
    const introduction = await provider.generateIntroductionKey()
    await provider.restoreIntroductionKey(structuredClone(await provider.storeIntroductionKey(introduction)))
    const [ours, theirs] = await Promise.all([provider.generateEphemeralKey(), provider.generateEphemeralKey()])
    await ours.agree(theirs.publicKey)
    return true
  } catch {
    // Whatever is missing, the other provider has it.
    return false
  }
}

/**
 * WebCrypto where it can sign, agree and keep keys, else the JavaScript provider.
 * @throws TsunagiError NOT_SUPPORTED outside secure contexts
 */
export async function createCryptoProvider(): Promise<StorableCrypto> {
  const provider = createWebCryptoProvider()
  return (await isSufficient(provider)) ? provider : loadNobleProvider()
}
