/** Work as people give it away: forms, the queue in and out, results, and who drew what. */
import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { appServer, fingerprintOf, handOver, INVITE, latestTask, openTabs, twoTabs } from './app-tests.ts'
import { browserTests } from './browser-tests.ts'

const tests = browserTests()
const app = appServer()

test('work that this page does not know gets a form of its own, and what is filled in arrives', async () => {
  const [page, other] = await twoTabs(tests, app.url + INVITE)
  await other.evaluate(() => {
    const input = {
      type: 'object',
      properties: {
        dish: { type: 'string', title: 'Dish', description: 'What is cooked' },
        guests: { type: 'integer', minimum: 1, maximum: 12, default: 4 },
        spicy: { type: 'boolean' },
        course: { enum: ['starter', 'main'] },
        photo: { type: 'string', contentEncoding: 'binary' },
        notes: { type: 'array', items: { type: 'string' } },
        table: { type: 'string' },
      },
      required: ['dish', 'guests', 'course'],
      additionalProperties: false,
    }
    window.peer?.provide(
      { name: 'kitchen.cook', version: '1.0', description: 'Cooks a dish', input, output: {} },
      ({ photo, ...order }) => ({ ...order, photo: photo.length }),
    )
  })
  await page.getByRole('combobox', { name: 'Work' }).selectOption('kitchen.cook')
  await page.getByText('Cooks a dish').waitFor()
  await handOver(page)
  await page.getByRole('alert').getByText('“Dish”').waitFor()
  await page.getByLabel('Dish').fill('Ramen')
  await page.getByLabel('guests').fill('13')
  await handOver(page)
  await page.getByRole('alert').getByText('“guests” takes a whole number from 1 to 12.').waitFor()
  await page.getByLabel('guests').fill('5')
  await page.getByLabel('spicy').check()
  await page.getByLabel('course').selectOption('main')
  await page.getByLabel('photo').setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer: Buffer.alloc(70) })
  await page.getByLabel('notes').fill('no garlic\nextra egg')
  await handOver(page)
  await latestTask(page).getByText('completed').waitFor()
  const output = await page.evaluate(() => window.peer?.task(window.peer.tasks[0]?.id ?? '')?.result)
  expect(output).toEqual({
    dish: 'Ramen',
    guests: 5,
    spicy: true,
    course: 'main',
    photo: 70,
    notes: ['no garlic', 'extra egg'],
  })
})

test('a picture that anybody may draw is drawn by everybody: its tiles come one by one, and each says who drew it', async () => {
  const pages = await openTabs(await tests.newContext(), app.url + INVITE, 3)
  const [page, ...others] = pages
  if (page === undefined) throw new Error('Three tabs were asked for.')
  const names = await Promise.all(others.map(fingerprintOf))
  await page.getByLabel('Pixels').selectOption('1024')
  await handOver(page)
  const picture = latestTask(page)
  await picture.getByText(/working [1-9]\d? %/).waitFor()
  await picture.getByRole('button', { name: 'Cancel' }).click()
  await picture.getByText('canceled', { exact: true }).waitFor()
  // What was drawn stays, and says by whom.
  await picture.getByRole('img', { name: /^Fractal, 1024 by 1024 pixels, [1-9]\d? of 64 tiles drawn$/ }).waitFor()

  await picture.getByRole('button', { name: 'Retry' }).click()
  await latestTask(page).getByText('completed').waitFor()
  const legend = await latestTask(page).getByRole('figure').getByRole('listitem').allTextContents()
  const drawn = legend.map((line) => /^[AB] (\w{8}), (\d+) tiles?$/.exec(line)?.slice(1))
  expect(drawn.map((line) => line?.[0]).sort()).toEqual(names.sort())
  expect(drawn.reduce((sum, line) => sum + Number(line?.[1]), 0)).toBe(64)
  await latestTask(page).getByLabel('Show who drew which').check()
  expect(await latestTask(page).locator('svg text').count()).toBe(64)
})

/** The smallest PNG: one pixel. */
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

/** A tab, and another that offers `kitchen.serve`, which brings whatever it is asked for. */
async function openKitchen(): Promise<[Page, Page]> {
  const [page, other] = await twoTabs(tests, app.url + INVITE)
  await other.evaluate((pixel) => {
    const input = { type: 'object', properties: { what: { enum: ['rows', 'picture', 'text', 'nothing'] } } }
    window.peer?.provide({ name: 'kitchen.serve', version: '1.0', input, output: {} }, async ({ what }, context) => {
      const bytes = Uint8Array.from(atob(pixel), (char) => char.charCodeAt(0))
      if (what === 'rows')
        return [
          { dish: 'Ramen', price: 9 },
          { dish: 'Udon', price: 8 },
        ]
      if (what === 'picture') return { photo: new Blob([bytes]), by: 'Ada' }
      await context.partial('Once ')
      await context.partial('upon ')
      await new Promise((resolve, reject) => {
        ;(window as { goOn?: (value: unknown) => void }).goOn = resolve
        context.signal.addEventListener('abort', () => reject(context.signal.reason))
      })
      return 'Once upon a time'
    })
  }, PIXEL)
  await page.getByRole('combobox', { name: 'Work' }).selectOption('kitchen.serve')
  return [page, other]
}

const ask = async (page: Page, what: string) => {
  await page.locator('schema-form').getByRole('combobox').selectOption(what)
  await handOver(page)
}

test('results are shown as people read them: tables, pictures, texts as they come, and all can be saved', async () => {
  const [page, other] = await openKitchen()
  await ask(page, 'rows')
  await latestTask(page).getByRole('row', { name: 'Udon 8' }).waitFor()
  await ask(page, 'picture')
  await latestTask(page).getByRole('img', { name: 'Picture that came as the result' }).waitFor()
  const saving = page.waitForEvent('download')
  await latestTask(page).getByRole('button', { name: 'Download photo.png' }).click()
  const saved = await saving
  expect(saved.suggestedFilename()).toBe('photo.png')
  expect((await readFile(await saved.path())).toString('base64')).toBe(PIXEL)

  await ask(page, 'text')
  await latestTask(page).getByRole('region', { name: 'Result so far' }).getByText('Once upon').waitFor()
  await other.evaluate(() => (window as { goOn?: () => void }).goOn?.())
  await latestTask(page).getByRole('region', { name: 'Result' }).getByText('Once upon a time').waitFor()
})

test('a task can be ended from both sides and tried again, and is still there after a reload', async () => {
  const [page, other] = await openKitchen()
  const here = await fingerprintOf(page)
  await ask(page, 'text')
  const line = other.getByRole('list', { name: 'For others' }).getByRole('listitem').first()
  await line.getByRole('button', { name: `End kitchen.serve for ${here}` }).click()
  await latestTask(page).getByText('canceled', { exact: true }).waitFor()
  await latestTask(page).getByText('The user of the other peer ended the task.').waitFor()

  await latestTask(page).getByRole('button', { name: 'Retry' }).click()
  await latestTask(page).getByText('working').waitFor()
  await page.reload()
  await latestTask(page).getByText('working').waitFor()
  await latestTask(page).getByRole('button', { name: 'Cancel' }).click()
  await latestTask(page).getByText('canceled', { exact: true }).waitFor()
  await line.getByText('canceled', { exact: true }).waitFor()
})
