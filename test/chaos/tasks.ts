/**
 * Tabs that hand each other tasks while they are reloaded, closed, crashed, frozen and cut off; then what was handed over is
 * held against how it ended. `pnpm chaos:tasks --minutes M --seed S [--tasks N]`
 */
import { parseArgs } from 'node:util'
import { createSignalingServer, SIGNALING_PATH } from '@tsunagi/signaling'
import { launchChromium } from '../browsers.ts'
import { servePages } from '../pages/serve.ts'
import { Random } from './random.ts'
import { Tab } from './tab.ts'

export interface TaskChaosOptions {
  readonly seed: number
  /** How long faults are made; tasks are handed over for as long. */
  readonly seconds: number
  /** In all. */
  readonly tasks: number
  /** Default 8. */
  readonly tabs?: number
  /** Milliseconds; beyond a lease and its patience a frozen tab's tasks go to others. Default 45,000. */
  readonly longestFreeze?: number
}

export interface TaskChaosResult {
  readonly seed: number
  readonly delegated: number
  readonly completed: number
  /** Ended otherwise. */
  readonly failed: number
  /** Without an end. */
  readonly lost: number
  /** Ends that one page told twice, or that contradict an earlier one, and numbers that were completed as two tasks. */
  readonly applied_twice: number
  /** Numbers whose handlers began more than once. */
  readonly executed_twice: number
  readonly faults: Record<string, number>
  /** How those ended that did not complete, what contradicts, and what peers told. */
  readonly notes: Record<string, number>
}

/** What is under way after the last fault has this long to end: two peers may have to be given up, one after the other. */
const SETTLE = 120_000
/** No task ends by its deadline. */
const DEADLINE = 3_600_000

export async function runTaskChaos(options: TaskChaosOptions): Promise<TaskChaosResult> {
  const { seed, seconds, longestFreeze = 45_000 } = options
  const random = new Random(seed)
  const faults: Record<string, number> = {}
  const notes: Record<string, number> = {}
  const [browser, pages, server] = await Promise.all([
    launchChromium(),
    servePages(),
    createSignalingServer({ port: 0, origins: [] }),
  ])
  try {
    const context = await browser.newContext()
    const address = {
      url: `${pages.origin}/chaos-tasks.html`,
      signaling: `ws://127.0.0.1:${server.port}${SIGNALING_PATH}`,
      mesh: `chaos ${seed}`,
    }
    const tabs = Array.from({ length: options.tabs ?? 8 }, () => new Tab(context, address))
    for (const tab of tabs) await tab.open()
    const ids = tabs.map(({ id }) => id)
    await tabs.at(-1)?.connected()

    const end = Date.now() + seconds * 1_000
    const onTab: Record<string, (tab: Tab) => Promise<void>> = {
      reload: (tab) => tab.reload(),
      close: async (tab) => {
        await tab.close()
        await passed(random.between(0, 5_000))
        await tab.open()
      },
      crash: (tab) => tab.crashAndReopen(),
      freeze: (tab) => tab.freezeAndThaw(random.between(500, random.pick([4_000, longestFreeze]))),
      cut: (tab) => tab.cutNetwork(random.between(0, 5_000)),
      links: (tab) => tab.evaluate(() => window.chaosTasks.cutLinks()),
    }
    const makeFaults = async () => {
      while (Date.now() < end) {
        const fault = random.pick(Object.keys(onTab))
        faults[fault] = (faults[fault] ?? 0) + 1
        await onTab[fault]?.(random.pick(tabs))
        await passed(random.between(100, 1_500))
      }
    }
    /** Ids of tasks by their numbers. */
    const delegated = new Map<number, string>()
    const inputs = Array.from({ length: options.tasks }, (_, n) => ({
      n,
      ms: random.between(0, 2_000),
      from: ids[n % ids.length] ?? '',
      capability: random.pick(['again', 'once']),
      due: end - seconds * 1_000 * (1 - n / options.tasks),
    }))
    const delegateAll = async (from: string) => {
      for (const { n, ms, capability, due } of inputs.filter((input) => input.from === from)) {
        await passed(due - Date.now())
        // One whose page ended meanwhile is handed over again by the next: its key says that it is the same.
        for (let id = ''; id === ''; ) {
          const tab = tabs.find((candidate) => candidate.id === from)
          id = (await tab?.delegate(capability, { n, ms }, DEADLINE)) ?? ''
          if (id === '') await passed(200)
          else delegated.set(n, id)
        }
      }
    }
    await Promise.all([makeFaults(), ...ids.map(delegateAll)])

    const settled = await Promise.allSettled(tabs.map((tab) => tab.until(() => window.chaosTasks.open === 0, SETTLE)))
    if (settled.some(({ status }) => status === 'rejected')) {
      for (const tab of tabs) console.error(tab.id, JSON.stringify(await tab.evaluate(() => window.chaosTasks.state)))
    }
    const note = (what: string) => {
      notes[what] = (notes[what] ?? 0) + 1
    }
    for (const tab of tabs) {
      for (const error of [...tab.errors, ...(await tab.evaluate(() => window.chaosTasks.errors))]) note(error)
    }
    const book = await tabs[0]?.evaluate(() => window.chaosTasks.readBook())
    if (book === undefined) throw new Error('There are no tabs.')
    const ends = new Map(book.ends.map((ended) => [ended.id, ended]))
    const completed = book.ends.filter(({ state }) => state === 'completed')
    for (const { state, what } of book.ends) if (state !== 'completed') note(`${state}: ${what}`)
    for (const { why } of book.contradictions) note(why)
    const wrong = [...delegated].filter(([n, id]) => ends.get(id)?.state === 'completed' && ends.get(id)?.n !== n)
    for (const [n, id] of wrong) note(`task ${n} got the result of ${ends.get(id)?.n}`)
    const executions = book.executions.map(({ n }) => n)
    return {
      seed,
      delegated: delegated.size,
      completed: [...delegated.values()].filter((id) => ends.get(id)?.state === 'completed').length,
      failed: [...delegated.values()].filter((id) => (ends.get(id)?.state ?? 'completed') !== 'completed').length,
      lost: [...delegated.values()].filter((id) => !ends.has(id)).length,
      applied_twice: book.contradictions.length + wrong.length + repeated(completed.map(({ n }) => n)),
      executed_twice: repeated(executions),
      faults,
      notes,
    }
  } finally {
    await browser.close()
    await Promise.all([server.close(), pages.close()])
  }
}

/** How many numbers stand in the list more than once. */
function repeated(numbers: readonly number[]): number {
  const seen = new Set<number>()
  return new Set(numbers.filter((n) => seen.has(n) || !seen.add(n))).size
}

function passed(ms: number): Promise<void> {
  return new Promise((pass) => setTimeout(pass, Math.max(0, ms)))
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      tasks: { type: 'string', default: '2000' },
      tabs: { type: 'string', default: '8' },
    },
  })
  console.log(`Seed ${values.seed}`)
  const { notes, ...result } = await runTaskChaos({
    seed: Number(values.seed),
    seconds: Number(values.minutes) * 60,
    tasks: Number(values.tasks),
    tabs: Number(values.tabs),
  })
  console.log('How tasks failed, and what the peers told:', notes)
  console.log(JSON.stringify(result))
  process.exit(result.lost + result.applied_twice === 0 && result.delegated === Number(values.tasks) ? 0 : 1)
}
