import { tryCapability } from '@tsunagi/protocol/testing'
import { afterAll, expect, test } from 'vitest'
import { countWords, wordStatistics } from './word-statistics.ts'

/** Two peers in this program: schemas, progress and cancelling are as between browsers. */
const trial = tryCapability(wordStatistics, countWords)
afterAll(() => trial.close())

test('counts words whatever their case, in any script', async () => {
  const text = 'To be, or not to be: 網 or 網.'
  expect(await trial.delegate({ text, most: 4 }).result).toEqual({
    words: 9,
    frequent: [
      { word: 'be', count: 2 },
      { word: 'or', count: 2 },
      { word: 'to', count: 2 },
      { word: '網', count: 2 },
    ],
  })
})

test('a text without words has none', async () => {
  expect(await trial.delegate({ text: ' … ' }).result).toEqual({ words: 0, frequent: [] })
})

test('what is no text is refused before the handler runs', async () => {
  await expect(trial.delegate({ text: 7 }).result).rejects.toMatchObject({ code: 'TASK_INPUT_INVALID' })
})

test('a long text is told of as it is counted, and can be cancelled', async () => {
  const task = trial.delegate({ text: 'word '.repeat(400_000) })
  await new Promise<void>((told) => task.onProgress(({ note }) => note !== '' && told()))
  expect(task.info.note).toMatch(/^\d+ words$/)
  task.cancel()
  await expect(task.result).rejects.toMatchObject({ code: 'TASK_CANCELED' })
})
