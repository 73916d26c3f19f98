import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { TsunagiError } from '@tsunagi/protocol/signaling'

/** Names of PEM files. */
export interface TlsFiles {
  /** With the certificates between it and the root, the server's own first. */
  readonly certificate: string
  readonly key: string
}

/** @throws TsunagiError INVALID_ARGUMENT where they cannot be read or do not belong together */
export function readTlsFiles({ certificate, key }: TlsFiles): { cert: Buffer; key: Buffer } {
  try {
    const files = { cert: readFileSync(certificate), key: readFileSync(key) }
    createSecureContext(files)
    return files
  } catch (cause) {
    throw new TsunagiError(
      'INVALID_ARGUMENT',
      `The certificate ${certificate} (TSUNAGI_TLS_CERT) and the key ${key} (TSUNAGI_TLS_KEY) must be PEM files of one pair.`,
      { cause },
    )
  }
}
