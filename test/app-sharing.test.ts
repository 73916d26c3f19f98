/** What peers give each other, and what each person allows: files, work by consent, strangers' code, and the account of it. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Locator, Page } from 'playwright-core'
import { afterEach, expect, test } from 'vitest'
import { ECHO, imported, moduleOf, section } from '../apps/web/src/capabilities/wasm-module.fixture.ts'
import {
  appServer,
  fileOf,
  fingerprintOf,
  handOver,
  INVITE,
  joined,
  latestTask,
  metOthers,
  openTabs,
  pickFile,
  sha256,
  twoTabs,
} from './app-tests.ts'
import { browserTests } from './browser-tests.ts'

const tests = browserTests()
const app = appServer()

const files = (page: Page) => page.getByRole('list', { name: 'Files' }).getByRole('listitem')
const question = (page: Page, text: string | RegExp) =>
  page.getByRole('region', { name: 'Questions' }).getByRole('article').filter({ hasText: text })
const answer = (asked: Locator, word: string) => asked.getByRole('button', { name: new RegExp(`^${word}: `) }).click()

/** A file of that name on this machine's disk, for the test. */
async function fileNamed(name: string, content: Buffer): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'tsunagi-test-'))
  folders.push(folder)
  await writeFile(path.join(folder, name), content)
  return path.join(folder, name)
}

const folders: string[] = []
afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })))
})

async function send(page: Page, file: string): Promise<void> {
  const panel = page.locator('transfer-panel')
  if (!(await panel.getByLabel('Files, chosen').isVisible())) await panel.getByText('Send files').click()
  await panel.getByLabel('Files, chosen').setInputFiles(file)
}

test('a file is offered by name and size, and goes only where it is accepted', async () => {
  const [page, other] = await twoTabs(tests, app.url + INVITE)
  const from = await fingerprintOf(page)
  // A name that would read “exe.jpg” in a line that lets it.
  await send(page, await fileNamed('holiday\u202egpj.exe', fileOf(3_000_000)))
  const asked = question(other, 'holiday gpj.exe, 2.9')
  await asked.getByText(from).waitFor()
  await answer(asked, 'Decline')
  await files(page).first().getByText('failed').waitFor()
  await files(page).first().getByText('TRANSFER_REJECTED').waitFor()

  await page.locator('transfer-panel form').evaluate((form) => {
    const dataTransfer = new DataTransfer()
    dataTransfer.items.add(new File(['dropped'], 'drop.txt'))
    form.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }))
  })
  await answer(question(other, 'drop.txt, 7'), 'Accept')
  await files(page).first().getByText('completed').waitFor()
  const saving = other.waitForEvent('download')
  await other.getByRole('button', { name: 'Download drop.txt' }).click()
  expect(await readFile(await (await saving).path(), 'utf8')).toBe('dropped')
  await other.getByRole('button', { name: 'Discard drop.txt' }).click()
  await other.getByRole('button', { name: 'Download drop.txt' }).waitFor({ state: 'detached' })
})

test('a transfer is cancelled by either side, and goes on after its sender was loaded anew', async () => {
  const [page, other] = await twoTabs(tests, app.url + INVITE)
  const content = fileOf(24_000_000)
  const [film, series] = [await fileNamed('film.bin', content), await fileNamed('series.bin', content)]
  await send(page, film)
  await answer(question(other, 'film.bin'), 'Accept')
  await files(other)
    .first()
    .getByText(/under way [1-9]/)
    .waitFor()
  await files(other).first().getByRole('button', { name: 'Cancel film.bin' }).click()
  await files(page).first().getByText('failed').waitFor()

  await send(page, series)
  await answer(question(other, 'series.bin'), 'Accept')
  await files(page)
    .first()
    .getByText(/under way [1-9]/)
    .waitFor()
  await page.reload()
  await files(page).first().getByText('interrupted').waitFor()
  await page.getByLabel('Choose the same file to go on').setInputFiles(series)
  await files(page).first().getByText('completed').waitFor()
  const saving = other.waitForEvent('download')
  await other.getByRole('button', { name: 'Download series.bin' }).click()
  expect(sha256(await readFile(await (await saving).path()))).toBe(sha256(content))
})

test('a file larger than any message is hashed, and stays nowhere', async () => {
  const [page, other] = await twoTabs(tests, app.url + INVITE)
  const content = fileOf(17_000_000)
  await page.getByRole('combobox', { name: 'Work' }).selectOption({ label: 'SHA-256 of a file' })
  await page.locator('hand-over input[type=file]').setInputFiles(await fileNamed('large.bin', content))
  await handOver(page)
  await latestTask(page).getByText(sha256(content)).waitFor()
  expect(await files(other).count()).toBe(0)
  await other.waitForFunction(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('tsunagi-transfers')
    for await (const _ of (folder as unknown as { keys(): AsyncIterable<string> }).keys()) return false
    return true
  })
})

/** Chooses who may use the SHA-256 of `page`. */
async function allow(page: Page, who: string): Promise<void> {
  const panel = page.getByRole('region', { name: 'What others may use' })
  const choice = panel.getByRole('group', { name: 'SHA-256 of a file' }).getByLabel('Who')
  if (!(await choice.isVisible())) await panel.getByText('What others may use').click()
  await choice.selectOption({ label: who })
}

test('who may use what is the choice of each person, asked each time where they want, and kept over a reload', async () => {
  const [page, other] = await twoTabs(tests, app.url + INVITE)
  const here = await fingerprintOf(page)
  await allow(other, 'whom I allow each time')
  await other.reload()
  await Promise.all([metOthers(page, 1), metOthers(other, 1)])
  const hash = async () => {
    await pickFile(page, 'a.txt', Buffer.from('hello'))
    await handOver(page)
  }
  await hash()
  const asked = question(other, `${here} asks this browser to: SHA-256 of a file`)
  await asked.getByText(/\d s left/).waitFor()
  await answer(asked, 'Deny')
  await latestTask(page).getByText('TASK_REJECTED').waitFor()
  await hash()
  await answer(asked, 'Allow')
  await latestTask(page).getByText('completed').waitFor()

  await allow(other, 'my contacts')
  await hash()
  await latestTask(page).getByText('TASK_REJECTED').waitFor()
  await other.getByRole('table', { name: 'Peers' }).getByRole('button', { name: here }).click()
  await other.getByRole('button', { name: 'Contact' }).click()
  await other.getByRole('table', { name: 'Peers' }).getByText('contact', { exact: true }).waitFor()
  await hash()
  await latestTask(page).getByText('completed').waitFor()
})

test('what was done for whom is counted once, and kept over a reload', async () => {
  const contexts = [await tests.newContext(), await tests.newContext()]
  const [page, other] = (await Promise.all(
    contexts.map(async (context) => (await openTabs(context, app.url + INVITE, 1))[0]),
  )) as [Page, Page]
  await Promise.all([metOthers(page, 1), metOthers(other, 1)])
  await pickFile(page, 'a.bin', fileOf(20_480))
  await handOver(page)
  await latestTask(page).getByText('completed').waitFor()
  const there = await fingerprintOf(other)
  const row = (of: Page, text: RegExp) => of.getByRole('region', { name: 'Account' }).getByRole('row', { name: text })
  for (const [of, text] of [
    [page, new RegExp(`^${there} – 1 task, .* 20\\.0\\sKiB \\d+ B$`)],
    [other, /^\w{8} 1 task, [^–]* – \d+ B 20\.0\sKiB$/],
  ] as const) {
    await of.getByText('Given and taken').click()
    await row(of, text).waitFor()
    await of.reload()
    await joined(of)
    await of.getByText('Given and taken').click()
    await row(of, text).waitFor()
  }
})

test('a module of a stranger runs once it is allowed, reads and writes by the interface, and reaches nothing else', async () => {
  const [page, other] = await twoTabs(tests, app.url + INVITE)
  const run = async (module: Uint8Array) => {
    await page.getByRole('combobox', { name: 'Work' }).selectOption({ label: 'Run a WebAssembly module' })
    await page
      .getByLabel('Module', { exact: true })
      .setInputFiles({ name: 'm.wasm', mimeType: '', buffer: Buffer.from(module) })
    await page.getByLabel('Input, as text').fill('Grüße')
    await handOver(page)
    await answer(question(other, 'asks this browser to: Run a WebAssembly module'), 'Allow')
  }
  await run(ECHO)
  await latestTask(page).getByRole('region', { name: 'Result as text' }).getByText('Grüße').waitFor()
  await run(moduleOf(section(1, [0x60, 0, 0]), section(2, imported('env', 'fetch', 0))))
  await latestTask(page).getByText('The module imports “env.fetch”').waitFor()
})

test('a browser with a language model of its own offers it, and its text comes as it is written', async () => {
  const context = await tests.newContext()
  await context.addInitScript(() => {
    const model = {
      async *promptStreaming(prompt: string) {
        yield `You said ${prompt}, `
        await new Promise((resolve) => Object.assign(window, { goOn: resolve }))
        yield 'and that was all.'
      },
      destroy: () => undefined,
    }
    Object.assign(window, {
      LanguageModel: { availability: async () => 'available', create: async () => model },
      Summarizer: { availability: async () => 'unavailable' },
    })
  })
  const [page, other] = await openTabs(context, app.url + INVITE, 2)
  if (page === undefined || other === undefined) throw new Error('Two tabs were asked for.')
  await other.getByText('What others may use').click()
  await other
    .getByRole('group', { name: 'Summarize a text' })
    .getByText('Not offered: the language model of this browser does not run on this machine.')
    .waitFor()
  await page.getByRole('combobox', { name: 'Work' }).selectOption({ label: 'Write a text' })
  await page.getByLabel('Prompt').fill('hello')
  await handOver(page)
  await answer(question(other, 'asks this browser to: Write a text').filter({ hasText: '“hello”' }), 'Allow')
  await latestTask(page).getByRole('region', { name: 'Result so far' }).getByText('You said hello,').waitFor()
  await other.evaluate(() => (window as { goOn?: () => void }).goOn?.())
  await latestTask(page).getByText('You said hello, and that was all.').waitFor()
})
