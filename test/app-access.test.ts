/** The app for everybody: by keyboard alone, for a screen reader, on a phone, light and dark, without motion. */
import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import {
  appServer,
  fingerprintOf,
  handOver,
  INVITE,
  latestTask,
  metOthers,
  openTab,
  openTabs,
  pickFile,
} from './app-tests.ts'
import { browserTests } from './browser-tests.ts'

const tests = browserTests()
const app = appServer()

/** What axe-core finds wrong, as `rule: element`. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source)
  return page.evaluate(async () => {
    const { violations } = await (window as unknown as { axe: typeof axe }).axe.run()
    return violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.flat().join(' ')}`))
  })
}

/** Pixels by which the page is wider than the window. */
const overflow = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)

const SIZES = [
  ['a desk', { viewport: { width: 1_280, height: 900 } }],
  ['a phone', { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }],
] as const

for (const [where, options] of SIZES) {
  test.each(['light', 'dark'] as const)(
    `on ${where} axe-core finds nothing wrong in %s, and nothing is cut off`,
    async (colorScheme) => {
      const context = await tests.newContext({ ...options, colorScheme })
      const page = await openTab(context, app.url)
      const check = async (state: string) => {
        expect(await violations(page), state).toEqual([])
        expect(await overflow(page), state).toBe(0)
      }
      await check('a first visit')

      const other = await openTab(context, page.url())
      await metOthers(page, 1)
      await handOver(page)
      await latestTask(page).locator('canvas').waitFor()
      await pickFile(page, `${'a-long-name-'.repeat(12)}.txt`, Buffer.from('hello'))
      await handOver(page)
      await latestTask(page).getByRole('button', { name: 'Copy digest' }).waitFor()
      await page.getByRole('table', { name: 'Peers' }).getByRole('button').click()
      await page.locator('peer-details').waitFor()
      await page.getByText('Join another mesh').click()
      await page.locator('message-inspector').getByText('Inspector').click()
      await page.getByRole('button', { name: 'task_result' }).first().click()
      await page.locator('message-proof').waitFor()
      await page.getByText('What others may use').click()
      await page.getByText('Given and taken').click()
      await other.evaluate(() => {
        const [{ id } = { id: '' }] = window.peer?.peers ?? []
        window.peer?.transfer(id, new Blob(['hello']), { name: 'a-long-name-'.repeat(12) }).done.catch(() => undefined)
      })
      await page.getByRole('button', { name: /^Accept: / }).click()
      await page.getByRole('button', { name: /^Download a-long/ }).waitFor()
      await other.evaluate(() => {
        const [{ id } = { id: '' }] = window.peer?.peers ?? []
        window.peer?.transfer(id, new Blob(['hello'])).done.catch(() => undefined)
      })
      await page.getByRole('button', { name: /^Accept: / }).waitFor()
      await check('with results and all that folds unfolded')

      await page.goto(`${app.url}/#mesh=`)
      await page.getByText('This invite link does not work').waitFor()
      await check('a broken invite link')
    },
    // Three times axe-core over a page with all of its parts.
    120_000,
  )
}

/** What has the focus, through all shadow roots: what a screen reader calls it, and whether it can be seen that it has it. */
async function focused(page: Page): Promise<{ name: string; ring: boolean } | undefined> {
  return page.evaluate(() => {
    let element = document.activeElement
    while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
    if (element === null || element === document.body) return undefined
    const labels = 'labels' in element ? [...(element.labels as NodeListOf<HTMLLabelElement>)] : []
    // A label names its control by what stands before it.
    const words = (of: Node): string[] =>
      [...of.childNodes].map((node) => (node instanceof Text ? node.data.trim() : ''))
    const text = (of: Element) => words(of).find((word) => word !== '') ?? of.textContent?.trim() ?? ''
    const name = element.getAttribute('aria-label') ?? labels.map(text)[0] ?? text(element)
    // In the picture of the mesh a frame of its own is drawn.
    const ring = element.querySelector('.ring') ?? element
    const { outlineStyle, stroke } = getComputedStyle(ring)
    return { name, ring: outlineStyle !== 'none' || stroke !== 'none' }
  })
}

/** Goes on by Tab until the control of that name has the focus; every stop on the way shows that it has it. */
async function tabTo(page: Page, name: string | RegExp): Promise<void> {
  const passed: string[] = []
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press('Tab')
    const at = await focused(page)
    // Behind the last control the browser's own are next.
    if (at === undefined) continue
    passed.push(at.name)
    expect(at.ring, `${at.name} shows the focus`).toBe(true)
    if (typeof name === 'string' ? at.name === name : name.test(at.name)) return
  }
  throw new Error(`Tab never came to ${name}, but to: ${passed.join(' | ')}`)
}

test('work is handed over, its result read and the inspector opened by keyboard alone', async () => {
  const [page, other] = await openTabs(await tests.newContext(), app.url + INVITE, 2)
  if (page === undefined || other === undefined) throw new Error('Two tabs were asked for.')
  const fingerprint = await fingerprintOf(other)
  await page.bringToFront()
  await tabTo(page, new RegExp(`^${fingerprint}, .*healthy$`))
  await page.keyboard.press('Enter')
  await page.getByRole('region', { name: `Details of ${fingerprint}` }).waitFor()

  await tabTo(page, 'Work')
  await page.keyboard.type('SHA')
  await tabTo(page, 'Done by')
  await page.keyboard.press('ArrowDown')
  await tabTo(page, /^File/)
  const choosing = page.waitForEvent('filechooser')
  await page.keyboard.press('Space')
  await (await choosing).setFiles({ name: 'empty.txt', mimeType: 'text/plain', buffer: Buffer.alloc(0) })
  await tabTo(page, 'Hand over')
  await page.keyboard.press('Enter')
  // SHA-256 of nothing, FIPS 180-4.
  const digest = latestTask(page).getByText('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  await digest.waitFor()
  await latestTask(page).getByText(`done by ${fingerprint}`).waitFor()

  await tabTo(page, 'SHA-256 of a file')
  await page.keyboard.press('Enter')
  await digest.waitFor({ state: 'detached' })
  await tabTo(page, /^Inspector/)
  await page.keyboard.press('Enter')
  await page.getByRole('table', { name: 'Messages, newest first' }).waitFor()
})

test('what happens is said aloud', async () => {
  const context = await tests.newContext()
  const page = await openTab(context, app.url + INVITE)
  const aloud = (text: string) => page.locator('[aria-live=polite]', { hasText: text }).waitFor({ state: 'attached' })
  const other = await openTab(context, app.url + INVITE)
  const fingerprint = await fingerprintOf(other)
  await aloud(`${fingerprint} is here.`)
  await metOthers(page, 1)
  await handOver(page)
  await aloud('“Draw a fractal” is completed.')
  await other.close()
  await aloud(`${fingerprint} has left.`)
})

test.each([
  ['no-preference', true],
  ['reduce', false],
] as const)('messages in the picture move where motion is wanted (%s)', async (reducedMotion, moves) => {
  const context = await tests.newContext({ reducedMotion })
  const [page] = await openTabs(context, app.url + INVITE, 2)
  const frames = await page?.waitForFunction(() => {
    const picture = document.querySelector('tsunagi-app')?.shadowRoot?.querySelector('mesh-picture')
    const [animation] = picture?.shadowRoot?.getAnimations() ?? []
    const { effect } = animation ?? {}
    return effect instanceof KeyframeEffect && effect.getKeyframes().map(({ transform }) => transform)
  })
  const [from, to] = (await frames?.jsonValue()) || []
  expect(from).toMatch(/^translate/)
  expect(from !== to).toBe(moves)
})
