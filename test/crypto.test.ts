import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { browserTests } from './browser-tests.ts'

const tests = browserTests()
const REFUSED = ['raw: InvalidAccessError', 'pkcs8: InvalidAccessError', 'jwk: InvalidAccessError']

describe.each(['webcrypto', 'noble'] as const)('the provider %s in Chromium', (provider) => {
  test('passes the conformance suite with keys that go through IndexedDB', async () => {
    const page = await tests.openPage('crypto.html')
    expect(await page.evaluate((provider) => window.brokenCases(provider), provider)).toEqual({})
  })

  test('has keys that live on when the page is gone', async () => {
    const context = await tests.newContext()
    const first = await tests.openPage('crypto.html', context)
    const before = await first.evaluate((provider) => window.storeKeys(provider), provider)
    await first.close()
    const page = await tests.openPage('crypto.html', context)
    expect(
      await page.evaluate(([provider, before]) => window.useStoredKeys(provider, before), [provider, before] as const),
    ).toEqual({ signs: true, opens: 'A message of this page' })
  })
})

test('no stored key can be exported', async () => {
  const page = await tests.openPage('crypto.html')
  expect(await exportsOf(page, 'webcrypto')).toEqual({
    'signing privateKey': REFUSED,
    'introduction privateKey': REFUSED,
  })
  expect(await exportsOf(page, 'noble')).toEqual({
    'signing wrappingKey': REFUSED,
    'introduction wrappingKey': REFUSED,
  })
})

test('the host’s own keys are chosen', async () => {
  const page = await tests.openPage('crypto.html')
  expect(await page.evaluate(() => window.chosenProvider())).toBe('webcrypto')
})

function exportsOf(page: Page, provider: 'webcrypto' | 'noble'): Promise<Record<string, string[]>> {
  return page.evaluate(async (provider) => {
    await window.storeKeys(provider)
    return window.tryToExport()
  }, provider)
}
