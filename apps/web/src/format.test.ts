import { expect, test } from 'vitest'
import { about, count, exactTime, plainText, shorten, size, span, timeLeft } from './format.ts'

test.each([
  [0, '0 B'],
  [1_023, '1023 B'],
  [1_024, '1.0 KiB'],
  [102_298, '99.9 KiB'],
  [102_400, '100 KiB'],
  [1_048_575, '1.0 MiB'],
  [16 * 1_048_576, '16.0 MiB'],
  [2 ** 50, '1024 TiB'],
])('%d bytes read %s', (bytes, text) => {
  expect(size(bytes)).toBe(text.replace(' ', '\u00a0'))
})

test.each([
  [0.42, '0.4 ms'],
  [9.96, '10 ms'],
  [999.6, '1.0 s'],
  [59_949, '59.9 s'],
  [59_960, '1 min 0 s'],
  [125_000, '2 min 5 s'],
  [3_600_000, '1 h 0 min'],
])('%d ms read %s', (milliseconds, text) => {
  expect(span(milliseconds)).toBe(text)
})

test('an exact time ends in three digits of milliseconds', () => {
  expect(exactTime(1_700_000_000_042.9)).toMatch(/^\d\d:\d\d:\d\d\.042$/)
})

test('one is singular', () => {
  expect([count(0, 'peer'), count(1, 'peer'), count(1_024, 'peer')]).toEqual(['0 peers', '1 peer', '1,024 peers'])
})

test('a shortened name never cuts a character in two', () => {
  expect(shorten('🪢🪢🪢', 2)).toBe('🪢…')
  expect(shorten('kitchen', 7)).toBe('kitchen')
})

test('a text of another peer cannot turn round or break the line it stands in', () => {
  expect(plainText(' in\u202evoice\u202c\n\tgpj.exe ')).toBe('in voice gpj.exe')
  expect(plainText('a'.repeat(300))).toHaveLength(200)
})

test('what is left is told once there is something to go by, and no more exactly than it is known', () => {
  expect(timeLeft(0.01, 9_000)).toBeUndefined()
  expect(timeLeft(0.25, 2_000)).toBe(6_000)
  expect([400, 6_400, 100_000, 7_200_000].map(about)).toEqual(['about 1 s', 'about 6 s', 'about 2 min', 'about 2 h'])
})
