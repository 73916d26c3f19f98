/** What every CryptoProvider must do (ports.ts). */
import { concat, equalBytes, utf8 } from '../wire/bytes.ts'
import { check, refuses, rejects } from './case.ts'
import { altered, type CryptoCase, wrongLengths } from './crypto-implementation.ts'
import { AES_256_GCM, HKDF, HMAC, HPKE, PBKDF2, SHA256, X25519, X25519_SMALL_ORDER } from './crypto-vectors.ts'
import { keyStorageConformance } from './key-storage.ts'
import { signatureConformance } from './signatures.ts'

const digestsAndDerivations: readonly CryptoCase[] = [
  {
    name: 'randomBytes() gives as many bytes as were asked for, and others each time',
    async run({ provider }) {
      for (const length of [0, 1, 16, 65_536])
        check(provider.randomBytes(length).length === length, `${length} bytes are ${length} bytes`)
      check(!equalBytes(provider.randomBytes(32), provider.randomBytes(32)), 'they differ')
      for (const length of [-1, 1.5, Number.NaN]) refuses('INVALID_ARGUMENT', () => provider.randomBytes(length))
    },
  },

  {
    name: 'SHA-256 gives the answers of FIPS 180',
    async run({ provider }) {
      for (const { data, hash } of SHA256) check(equalBytes(await provider.sha256(data), hash), 'the hash is known')
    },
  },

  {
    name: 'HKDF gives the answers of RFC 5869',
    async run({ provider }) {
      for (const { secret, salt, info, derived } of HKDF) {
        const key = await provider.derivationKey(secret)
        check(equalBytes(await key.derive(salt, info, derived.length), derived), 'the result is known')
      }
    },
  },

  {
    name: 'HKDF gives the traffic key of the bytes that it derives',
    async run({ provider }) {
      for (const { secret, salt, info } of HKDF) {
        const key = await provider.derivationKey(secret)
        const [nonce, data] = [new Uint8Array(12), utf8('data')]
        const sealed = await (await key.trafficKey(salt, info)).seal(nonce, data, secret)
        const same = await provider.trafficKeyFrom(await key.derive(salt, info, 32))
        check(equalBytes(await same.open(nonce, data, sealed), secret), 'one opens what the other sealed')
      }
    },
  },

  {
    name: 'HKDF derives from 1 to 8,160 bytes',
    async run({ provider }) {
      const [{ secret, salt, info, derived }] = HKDF
      const key = await provider.derivationKey(secret)
      const most = await key.derive(salt, info, 8_160)
      check(most.length === 8_160 && equalBytes(most.subarray(0, derived.length), derived), 'more bytes begin the same')
      check(equalBytes(await key.derive(salt, info, 1), derived.subarray(0, 1)), 'one byte is the first')
      for (const length of [0, -1, 1.5, 8_161]) await rejects('INVALID_ARGUMENT', key.derive(salt, info, length))
    },
  },

  {
    name: 'PBKDF2 gives the answers of RFC 7914',
    async run({ provider }) {
      for (const { secret, salt, rounds, derived } of PBKDF2)
        check(equalBytes(await provider.pbkdf2(secret, salt, rounds), derived), 'the result is known')
      for (const rounds of [0, -1, 1.5])
        await rejects('INVALID_ARGUMENT', provider.pbkdf2(utf8('secret'), utf8('salt'), rounds))
    },
  },

  {
    name: 'HMAC gives the answers of RFC 4231, and accepts them',
    async run({ provider }) {
      for (const { key, data, mac } of HMAC) {
        check(equalBytes(await provider.hmac(key, data), mac), 'the result is known')
        check(await provider.verifyHmac(key, mac, data), 'it is accepted')
      }
    },
  },

  {
    name: 'an HMAC that is altered, cut, or of another key or message is refused',
    async run({ provider }) {
      const { key, data, mac } = HMAC[1]
      for (const bad of [...altered(mac), ...wrongLengths(mac)])
        check(!(await provider.verifyHmac(key, bad, data)), 'no other code is good')
      for (const bad of altered(key)) check(!(await provider.verifyHmac(bad, mac, data)), 'no other key is good')
      for (const bad of altered(data)) check(!(await provider.verifyHmac(key, mac, bad)), 'no other message is good')
    },
  },
]

const trafficKeys: readonly CryptoCase[] = [
  {
    name: 'AES-256-GCM gives the known answers, and opens them',
    async run({ provider }) {
      for (const { key, nonce, additionalData, plaintext, sealed } of AES_256_GCM) {
        const traffic = await provider.trafficKeyFrom(key)
        check(equalBytes(await traffic.seal(nonce, additionalData, plaintext), sealed), 'what it seals is known')
        check(equalBytes(await traffic.open(nonce, additionalData, sealed), plaintext), 'it opens it')
      }
    },
  },

  {
    name: 'a frame that is altered, cut, or of another nonce, header or key does not open',
    async run({ provider }) {
      const { key, nonce, additionalData, sealed } = AES_256_GCM[3]
      const traffic = await provider.trafficKeyFrom(key)
      for (const bad of [...altered(sealed), ...wrongLengths(sealed), sealed.subarray(0, 15)])
        await rejects('DECRYPTION_FAILED', traffic.open(nonce, additionalData, bad))
      for (const bad of altered(nonce)) await rejects('DECRYPTION_FAILED', traffic.open(bad, additionalData, sealed))
      for (const bad of [...altered(additionalData), ...wrongLengths(additionalData)])
        await rejects('DECRYPTION_FAILED', traffic.open(nonce, bad, sealed))
      for (const bad of altered(key))
        await rejects('DECRYPTION_FAILED', (await provider.trafficKeyFrom(bad)).open(nonce, additionalData, sealed))
    },
  },

  {
    name: 'traffic keys and nonces of a wrong length are refused',
    async run({ provider }) {
      const { key, nonce, additionalData, plaintext, sealed } = AES_256_GCM[3]
      for (const bad of [...wrongLengths(key), key.subarray(0, 16)])
        await rejects('INVALID_ARGUMENT', provider.trafficKeyFrom(bad))
      const traffic = await provider.trafficKeyFrom(key)
      for (const bad of wrongLengths(nonce)) {
        await rejects('INVALID_ARGUMENT', traffic.seal(bad, additionalData, plaintext))
        await rejects('INVALID_ARGUMENT', traffic.open(bad, additionalData, sealed))
      }
    },
  },
]

const agreement: readonly CryptoCase[] = [
  {
    name: 'X25519 gives the answers of RFC 7748',
    async run({ provider }) {
      for (const { secret, publicKey, shared } of X25519) {
        const key = await provider.ephemeralKeyFrom(secret)
        check(equalBytes(await key.agree(publicKey), shared), 'the result is known')
      }
      const [, , , alice, bob] = X25519
      check(
        equalBytes((await provider.ephemeralKeyFrom(alice.secret)).publicKey, bob.publicKey),
        'the public half is known',
      )
    },
  },

  {
    name: 'ephemeral keys differ, and two providers agree',
    async run({ provider, other }) {
      const [ours, theirs] = [await provider.generateEphemeralKey(), await other.generateEphemeralKey()]
      const again = await provider.generateEphemeralKey()
      check(ours.publicKey.length === 32, 'a public key has 32 bytes')
      const shared = await ours.agree(theirs.publicKey)
      check(shared.length === 32 && equalBytes(shared, await theirs.agree(ours.publicKey)), 'both have the same secret')
      check(!equalBytes(await again.agree(theirs.publicKey), shared), 'another key has another secret')
    },
  },

  {
    name: 'a public key of small order or of a wrong length is refused',
    async run({ provider }) {
      const key = await provider.generateEphemeralKey()
      for (const point of X25519_SMALL_ORDER) {
        await rejects('INVALID_FORMAT', key.agree(point))
        const masked = new Uint8Array(point)
        masked[31] = (masked[31] as number) | 0x80
        await rejects('INVALID_FORMAT', key.agree(masked))
      }
      for (const bad of wrongLengths(key.publicKey)) await rejects('INVALID_FORMAT', key.agree(bad))
    },
  },
]

const sealing: readonly CryptoCase[] = [
  {
    name: 'HPKE opens what another implementation sealed',
    async run({ provider }) {
      const key = await provider.introductionKeyFrom(HPKE.secret)
      check(equalBytes(key.publicKey, HPKE.publicKey), 'the public half is known')
      check(equalBytes(await key.open(HPKE.info, HPKE.sealed), HPKE.plaintext), 'it opens')
    },
  },

  {
    name: 'each provider opens what the other sealed',
    async run({ provider, other }) {
      for (const [from, to] of [
        [provider, other],
        [other, provider],
        [provider, provider],
      ] as const) {
        const key = await to.generateIntroductionKey()
        check(key.publicKey.length === 32, 'a public key has 32 bytes')
        for (const length of [0, 1, 65_536]) {
          const plaintext = new Uint8Array(length).fill(length)
          const sealed = await from.seal(key.publicKey, HPKE.info, plaintext)
          check(sealed.length === 32 + length + 16, 'key and tag come with the ciphertext')
          check(equalBytes(await key.open(HPKE.info, sealed), plaintext), 'what comes out is what went in')
        }
      }
    },
  },

  {
    name: 'the same message sealed twice is not seen to be the same',
    async run({ provider }) {
      const first = await provider.seal(HPKE.publicKey, HPKE.info, HPKE.plaintext)
      const second = await provider.seal(HPKE.publicKey, HPKE.info, HPKE.plaintext)
      check(!equalBytes(first.subarray(0, 32), second.subarray(0, 32)), 'each is sealed with a key of its own')
      check(!equalBytes(first.subarray(32), second.subarray(32)), 'the ciphertexts differ')
    },
  },

  {
    name: 'what is altered, cut, or sealed for another use or to another key does not open',
    async run({ provider }) {
      const key = await provider.introductionKeyFrom(HPKE.secret)
      for (const bad of [...altered(HPKE.sealed), ...wrongLengths(HPKE.sealed), HPKE.sealed.subarray(0, 47)])
        await rejects('DECRYPTION_FAILED', key.open(HPKE.info, bad))
      for (const point of X25519_SMALL_ORDER)
        await rejects('DECRYPTION_FAILED', key.open(HPKE.info, concat(point, HPKE.sealed.subarray(32))))
      for (const bad of [...altered(HPKE.info), ...wrongLengths(HPKE.info)])
        await rejects('DECRYPTION_FAILED', key.open(bad, HPKE.sealed))
      const another = await provider.generateIntroductionKey()
      await rejects('DECRYPTION_FAILED', another.open(HPKE.info, HPKE.sealed))
    },
  },

  {
    name: 'nothing is sealed to a key of small order or of a wrong length',
    async run({ provider }) {
      for (const bad of [...X25519_SMALL_ORDER, ...wrongLengths(HPKE.publicKey)])
        await rejects('INVALID_FORMAT', provider.seal(bad, HPKE.info, HPKE.plaintext))
    },
  },
]

export const cryptoConformance: readonly CryptoCase[] = [
  ...digestsAndDerivations,
  ...trafficKeys,
  ...agreement,
  ...sealing,
  ...signatureConformance,
  ...keyStorageConformance,
]
