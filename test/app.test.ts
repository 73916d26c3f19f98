/** People open the app in tabs: those find each other, prove who they are, and work for each other. */
import type { BrowserContext, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { colourOf, renderTile } from '../apps/web/src/capabilities/mandelbrot.ts'
import {
  appServer,
  fileOf,
  fingerprintOf,
  handOver,
  INVITE,
  joined,
  latestTask,
  MESH,
  metOthers,
  openTab,
  openTabs,
  peerIdOf,
  pickFile,
  SECRET,
  sha256,
  startServer,
} from './app-tests.ts'
import { browserTests } from './browser-tests.ts'

const tests = browserTests()
const app = appServer()

/** Place and size that the form suggests. */
const SEAHORSES = { cx: -0.743643887, cy: 0.131825904, scale: 0.004, width: 512, height: 512, iterations: 3_000 }

/** SHA-256 of the colours on the canvas of the latest task, red, green, blue and alpha in turn. */
async function shownTile(page: Page): Promise<string> {
  const canvas = latestTask(page).locator('canvas')
  return canvas.evaluate(async (canvas: HTMLCanvasElement) => {
    const image = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height)
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', image?.data ?? new Uint8Array()))
    return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
  })
}

const seahorses = () =>
  sha256(Uint8Array.from([...renderTile(SEAHORSES, () => undefined)].flatMap((index) => colourOf(index))))

test('two tabs see each other, and what one hands over comes back right from the other, both ways', async () => {
  const pages = await openTabs(await tests.newContext(), app.url + INVITE, 2)
  const expected = seahorses()
  const file = fileOf(300_000)
  for (const [i, page] of pages.entries()) {
    const other = pages[1 - i] ?? page
    const fingerprint = await fingerprintOf(other)
    const row = page.getByRole('table', { name: 'Peers' }).getByRole('row').filter({ hasText: fingerprint })
    await row.filter({ hasText: /healthy.*\d ms.*direct.*established/s }).waitFor()

    await handOver(page)
    await latestTask(page).getByText('completed').waitFor()
    expect(await shownTile(page)).toBe(expected)
    await latestTask(page).getByText(`done by ${fingerprint}`).waitFor()

    await pickFile(page, 'letter.bin', file)
    await page.getByLabel('Done by').selectOption({ label: fingerprint })
    await handOver(page)
    await latestTask(page).getByText(sha256(file)).waitFor()
    await latestTask(page).getByText('completed').waitFor()
    await latestTask(page).getByText(`letter.bin, 293 KiB, done by ${fingerprint}`).waitFor()
  }
  const files = pages.map((page) =>
    page.evaluate(() =>
      window.peer?.tasks
        .filter(({ capability }) => capability === 'file.sha256')
        .map(({ direction }) => direction)
        .sort(),
    ),
  )
  expect(await Promise.all(files)).toEqual([
    ['in', 'out'],
    ['in', 'out'],
  ])
})

test('of four tabs each pair has a session, and each works for each', async () => {
  const pages = await openTabs(await tests.newContext(), app.url + INVITE, 4)
  for (const page of pages) await page.getByText('3 other peers, 3 sessions').waitFor()
  const digests = pages.map((page, i) =>
    page.evaluate(async (first) => {
      const { peer } = window
      const tasks = peer?.peers.map(async ({ id }, j) => {
        const bytes = new Uint8Array([first, j])
        const { digest } = await peer.delegate<{ digest: string }>(
          'file.sha256',
          { file: new Blob([bytes]) },
          { to: id },
        ).result
        return digest
      })
      return Promise.all(tasks ?? [])
    }, i),
  )
  expect(await Promise.all(digests)).toEqual(pages.map((_, i) => [0, 1, 2].map((j) => sha256(new Uint8Array([i, j])))))
})

test('a first visit needs nobody: one button opens the second tab, and the picture comes back from it', async () => {
  const context = await tests.newContext()
  const page = await openTab(context, app.url)
  const invite = await page.getByRole('textbox', { name: 'Invite link', exact: true }).inputValue()
  expect(invite).toBe(page.url())
  expect(invite).toMatch(/#mesh=mesh-[0-9a-f]{6}&secret=[\w-]{22}$/)
  await page.getByRole('img', { name: 'QR code of the invite link' }).waitFor()

  const opening = context.waitForEvent('page')
  await page.getByRole('button', { name: 'Open a second tab and hand over' }).click()
  const second = await opening
  await latestTask(page).getByText('completed').waitFor()
  expect(await shownTile(page)).toBe(seahorses())
  expect(await second.evaluate(() => location.hash)).toBe(new URL(invite).hash)
})

test('work that waits for a second tab can be taken back', async () => {
  const context = await tests.newContext()
  const page = await openTab(context, app.url)
  const opening = context.waitForEvent('page')
  await page.getByRole('button', { name: 'Open a second tab and hand over' }).click()
  await page.getByRole('button', { name: 'Cancel' }).click()
  await metOthers(await opening, 1)
  await metOthers(page, 1)
  await page.getByRole('button', { name: 'Hand over', exact: true }).waitFor()
  expect(await page.evaluate(() => window.peer?.tasks)).toEqual([])
})

test.each([
  ['closed', async (page: Page) => page.close()],
  ['sent elsewhere', async (page: Page) => void (await page.goto('about:blank'))],
])('a tab that was %s is gone from the list of the other within 15 s', async (_how, end) => {
  const [page, other] = await openTabs(await tests.newContext(), app.url + INVITE, 2)
  if (page === undefined || other === undefined) throw new Error('Two tabs were asked for.')
  await end(other)
  await page.getByText('Nobody else is here yet.').waitFor({ timeout: 15_000 })
  expect(await page.evaluate(() => window.peer?.peers)).toEqual([])
})

test('a tab that crashed is unreachable 15 s after it was last heard, and then gone', async () => {
  tests.allowProblem(/^crash: /)
  const [page, other] = await openTabs(await tests.newContext(), app.url + INVITE, 2)
  if (page === undefined || other === undefined) throw new Error('Two tabs were asked for.')
  // Ends in an error, as nothing is left to answer.
  await other.goto('chrome://crash').catch(() => undefined)
  // One second for the page to draw it.
  await page.getByRole('cell', { name: 'unreachable' }).waitFor({ timeout: 16_000 })
  await page.getByText('Nobody else is here yet.').waitFor()
})

/** Everything a page sends to the server: addresses, headers and bodies of requests, and WebSocket frames. */
function watchTraffic(context: BrowserContext): { requests: string[]; frames: Buffer[] } {
  const traffic: { requests: string[]; frames: Buffer[] } = { requests: [], frames: [] }
  context.on('request', (request) => {
    traffic.requests.push(`${request.url()} ${JSON.stringify(request.headers())} ${request.postData()}`)
  })
  context.on('page', (page) => {
    page.on('websocket', (socket) => {
      traffic.requests.push(socket.url())
      socket.on('framesent', ({ payload }) => traffic.frames.push(Buffer.from(payload)))
    })
  })
  return traffic
}

test('neither the secret nor the name of the mesh reaches the server', async () => {
  const context = await tests.newContext()
  const { requests, frames } = watchTraffic(context)
  const [page] = await openTabs(context, app.url + INVITE, 2)
  await page?.reload()
  if (page !== undefined) await metOthers(page, 1)
  // The page, its parts, and at least a join and an offer of each tab were seen.
  expect(requests.length).toBeGreaterThan(4)
  expect(requests.some((request) => request.startsWith('ws:'))).toBe(true)
  expect(frames.length).toBeGreaterThan(4)
  for (const word of [SECRET, MESH]) {
    const spellings = [word, encodeURIComponent(word), Buffer.from(word).toString('base64').replace(/=+$/, '')]
    expect(requests.filter((request) => spellings.some((text) => request.includes(text)))).toEqual([])
    expect(frames.filter((frame) => spellings.some((text) => frame.includes(text)))).toEqual([])
  }
})

test('two tabs are two peers, and a reloaded one is the same as before', async () => {
  const pages = await openTabs(await tests.newContext(), app.url + INVITE, 2)
  const before = await Promise.all(pages.map(peerIdOf))
  expect(new Set(before).size).toBe(2)
  for (const page of pages) {
    await page.reload()
    await joined(page)
  }
  expect(await Promise.all(pages.map(peerIdOf))).toEqual(before)
  for (const page of pages) await metOthers(page, 1)
})

test('who I am can be seen, named and copied, and others see the name', async () => {
  const context = await tests.newContext({ permissions: ['clipboard-read', 'clipboard-write'] })
  const [page, other] = await openTabs(context, app.url + INVITE, 2)
  if (page === undefined || other === undefined) throw new Error('Two tabs were asked for.')
  await page
    .getByRole('region', { name: 'Who I am' })
    .getByText(await fingerprintOf(page))
    .waitFor()
  await page.bringToFront()
  await page.getByRole('button', { name: 'Copy id' }).click()
  await page.getByRole('status').getByText('Copied').waitFor({ state: 'attached' })
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(await peerIdOf(page))

  await page.getByLabel('My name').fill('Ada')
  await page.getByLabel('My name').press('Enter')
  await page.getByRole('button', { name: 'Join again' }).click()
  await other.getByRole('table', { name: 'Peers' }).getByText('Ada').waitFor()
})

test('a mesh is joined by name or by a pasted invite link, and a wrong secret meets nobody', async () => {
  const context = await tests.newContext()
  const page = await openTab(context, app.url + INVITE)
  const other = await openTab(context, `${app.url}/#mesh=hallway`)
  await other.getByText('Join another mesh').click()
  const [mesh, secret] = [other.getByLabel('Mesh name or invite link'), other.getByLabel('Secret, if it has one')]
  const join = other.getByRole('button', { name: 'Join', exact: true })
  await mesh.fill(MESH)
  await secret.fill('a guess')
  await join.click()
  await other.waitForFunction((mesh) => window.peer?.mesh === mesh && window.peer.status === 'online', MESH)
  expect(await other.evaluate(() => window.peer?.peers)).toEqual([])

  await other.getByText('Join another mesh').click()
  await mesh.fill(page.url())
  await join.click()
  await Promise.all([metOthers(page, 1), metOthers(other, 1)])
})

test('the inspector tells of each message its type, direction, number, size and proof, also of those before it was opened', async () => {
  const [page] = await openTabs(await tests.newContext(), app.url + INVITE, 2)
  if (page === undefined) throw new Error('Two tabs were asked for.')
  await handOver(page)
  await latestTask(page).getByText('completed').waitFor()
  await page.locator('message-inspector').getByText('Inspector').click()
  const row = (type: string, direction: string) =>
    page
      .getByRole('table', { name: 'Messages, newest first' })
      .getByRole('row')
      .filter({ hasText: type })
      .filter({ hasText: direction })
  await row('task_delegate', 'out')
    .filter({ hasText: /#\d+\s+\d+\sB\s+signed/ })
    .first()
    .waitFor()
  await row('task_result', 'in')
    .filter({ hasText: /#\d+\s+4\.\d\sKiB\s+verified/ })
    .first()
    .waitFor()
  await row('handshake', 'out').first().waitFor()
  await row('task_result', 'in').first().getByRole('button').click()
  await page.getByText('The signature is valid under the Ed25519 key').waitFor()
  const numbers = await page.evaluate(() => window.peer?.peers[0]?.session?.received)
  expect(numbers).toBeGreaterThan(1)
})

test('with the server away the page says so, work goes on, and it comes back by itself', async () => {
  // The browser itself writes these about a server that is not there.
  tests.allowProblem(/WebSocket connection to .* failed/)
  let server = await startServer()
  try {
    const pages = await openTabs(await tests.newContext(), server.url + INVITE, 2)
    const { port } = server
    await server.close()
    for (const page of pages) await page.getByText('Signaling server out of reach, trying again.').waitFor()
    const [page] = pages
    if (page === undefined) throw new Error('Two tabs were asked for.')
    await handOver(page)
    await latestTask(page).getByText('completed').waitFor()

    server = await startServer(port)
    for (const page of pages) await page.getByText('Online').waitFor({ timeout: 45_000 })
    for (const page of pages) await metOthers(page, 1)
  } finally {
    await server.close()
  }
})
