/** Ed25519: what every provider makes, takes and refuses, so that no two peers disagree about a signature. */
import { equalBytes, utf8 } from '../wire/bytes.ts'
import { check, rejects } from './case.ts'
import { altered, type CryptoCase, wrongLengths } from './crypto-implementation.ts'
import { CONTESTED_SIGNATURES, ED25519, FORGED_SIGNATURE, SMALL_ORDER_POINTS } from './crypto-vectors.ts'

export const signatureConformance: readonly CryptoCase[] = [
  {
    name: 'signatures of RFC 8032 are accepted',
    async run({ provider }) {
      for (const [index, { publicKey, message, signature }] of ED25519.entries())
        check(await provider.verify(publicKey, signature, message), `signature ${index} is good`)
    },
  },

  {
    // Some hosts make another signature each time (SPEC §2): not its bytes count but that it is accepted.
    name: 'keys of RFC 8032 sign, and both providers accept it',
    async run({ provider, other }) {
      for (const { seed, publicKey, message } of ED25519) {
        const key = await provider.signingKeyFrom(seed, publicKey)
        check(equalBytes(key.publicKey, publicKey), 'the key has the public half that is written there')
        const signature = await key.sign(message)
        check(signature.length === 64, 'a signature has 64 bytes')
        for (const verifier of [provider, other])
          check(await verifier.verify(publicKey, signature, message), `the signature is good to ${verifier.name}`)
      }
    },
  },

  {
    name: 'generated signing keys differ, and each signs for itself only',
    async run({ provider, other }) {
      const key = await provider.generateSigningKey()
      const another = await provider.generateSigningKey()
      const data = utf8('message')
      const signature = await key.sign(data)
      check(key.publicKey.length === 32, 'a public key has 32 bytes')
      check(await other.verify(key.publicKey, signature, data), 'the signature is good')
      check(!(await provider.verify(another.publicKey, signature, data)), 'under another key it is not')
    },
  },

  {
    name: 'a seed is refused that does not belong to the public key',
    async run({ provider }) {
      const [{ seed }, { publicKey }] = ED25519
      await rejects('INVALID_FORMAT', provider.signingKeyFrom(seed, publicKey))
    },
  },

  {
    name: 'an altered signature, key or message is refused',
    async run({ provider }) {
      const { publicKey, message, signature } = ED25519[2]
      for (const bad of altered(signature))
        check(!(await provider.verify(publicKey, bad, message)), 'no altered signature is good')
      for (const bad of altered(publicKey))
        check(!(await provider.verify(bad, signature, message)), 'no altered key is good')
      for (const bad of altered(message))
        check(!(await provider.verify(publicKey, signature, bad)), 'no altered message is good')
    },
  },

  {
    name: 'verify() answers false to keys and signatures of a wrong length',
    async run({ provider }) {
      const { publicKey, message, signature } = ED25519[1]
      for (const bad of wrongLengths(publicKey))
        check(!(await provider.verify(bad, signature, message)), 'no such key is good')
      for (const bad of wrongLengths(signature))
        check(!(await provider.verify(publicKey, bad, message)), 'no such signature is good')
    },
  },

  {
    name: 'verify() answers false to a key that is no point of the curve',
    async run({ provider }) {
      const { message, signature } = ED25519[1]
      // About every second string of 32 bytes is no point.
      for (let i = 0; i < 32; i++)
        check(
          !(await provider.verify(await provider.sha256(Uint8Array.of(i)), signature, message)),
          `hash ${i} is no key of this signature`,
        )
    },
  },

  {
    name: 'a key of small order signs nothing, however it is encoded',
    async run({ provider }) {
      for (const [index, key] of SMALL_ORDER_POINTS.entries())
        for (let i = 0; i < 64; i++)
          check(
            !(await provider.verify(key, FORGED_SIGNATURE, Uint8Array.of(i))),
            `point ${index} is a key of no signature`,
          )
    },
  },

  ...CONTESTED_SIGNATURES.map(
    ({ what, accepted, publicKey, message, signature }): CryptoCase => ({
      name: `${accepted ? 'accepted' : 'refused'}: ${what}`,
      async run({ provider }) {
        check((await provider.verify(publicKey, signature, message)) === accepted, 'providers agree on it')
      },
    }),
  ),
]
