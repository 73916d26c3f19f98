/** Work as people give it away: forms, the queue in and out, results, and who drew what. */
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { appServer, handOver, INVITE, latestTask, openTabs } from './app-tests.ts'
import { browserTests } from './browser-tests.ts'

const tests = browserTests()
const app = appServer()

async function twoTabs(): Promise<[Page, Page]> {
  const [page, other] = await openTabs(await tests.newContext(), app.url + INVITE, 2)
  if (page === undefined || other === undefined) throw new Error('Two tabs were asked for.')
  return [page, other]
}

test('work that this page does not know gets a form of its own, and what is filled in arrives', async () => {
  const [page, other] = await twoTabs()
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
