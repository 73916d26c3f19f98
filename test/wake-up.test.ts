/** Waking pages of a real browser through the real server: one whose links were closed, and one that the browser froze. */
import { setTimeout } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { browserTests, signalingServer } from './browser-tests.ts'
import { withHiddenPage } from './hidden-page.ts'

/** What holds on a quiet machine; the figures are printed, and a busy machine has more time. */
const AWAKE_WITHIN = 2_000
const SILENT_WITHIN = 15_000
const ROOM_FOR_BUSY_MACHINES = 5

const tests = browserTests()
const signaling = signalingServer()

interface Tab {
  readonly page: Page
  readonly id: string
}

async function join(page: Page, linkIdle?: number): Promise<Tab> {
  return { page, id: await page.evaluate(([url, idle]) => window.join(url, idle), [signaling.url, linkIdle] as const) }
}

const open = async (linkIdle?: number) => join(await tests.openPage('waking.html'), linkIdle)

const untilSession = ({ page }: Tab, { id }: Tab, state: string) =>
  page.waitForFunction(([id, state]) => window.isSession(id, state), [id, state] as const, { polling: 10 })

const health = (page: Page, id: string) =>
  page.evaluate((id) => window.peer.peers.find((peer) => peer.id === id)?.health, id)

const sessionId = (page: Page, id: string) =>
  page.evaluate((id) => window.peer.peers.find((peer) => peer.id === id)?.session?.id, id)

test('a peer whose links were closed for want of use answers, and the session is established again', async () => {
  const [alice, bob] = [await open(1_000), await open(1_000)]
  await untilSession(alice, bob, 'established')
  const before = await sessionId(alice.page, bob.id)
  await untilSession(alice, bob, 'suspended')
  await untilSession(bob, alice, 'suspended')
  expect(await health(alice.page, bob.id)).toBe('idle')

  const began = performance.now()
  const result = await alice.page.evaluate((id) => window.peer.wakeUp(id, { reason: 'work' }), bob.id)
  await untilSession(alice, bob, 'established')
  const ms = performance.now() - began
  console.log(`answered after ${result.ms} ms, established after ${Math.round(ms)} ms`)
  expect(result).toMatchObject({ outcome: 'waking', step: 'socket' })
  expect(ms).toBeLessThan(AWAKE_WITHIN * ROOM_FOR_BUSY_MACHINES)
  expect(await sessionId(alice.page, bob.id)).toBe(before)
  expect(await bob.page.evaluate(() => window.wakeUps)).toMatchObject([
    { from: alice.id, reason: 'work', step: 'socket', outcome: 'waking' },
  ])
})

test('a peer that is awake answers over its session at once, which goes on', async () => {
  const [alice, bob] = [await open(), await open()]
  await untilSession(alice, bob, 'established')
  const result = await alice.page.evaluate((id) => window.peer.wakeUp(id), bob.id)
  expect(result).toMatchObject({ outcome: 'active', step: 'session' })
  expect(await health(alice.page, bob.id)).toBe('healthy')
})

/** Chromium freezes only a tab that is hidden, and hides none of those that Playwright starts. */
async function withFrozenTab(
  use: (alice: Tab, bob: Tab, freeze: () => Promise<() => Promise<void>>) => Promise<void>,
): Promise<void> {
  await withHiddenPage(`${tests.origin}/waking.html`, async (page) => {
    const other = await page.context().newPage()
    await other.goto(`${tests.origin}/waking.html`)
    const [bob, alice] = [await join(page), await join(other)]
    await untilSession(alice, bob, 'established')
    await untilSession(bob, alice, 'established')
    const devtools = await page.context().newCDPSession(page)
    await use(alice, bob, async () => {
      await devtools.send('Page.setWebLifecycleState', { state: 'frozen' })
      return async () => {
        await devtools.send('Page.setWebLifecycleState', { state: 'active' })
      }
    })
    expect(await bob.page.evaluate(() => window.timesFrozen), 'the tab was frozen').toBe(1)
  })
}

describe('a tab frozen by the browser', () => {
  test('is found silent although its channel reads open, and after it thaws it is healthy and nothing is lost', () =>
    withFrozenTab(async (alice, bob, freeze) => {
      const thaw = await freeze()
      const began = performance.now()
      await alice.page.evaluate((id) => {
        for (let n = 0; n < 10; n++) window.peer.send(id, n).catch(({ code }) => window.problems.push(code))
      }, bob.id)
      const found = await alice.page.waitForFunction((id) => {
        const peer = window.peer.peers.find((peer) => peer.id === id)
        return peer !== undefined && ['unreachable', 'idle'].includes(peer.health) && peer
      }, bob.id)
      const ms = performance.now() - began
      const peer = await found.evaluate((peer) => peer && [peer.health, peer.session?.state, peer.link])
      console.log(`found silent after ${Math.round(ms)} ms`)
      // It had said that it is hidden.
      expect(peer).toEqual(['idle', 'established', 'webrtc'])
      expect(ms).toBeLessThan(SILENT_WITHIN + 1_000 * ROOM_FOR_BUSY_MACHINES)

      await thaw()
      await alice.page.waitForFunction(
        (id) => window.peer.peers.some((peer) => peer.id === id && peer.health === 'healthy'),
        bob.id,
      )
      await bob.page.waitForFunction(() => window.heard.length >= 10)
      expect(await bob.page.evaluate(() => window.heard)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      expect(await alice.page.evaluate(() => window.problems)).toEqual([])
    }))

  test('does not answer, and does when it thaws', () =>
    withFrozenTab(async (alice, bob, freeze) => {
      const thaw = await freeze()
      const outcome = alice.page.evaluate((id) => window.peer.wakeUp(id, { priority: 'high' }), bob.id)
      // A page that runs answers in a few milliseconds.
      expect(await Promise.race([outcome, setTimeout(2_000, 'nothing')])).toBe('nothing')
      await thaw()
      expect(await outcome).toMatchObject({ outcome: 'active', step: 'session' })
      expect(await bob.page.evaluate(() => window.wakeUps.length)).toBe(1)
    }))
})
