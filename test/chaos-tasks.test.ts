import { expect, test } from 'vitest'
import { runTaskChaos } from './chaos/tasks.ts'

/** Short version of `pnpm chaos:tasks`. */
test('every task ends once at its caller, whatever happens to tabs and links', async () => {
  const seed = Date.now() % 1_000_000
  const tasks = 150
  console.log(`Seed ${seed}: pnpm chaos:tasks --minutes 0.25 --tasks ${tasks} --tabs 5 --seed ${seed}`)
  const result = await runTaskChaos({ seed, seconds: 15, tasks, tabs: 5, longestFreeze: 4_000 })
  console.log(JSON.stringify(result))
  expect(result).toMatchObject({ delegated: tasks, lost: 0, applied_twice: 0 })
  // A task may also fail, if it says so; hardly any has a reason to.
  expect(result.completed).toBeGreaterThan(0.9 * tasks)
}, 300_000)
