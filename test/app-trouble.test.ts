/** What the app says where something is missing or wrong: what happened, to what, and what helps. */
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { appServer, handOver, INVITE, joined, latestTask, metOthers, openTabs } from './app-tests.ts'
import { browserTests } from './browser-tests.ts'

const tests = browserTests()
const app = appServer()

test.each([
  [
    'WebRTC',
    () => Reflect.deleteProperty(window, 'RTCPeerConnection'),
    'This browser has no WebRTC, which carries everything between tabs.',
    'Allow WebRTC in its settings or extensions, or use a current Chrome, Edge, Firefox or Safari.',
  ],
  [
    'IndexedDB',
    () => Object.defineProperty(window, 'indexedDB', { value: undefined }),
    'This browser offers no IndexedDB, where the keys of this peer are kept.',
    'Allow site data for this page, or leave private browsing.',
  ],
])('without %s the page says what is missing and what helps', async (_name, remove, what, remedy) => {
  const page = await (await tests.newContext()).newPage()
  await page.addInitScript(remove)
  await page.goto(app.url + INVITE)
  await page.getByRole('alert').filter({ hasText: what }).filter({ hasText: remedy }).waitFor()
  expect(await page.evaluate(() => window.peer)).toBeUndefined()
})

test('over plain http from elsewhere the page says which address helps', async () => {
  const page = await (await tests.newContext()).newPage()
  await page.route('http://mesh.example/**', async (route) => {
    const { pathname } = new URL(route.request().url())
    await route.fulfill({ response: await route.fetch({ url: app.url + pathname }) })
  })
  await page.goto(`http://mesh.example${INVITE}`)
  const alert = page.getByRole('alert')
  await alert.getByText('This page was not opened over a secure connection').waitFor()
  await alert.getByText('Open it by its https:// address, or as http://localhost').waitFor()
  // What the page still asks for, such as its icon, is answered before the page goes.
  await page.unrouteAll({ behavior: 'wait' })
})

test('a broken invite link says why, and the way on is by name', async () => {
  const page = await (await tests.newContext()).newPage()
  await page.goto(`${app.url}/#mesh=kitchen&secret=`)
  await page.getByRole('alert').getByText('The secret is empty. Ask for the link again').waitFor()
  await page.getByRole('button', { name: 'Join' }).click()
  await page.getByRole('alert').getByText('The name of the mesh is missing.').waitFor()
  await page.getByLabel('Mesh name or invite link').fill('kitchen')
  await page.getByRole('button', { name: 'Join' }).click()
  await joined(page)
})

const GRAMS = { type: 'object', properties: { grams: { type: 'number' } }, required: ['grams'] }

/** A tab, and another that offers `kitchen.scale` and fails at it. */
async function openScale(input: object = GRAMS): Promise<[Page, Page]> {
  const [page, other] = await openTabs(await tests.newContext(), app.url + INVITE, 2)
  if (page === undefined || other === undefined) throw new Error('Two tabs were asked for.')
  await other.evaluate(
    (input) => {
      window.peer?.provide({ name: 'kitchen.scale', version: '1.0', description: 'Weighs', input, output: {} }, () => {
        throw new Error('The scale is out of order.')
      })
    },
    { ...input },
  )
  await page.getByRole('combobox', { name: 'Work' }).selectOption('kitchen.scale')
  return [page, other]
}

test('input that is no JSON, or not what the work takes, is answered with a sentence and a code', async () => {
  // No form can be made of alternatives.
  const [page] = await openScale({ anyOf: [GRAMS] })
  const input = page.getByLabel('Input, as JSON')
  await input.fill('{')
  await handOver(page)
  await page.getByRole('alert').getByText('The input is no JSON').waitFor()
  expect(await page.evaluate(() => window.peer?.tasks)).toEqual([])

  await input.fill('{"grams": "many"}')
  await handOver(page)
  const answer = page.locator('article, task-line').filter({ hasText: 'TASK_INPUT_INVALID' })
  await answer.filter({ hasText: /grams|input/ }).waitFor()
})

test('work that fails at the other peer is told with its sentence and code', async () => {
  const [page] = await openScale()
  await page.getByLabel('grams').fill('5')
  await handOver(page)
  await latestTask(page).getByText('failed', { exact: true }).waitFor()
  await latestTask(page).getByText('TASK_FAILED').waitFor()
})

test('work for a peer that has left is told with its sentence and code', async () => {
  const [page, other] = await openTabs(await tests.newContext(), app.url + INVITE, 3)
  if (page === undefined || other === undefined) throw new Error('Three tabs were asked for.')
  const id = await other.evaluate(() => window.peer?.id ?? '')
  await page.getByLabel('Done by').selectOption(id)
  await other.close()
  await metOthers(page, 1)
  await page.getByText(`${id.slice(-8)}, not here now`).waitFor({ state: 'attached' })
  await handOver(page)
  await latestTask(page).getByText('No peer of that id is here; take one from the list of peers.').waitFor()
  await latestTask(page).getByText('UNKNOWN_PEER').waitFor()
})

test('what no line of the page can tell is told as a problem, which can be dismissed and hides nothing', async () => {
  const [page] = await openTabs(await tests.newContext(), app.url + INVITE, 2)
  if (page === undefined) throw new Error('Two tabs were asked for.')
  await page.evaluate(() => {
    const stop = window.peer?.on('task', () => {
      stop?.()
      throw new Error('A line typed into the console.')
    })
  })
  await handOver(page)
  const problem = page.getByRole('region', { name: 'Problems' }).getByRole('article')
  await problem
    .filter({ hasText: 'A listener for task threw an error.' })
    .filter({ hasText: 'LISTENER_FAILED' })
    .waitFor()
  // The last thing on the page can still be reached by the pointer.
  await page.locator('message-inspector').getByText('Inspector').click()
  await problem.getByRole('button', { name: 'Dismiss' }).click()
  await problem.waitFor({ state: 'detached' })
})

test('a form that lacks something says so where it is', async () => {
  const [page] = await openTabs(await tests.newContext(), app.url + INVITE, 2)
  if (page === undefined) throw new Error('Two tabs were asked for.')
  await page.getByText('Exact numbers').click()
  await page.getByLabel('Iterations').fill('a lot')
  await handOver(page)
  await page.getByRole('alert').getByText('“Iterations” takes a number from 1 to 20000.').waitFor()
  await page.getByRole('combobox', { name: 'Work' }).selectOption({ label: 'SHA-256 of a file' })
  await handOver(page)
  await page.getByRole('alert').getByText('Choose a file for “File” first.').waitFor()
})
