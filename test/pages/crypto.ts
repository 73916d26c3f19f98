/** A page with both crypto providers, whose keys go through this browser's IndexedDB. */
import { type CryptoImplementation, cryptoConformance } from '@tsunagi/protocol/conformance'
import { createCryptoProvider, createWebCryptoProvider, loadNobleProvider } from '@tsunagi/protocol/crypto'

export type ProviderName = 'webcrypto' | 'noble'

declare global {
  interface Window {
    chosenProvider(): Promise<string>
    /** The name of each case of the suite that does not hold, with its error. */
    brokenCases(provider: ProviderName): Promise<Record<string, string>>
    /** Makes a signing key and an introduction key and stores them; gives the public halves and what was sealed to the second. */
    storeKeys(provider: ProviderName): Promise<StoredHere>
    /** With keys from the store: whether what they sign is good, and what they open of what was sealed before. */
    useStoredKeys(provider: ProviderName, before: StoredHere): Promise<{ signs: boolean; opens: string }>
    /** Names of the stored CryptoKeys, each with the ways to get it out that the browser refused. */
    tryToExport(): Promise<Record<string, string[]>>
  }
}

interface StoredHere {
  readonly signing: number[]
  readonly introduction: number[]
  readonly sealed: number[]
}

const FORMATS = ['raw', 'pkcs8', 'jwk'] as const
const text = new TextEncoder().encode('A message of this page')
const info = new TextEncoder().encode('test')

async function load(name: ProviderName) {
  return name === 'noble' ? loadNobleProvider() : createWebCryptoProvider()
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((fulfil, reject) => {
    request.onsuccess = () => fulfil(request.result)
    request.onerror = () => reject(request.error)
  })
}

const opened = (() => {
  const request = indexedDB.open('keys')
  request.onupgradeneeded = () => request.result.createObjectStore('keys')
  return done(request)
})()

async function put(name: string, value: unknown): Promise<void> {
  await done((await opened).transaction('keys', 'readwrite').objectStore('keys').put(value, name))
}

async function get(name: string): Promise<unknown> {
  return done((await opened).transaction('keys').objectStore('keys').get(name))
}

window.chosenProvider = async () => (await createCryptoProvider()).name

window.brokenCases = async (name) => {
  const implementation: CryptoImplementation = {
    provider: await load(name),
    other: await load(name === 'noble' ? 'webcrypto' : 'noble'),
    async keep(stored) {
      await put('kept', stored)
      return get('kept')
    },
  }
  const broken: Record<string, string> = {}
  for (const { name, run } of cryptoConformance)
    await run(implementation).catch((error: unknown) => {
      broken[name] = String(error)
    })
  return broken
}

window.storeKeys = async (name) => {
  const provider = await load(name)
  const [signing, introduction] = [await provider.generateSigningKey(), await provider.generateIntroductionKey()]
  await put('signing', await provider.storeSigningKey(signing))
  await put('introduction', await provider.storeIntroductionKey(introduction))
  return {
    signing: [...signing.publicKey],
    introduction: [...introduction.publicKey],
    sealed: [...(await provider.seal(introduction.publicKey, info, text))],
  }
}

window.useStoredKeys = async (name, before) => {
  const provider = await load(name)
  const signing = await provider.restoreSigningKey(await get('signing'))
  const introduction = await provider.restoreIntroductionKey(await get('introduction'))
  return {
    signs: await provider.verify(new Uint8Array(before.signing), await signing.sign(text), text),
    opens: new TextDecoder().decode(await introduction.open(info, new Uint8Array(before.sealed))),
  }
}

window.tryToExport = async () => {
  const refused: Record<string, string[]> = {}
  for (const name of ['signing', 'introduction'])
    for (const [entry, value] of Object.entries((await get(name)) as object)) {
      if (!(value instanceof CryptoKey)) continue
      refused[`${name} ${entry}`] = []
      for (const format of FORMATS)
        await crypto.subtle
          .exportKey(format, value)
          .catch((error: DOMException) => refused[`${name} ${entry}`]?.push(`${format}: ${error.name}`))
    }
  return refused
}
