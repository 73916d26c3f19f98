import { tryCapability } from '@tsunagi/protocol/testing'
import { afterAll, expect, test } from 'vitest'
import { csvSums, sumColumns } from './csv-sums.ts'

const trial = tryCapability(csvSums, sumColumns)
afterAll(() => trial.close())

const sums = (...parts: BlobPart[]) => trial.delegate({ file: new Blob(parts) }).result

test('sums each column, and counts what it summed', async () => {
  expect(await sums('name,price,"of, which"\r\n', 'apple,1.5,2\n"a ""pear""",2,\n')).toEqual({
    lines: 2,
    columns: [
      { column: 'name', sum: 0, numbers: 0 },
      { column: 'price', sum: 3.5, numbers: 2 },
      { column: 'of, which', sum: 2, numbers: 1 },
    ],
  })
})

test('reads a file of many parts as one, also where a part ends within a line or a character', async () => {
  const line = new TextEncoder().encode('1,ä\n')
  const file = [new TextEncoder().encode('n,t\n'), ...Array.from({ length: 10_000 }, () => line)]
  expect(await sums(...file)).toMatchObject({ lines: 10_000, columns: [{ sum: 10_000 }, { numbers: 0 }] })
})

test('an empty file has no columns', async () => {
  expect(await sums()).toEqual({ lines: 0, columns: [] })
})

test('what is no file of lines fails with a sentence', async () => {
  await expect(sums('x'.repeat(2_000_000))).rejects.toMatchObject({
    code: 'TASK_FAILED',
    message: expect.stringContaining('CSV'),
  })
})

test('what is no file is refused', async () => {
  await expect(trial.delegate({ file: 'a,b' }).result).rejects.toMatchObject({ code: 'TASK_INPUT_INVALID' })
})
