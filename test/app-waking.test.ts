/** Peers that sleep: how their health was, how they are woken, and what a page needs to be woken while it is closed. */
import { expect, test } from 'vitest'
import { appServer, fingerprintOf, INVITE, joined, openTabs, twoTabs } from './app-tests.ts'
import { browserTests } from './browser-tests.ts'

const tests = browserTests()
const app = appServer()

test('a peer shows its health over the last minutes, and is woken as far as its user lets it', async () => {
  const [page, other] = await twoTabs(tests, app.url + INVITE)
  await page
    .getByRole('table', { name: 'Peers' })
    .getByRole('button', { name: await fingerprintOf(other) })
    .click()
  const details = page.locator('peer-details')
  await details.getByText(/^Last 10 minutes: .*healthy \d/).waitFor()
  await details.getByRole('button', { name: 'Wake' }).click()
  await details
    .getByRole('status')
    .getByText(/^It is awake, and answered over its session in \d/)
    .waitFor()

  const settings = other.getByRole('region', { name: 'What others may use' })
  await settings.getByText('What others may use').click()
  await settings.getByRole('group', { name: 'Wake this tab' }).getByLabel('Who').selectOption('nobody')
  await details.getByRole('button', { name: 'Wake' }).click()
  await details.getByRole('status').getByText('Its user lets this peer not wake it.').waitFor()
  await other.reload()
  await joined(other)
  expect(await other.evaluate(() => window.peer?.wakePolicy)).toBe('nobody')
})

test('the page can be installed, and has what takes pushes while it is closed', async () => {
  tests.allowProblem(/Push API in incognito/)
  const context = await tests.newContext({ permissions: ['notifications'] })
  const [page] = await openTabs(context, app.url + INVITE, 1)
  if (page === undefined) throw new Error('A tab was asked for.')
  await page.evaluate(() => navigator.serviceWorker.ready.then(({ active }) => active?.scriptURL))
  const devtools = await context.newCDPSession(page)
  expect((await devtools.send('Page.getAppManifest')).errors).toEqual([])
  const { installabilityErrors } = await devtools.send('Page.getInstallabilityErrors')
  // A profile of a test is one that keeps nothing.
  expect(installabilityErrors.map(({ errorId }) => errorId).filter((id) => id !== 'in-incognito')).toEqual([])

  // This browser has no push service: it says no, and the switch shows what holds.
  await page.getByText('What others may use').click()
  const reachable = page.getByRole('switch', { name: 'Reachable when closed' })
  await reachable.click()
  await page.getByRole('region', { name: 'Problems' }).getByText('Reachable when closed').waitFor()
  expect(await reachable.isChecked()).toBe(false)
})
