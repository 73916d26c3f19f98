import { linkConformance } from '@tsunagi/protocol/conformance'
import { describe, expect, test } from 'vitest'
import { browserTests } from './browser-tests.ts'

const tests = browserTests()

describe.each([
  ['', false],
  [', with connections made ahead', true],
])('the WebRTC link passes the conformance suite in Chromium%s', (_, ahead) => {
  test.each(linkConformance.map(({ name }) => name))('%s', async (name) => {
    const page = await tests.openPage('links.html')
    await page.evaluate(([wanted, isAhead]) => window.runLinkCase(wanted, isAhead), [name, ahead] as const)
    expect(await page.evaluate(() => window.liveResources())).toEqual({ connections: 0, listeners: 0, intervals: 0 })
  })
})
