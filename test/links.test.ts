import { linkConformance } from '@tsunagi/protocol/conformance'
import type { Page } from 'playwright-core'
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

describe('connections made ahead', () => {
  const connections = (page: Page) => page.evaluate(() => window.liveResources().connections)

  async function openEnd(other: () => Page): Promise<Page> {
    const context = await tests.newContext()
    await context.exposeFunction('tellCandidates', (found: string[]) =>
      other().evaluate((candidates: string[]) => window.end.addCandidates(candidates), found),
    )
    const page = await tests.openPage('links.html', context)
    await page.evaluate(() => window.end.prepare())
    return page
  }

  async function link(offering: Page, answering: Page): Promise<void> {
    const offer = await offering.evaluate(() => window.end.offer())
    const answer = await answering.evaluate((text) => window.end.answer(text), offer)
    await offering.evaluate((text) => window.end.accept(text), answer)
    const both = [offering, answering].map((page) => page.evaluate(() => window.end.opened()))
    expect(await Promise.all(both)).toEqual(['open', 'open'])
    await offering.evaluate(() => window.end.send('hello'))
    await answering.waitForFunction(() => window.end.frames.includes('hello'))
    await offering.evaluate(() => window.end.closeLink())
  }

  test('link two pages, whichever of them offers, and are given back', async () => {
    const pages: Page[] = []
    pages.push(await openEnd(() => pages[1] as Page), await openEnd(() => pages[0] as Page))
    const [first, second] = pages as [Page, Page]
    await link(first, second)
    await link(second, first)
    for (const page of pages) {
      await page.evaluate(() => window.end.leave())
      await page.waitForFunction(() => window.liveResources().connections === 0)
    }
  })

  test('are an offer for a page that joins, which is given up after a while, and one for any use', async () => {
    const context = await tests.newContext()
    await context.clock.install()
    const page = await tests.openPage('links.html', context)
    await page.evaluate(() => window.end.prepare())
    expect(await connections(page)).toBe(2)
    await context.clock.runFor(11_000)
    expect(await connections(page)).toBe(1)
  })

  test('are no offer for who needs ICE servers: those are told before it is made', async () => {
    const page = await openEnd(() => page)
    const states = await page.evaluate(async () => {
      const toldIn: string[] = []
      const { setConfiguration } = RTCPeerConnection.prototype
      const setLocalDescription: (description?: RTCLocalSessionDescriptionInit) => Promise<void> =
        RTCPeerConnection.prototype.setLocalDescription
      RTCPeerConnection.prototype.setConfiguration = function (configuration) {
        toldIn.push(this.signalingState)
        setConfiguration.call(this, configuration)
      }
      const offered = new Promise<void>((fulfil) => {
        RTCPeerConnection.prototype.setLocalDescription = function (description) {
          return setLocalDescription.call(this, description).then(fulfil)
        }
      })
      await window.end.prepare()
      await offered
      await window.end.offer([{ urls: ['stun:127.0.0.1:9'] }])
      return toldIn
    })
    expect(states).toEqual(['stable'])
    await page.waitForFunction(() => window.liveResources().connections === 2)
  })
})
