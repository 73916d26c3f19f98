/** Real tabs at two nodes with one Redis between them: one mesh, whichever node a tab came to, and whichever of them dies. */
import { SIGNALING_PATH } from '@tsunagi/signaling'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { browserTests } from './browser-tests.ts'
import { Tab } from './chaos/tab.ts'
import { TestRedis } from './load/redis.ts'
import { ServerProcess } from './load/server-process.ts'
import { TcpProxy } from './load/tcp-proxy.ts'

const tests = browserTests()
let redis: TestRedis
let nodes: ServerProcess[]
/** As a balancer would, one for each tab: it stands before a node and sends new connections to another when that dies. */
let balancers: TcpProxy[]

beforeAll(async () => {
  redis = await TestRedis.start()
})
afterAll(() => redis.stop())

beforeEach(async () => {
  // A node that is killed, here or after the test, ends the sockets of pages that are still open.
  tests.allowProblem(/WebSocket connection to .* failed/)
  balancers = [await TcpProxy.to(), await TcpProxy.to()]
  const TSUNAGI_ORIGINS = balancers.map(({ port }) => `ws://127.0.0.1:${port}`).join(',')
  nodes = await Promise.all([0, 1].map(() => ServerProcess.start({ REDIS_URL: redis.url, TSUNAGI_ORIGINS })))
  balancers.forEach((balancer, i) => {
    balancer.upstream = nodes[i]?.port ?? 0
  })
})
afterEach(() => {
  for (const node of nodes) node.signal('SIGKILL')
  for (const balancer of balancers) balancer.cut()
})

const signalingOf = (tab: 0 | 1) => `ws://127.0.0.1:${balancers[tab]?.port}${SIGNALING_PATH}`

test('tabs at different nodes meet and delegate', async () => {
  const [helper, caller] = [await tests.openPage('tasks.html'), await tests.openPage('tasks.html')]
  const id = await helper.evaluate((url) => window.join(url), signalingOf(0))
  await caller.evaluate((url) => window.join(url), signalingOf(1))
  await caller.waitForFunction(
    (id) => window.peer.peers.some((peer) => peer.id === id && peer.capabilities.length === 2),
    id,
  )
  const task = await caller.evaluate(() => window.peer.delegate('work', 'across').id)
  await helper.waitForFunction(() => window.running.includes('across'))
  await helper.evaluate(() => window.finish('across', 'done'))
  expect(await caller.evaluate((task) => window.resultOf(task), task)).toBe('done')
})

test('a tab wakes one at the other node, whose links were closed for want of use', async () => {
  const [alice, bob] = [await tests.openPage('waking.html'), await tests.openPage('waking.html')]
  const LINK_IDLE = 1_000
  await alice.evaluate(([url, idle]) => window.join(url, idle), [signalingOf(0), LINK_IDLE] as const)
  const id = await bob.evaluate(([url, idle]) => window.join(url, idle), [signalingOf(1), LINK_IDLE] as const)
  const untilSession = (state: string) =>
    alice.waitForFunction(([id, state]) => window.isSession(id, state), [id, state] as const, { polling: 10 })
  await untilSession('established')
  await untilSession('suspended')
  const result = await alice.evaluate((id) => window.peer.wakeUp(id), id)
  expect(result).toMatchObject({ outcome: 'waking', step: 'socket' })
  await untilSession('established')
})

test('a node is killed: its tab is at the other within 5 s, in the same session, and nothing is lost', async () => {
  const context = await tests.newContext()
  const [here, there] = ([0, 1] as const).map(
    (tab) => new Tab(context, { url: `${tests.origin}/chaos.html`, signaling: signalingOf(tab), mesh: 'nodes' }),
  ) as [Tab, Tab]
  await here.open()
  await there.open()
  await Promise.all([here.connected(), there.connected()])
  const session = await here.evaluate(() => window.chaos.sessions)

  if (balancers[0] !== undefined) balancers[0].upstream = nodes[1]?.port ?? 0
  nodes[0]?.signal('SIGKILL')
  const killed = performance.now()
  await nodes[0]?.exit
  // Without a link only signaling brings them together again.
  await here.evaluate(() => window.chaos.cutLinks())
  expect(await here.send(there.id, 1)).toBe(true)
  expect(await there.send(here.id, 1)).toBe(true)
  await Promise.all([here.settled(60_000), there.settled(60_000)])
  const ms = Math.round(performance.now() - killed)
  console.log(`A node is killed and links are cut: the session goes on after ${ms} ms`)
  expect(ms).toBeLessThan(5_000)
  expect(await here.evaluate(() => window.chaos.sessions)).toEqual(session)
})
