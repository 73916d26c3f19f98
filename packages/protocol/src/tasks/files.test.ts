import { describe, expect, test } from 'vitest'
import { attachTo, detachBlobs } from './blobs.ts'
import { fileIndexOf, placesOf, transferIdOf, withMarks } from './files.ts'
import { taskId } from './outbox.fixture.ts'
import { compileSchema } from './schema-check.ts'

const file = new File(['text'], 'notes.txt', { type: 'text/plain' })
const place = (...at: (string | number)[]) => ({ at, size: 4, media_type: 'text/plain', name: 'notes.txt' })

describe('a value with Blobs', () => {
  test('is taken apart and put together again', () => {
    const value = { list: [1, file, { deep: file }], other: 'x' }
    const { value: without, blobs } = detachBlobs(value)
    expect(without).toEqual({ list: [1, null, { deep: null }], other: 'x' })
    expect(placesOf(blobs)).toEqual([place('list', 1), place('list', 2, 'deep')])
    expect(attachTo(without, placesOf(blobs), [file, file])).toEqual(value)
    // What the app gave is as it was.
    expect(value.list[1]).toBe(file)
  })

  test('may be one', () => {
    const { value, blobs } = detachBlobs(file)
    expect([value, placesOf(blobs)]).toEqual([null, [place()]])
    expect(attachTo(null, placesOf(blobs), [file])).toBe(file)
  })

  test('without any stays what it is, also one that holds itself', () => {
    const value: unknown[] = [1, new Uint8Array(3)]
    value.push(value)
    expect(detachBlobs(value).value).toBe(value)
  })
})

test.each<[string, unknown, (string | number)[]]>([
  ['that is not there', {}, ['a']],
  ['that holds something', { a: 1 }, ['a']],
  ['inside what holds nothing', { a: null }, ['a', 'b']],
  ['twice', [null], [0]],
  ['of the prototype', {}, ['__proto__']],
  ['behind the prototype', {}, ['constructor', 'prototype', 'x']],
])('a place %s is refused', (_, value, at) => {
  const places = at[0] === 0 ? [place(...at), place(...at)] : [place(...at)]
  expect(() => attachTo(value, places, [1, 2])).toThrow(/place/)
  expect(({} as Record<string, unknown>)['x']).toBeUndefined()
})

test('both sides make the same ids, and those of one task and side are of no other', () => {
  const [one, other] = [taskId(1), taskId(2)]
  const id = transferIdOf(one, 'output', 3)
  expect(fileIndexOf(one, 'output', id)).toBe(3)
  expect([fileIndexOf(one, 'input', id), fileIndexOf(other, 'output', id)]).toEqual([undefined, undefined])
})

test('a schema says where a Blob stands, and how large it may be', () => {
  const blob = { type: 'string', contentEncoding: 'blob', maxLength: 4 }
  const check = compileSchema({ type: 'object', properties: { file: blob }, required: ['file'] }, 'The schema')
  const marked = (size: number) => withMarks({ file: null }, [{ ...place('file'), size }])
  expect(check(marked(4))).toBeUndefined()
  expect(check(marked(5))).toMatch(/^At \/file: /)
  expect(check({ file: new Uint8Array(4) })).toMatch(/Blob/)
  expect(check({ file: 'text' })).toMatch(/Blob/)
  expect(check({ file: { '\0blob': 4 } })).toMatch(/Blob/)
  const bytes = compileSchema({ type: 'string', contentEncoding: 'binary' }, 'The schema')
  expect(bytes(withMarks(null, [place()]))).toMatch(/bytes/)
  expect(compileSchema({ type: 'object' }, 'The schema')(withMarks(null, [place()]))).toMatch(/not Blob/)
})
