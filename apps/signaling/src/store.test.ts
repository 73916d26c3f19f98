import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isTsunagiError } from '@tsunagi/protocol/signaling'
import { afterAll, describe, expect, test } from 'vitest'
import { openLmdbStore } from './lmdb-store.ts'
import { MemoryStore } from './memory-store.ts'
import type { Store } from './store.ts'
import { storeSuite } from './store-suite.fixture.ts'

describe('the store in memory', () => storeSuite(async () => new MemoryStore(), { reopens: false }))

describe('the store in a directory', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tsunagi-'))
  let last: Store | undefined
  afterAll(async () => {
    await last?.close()
    rmSync(directory, { recursive: true })
  })

  storeSuite(
    async () => {
      await last?.close()
      last = openLmdbStore(join(directory, 'below', 'data'))
      return last
    },
    { reopens: true },
  )

  test('that cannot be made is said to', () => {
    writeFileSync(join(directory, 'file'), '')
    try {
      openLmdbStore(join(directory, 'file', 'data'))
      expect.unreachable()
    } catch (error) {
      expect(isTsunagiError(error, 'INVALID_ARGUMENT') && error.message).toContain('TSUNAGI_DATA')
    }
  })
})
