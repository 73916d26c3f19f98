import { expect, test } from 'vitest'
import type { TaskContext } from '../api.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import { tryCapability } from './capability-trial.ts'

const work = { name: 'work', version: '1' }

test('partial results, progress and a Blob each way', async () => {
  const trial = tryCapability(work, async (input: { file: Blob }, { partial, progress }: TaskContext) => {
    progress(0.5, 'half')
    for (let n = 0; n < 2 * PROTOCOL.partialWindow; n++) await partial(n)
    return [new Blob([await input.file.text(), '!'])]
  })
  const task = trial.delegate<Blob[]>({ file: new Blob(['text']) }, { partials: true })
  const partials: unknown[] = []
  for await (const part of task.partials) partials.push(part)
  expect(partials).toHaveLength(2 * PROTOCOL.partialWindow)
  expect(await (await task.result)[0]?.text()).toBe('text!')
  expect(task.info).toMatchObject({ state: 'completed', note: 'half' })
})

test('an output that does not fit, an error, and what cannot travel fail as they would between browsers', async () => {
  const outputs: (() => unknown)[] = [
    () => 'no number',
    () => {
      throw new Error('It cannot be done.')
    },
    () => new Map(),
  ]
  const trial = tryCapability({ ...work, output: { type: 'number' } }, (n: number) => outputs[n]?.())
  const codeOf = (n: number) => trial.delegate(n).result.catch(({ code }: { code: string }) => code)
  expect([await codeOf(0), await codeOf(1), await codeOf(2)]).toEqual([
    'TASK_OUTPUT_INVALID',
    'TASK_FAILED',
    'TASK_OUTPUT_INVALID',
  ])
})

test('a deadline passes when the clock of the test says so, and closing ends what is under way', async () => {
  const clock = new FakeClock()
  const reasons: unknown[] = []
  const handler = (_: unknown, { signal }: TaskContext) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        reasons.push(signal.reason)
        reject(signal.reason)
      })
    })
  const trial = tryCapability(work, handler, { clock })
  const late = trial.delegate(1, { deadline: 5_000 })
  await new Promise((next) => setImmediate(next))
  clock.advance(5_000)
  await expect(late.result).rejects.toMatchObject({ code: 'TASK_DEADLINE' })
  const open = trial.delegate(2, { deadline: LIMITS.maxDeadline })
  await new Promise((next) => setImmediate(next))
  trial.close()
  await expect(open.result).rejects.toMatchObject({ code: 'PEER_CLOSED' })
  expect(reasons).toMatchObject([{ code: 'TASK_DEADLINE' }, { code: 'PEER_CLOSED' }])
})
