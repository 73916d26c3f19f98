/**
 * What a page can do by itself with WebCrypto: it signs (Ed25519) all that it tells the other page, agrees with it on keys
 * (X25519, HKDF), and signs and encrypts (AES-256-GCM) each message, one by one.
 */
import type { Dealings, Signal, Tell } from './rendezvous.ts'
import type { End } from './system.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** Bytes that are being sealed at which the sender waits: of 1/4, 1 and 4 MiB the quickest for large messages. */
const MOST_WAITING = 1024 * 1024
/** Messages that are being sealed at which it waits, too. */
const MOST_AT_ONCE = 64
const SIGNATURE = 64
const TAG = 16

interface Keys {
  readonly signing: CryptoKey
  readonly verification: CryptoKey
  readonly sealing: CryptoKey
  readonly opening: CryptoKey
}

/** Of this page, as it is there before it knows of any other. */
const identity = crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify'])

/** What the other page tells is taken for its own, as its key is: there is nothing to know it by. */
export function dealSigned(tell: Tell, hosts: boolean): Dealings {
  const ephemeral = crypto.subtle.generateKey('X25519', false, ['deriveBits']) as Promise<CryptoKeyPair>
  const own = Promise.all([identity, ephemeral]).then((pairs) =>
    Promise.all(pairs.map(async ({ publicKey }) => hex(await crypto.subtle.exportKey('raw', publicKey)))),
  )
  let told: Promise<unknown> = Promise.resolve()
  let tellKeys: (keys: Keys) => void
  const keys = new Promise<Keys>((fulfil) => {
    tellKeys = fulfil
  })
  let verification: Promise<CryptoKey> | undefined

  return {
    tell(signal) {
      const signed = sign(JSON.stringify(signal))
      told = told.then(async () => tell(await signed))
    },

    async read(envelope) {
      const { text, signature, key, agreement } = envelope as Awaited<ReturnType<typeof sign>>
      verification ??= meet(key, agreement)
      const isTrue = await crypto.subtle.verify('Ed25519', await verification, bytesOf(signature), encode(text))
      if (!isTrue) throw new Error('The other page did not tell that.')
      return JSON.parse(text) as Signal
    },

    endOver: (end) => new SignedEnd(end, keys),
  }

  async function sign(text: string) {
    const [key = '', agreement = ''] = await own
    const { privateKey } = await identity
    return { text, signature: hex(await crypto.subtle.sign('Ed25519', privateKey, encode(text))), key, agreement }
  }

  async function meet(key: string, agreement: string): Promise<CryptoKey> {
    const { subtle } = crypto
    const [verificationKey, theirs] = await Promise.all([
      subtle.importKey('raw', bytesOf(key), 'Ed25519', false, ['verify']),
      subtle.importKey('raw', bytesOf(agreement), 'X25519', false, []),
    ])
    const secret = await subtle.deriveBits({ name: 'X25519', public: theirs }, (await ephemeral).privateKey, 256)
    const root = await subtle.importKey('raw', secret, 'HKDF', false, ['deriveKey'])
    const trafficKey = (ofHost: boolean) => {
      const params = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: encode(ofHost ? 'host' : 'guest') }
      return subtle.deriveKey(params, root, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
    }
    const [sealing, opening] = await Promise.all([trafficKey(hosts), trafficKey(!hosts)])
    tellKeys({ signing: (await identity).privateKey, verification: verificationKey, sealing, opening })
    return verificationKey
  }
}

class SignedEnd implements End {
  onMessage: End['onMessage'] = () => undefined
  readonly largest = 262_144 - SIGNATURE - TAG
  readonly #end: End
  readonly #keys: Promise<Keys>
  #sent = 0
  #received = 0
  #sealing = 0
  #sealingBytes = 0
  #left: Promise<unknown> = Promise.resolve()
  #arrived: Promise<unknown> = Promise.resolve()

  constructor(end: End, keys: Promise<Keys>) {
    this.#end = end
    this.#keys = keys
    end.onMessage = (message) => this.#take(message as Bytes)
  }

  send(message: Bytes): Promise<unknown> | undefined {
    const sealed = this.#seal(message, nonceOf(this.#sent++))
    this.#sealing++
    this.#sealingBytes += message.length
    this.#left = this.#left.then(async () => {
      const full = this.#end.send(await sealed)
      this.#sealing--
      this.#sealingBytes -= message.length
      await full
    })
    return this.#sealing < MOST_AT_ONCE && this.#sealingBytes < MOST_WAITING ? undefined : this.#left
  }

  delivered(): Promise<unknown> {
    return this.#end.delivered()
  }

  #take(sealed: Bytes): void {
    const opened = this.#open(sealed, nonceOf(this.#received++))
    this.#arrived = this.#arrived.then(async () => this.onMessage(await opened))
  }

  async #seal(message: Bytes, iv: Bytes): Promise<Bytes> {
    const { signing, sealing } = await this.#keys
    const signed = new Uint8Array(message.length + SIGNATURE)
    signed.set(message)
    signed.set(new Uint8Array(await crypto.subtle.sign('Ed25519', signing, message)), message.length)
    return new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, sealing, signed))
  }

  /** @throws Error where the message is not what was sent, which ends the measurement */
  async #open(sealed: Bytes, iv: Bytes): Promise<Bytes> {
    const { verification, opening } = await this.#keys
    const signed = new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, opening, sealed))
    const message = signed.subarray(0, -SIGNATURE)
    if (await crypto.subtle.verify('Ed25519', verification, signed.subarray(-SIGNATURE), message)) return message
    throw new Error('A message is not signed by the other page.')
  }
}

/** Each side has a key of its own. */
function nonceOf(number: number): Bytes {
  const nonce = new Uint8Array(12)
  new DataView(nonce.buffer).setUint32(8, number)
  return nonce
}

function encode(text: string): Bytes {
  return new TextEncoder().encode(text)
}

function hex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function bytesOf(text: string): Bytes {
  return Uint8Array.from(text.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16))
}
