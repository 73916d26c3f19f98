import { expect, test } from 'vitest'
import { ECHO, ENDLESS, HUNGRY, imported, moduleOf, STRAY, section, TALKATIVE } from './wasm-module.fixture.ts'
import { checkModule } from './wasm-module.ts'

test.each(Object.entries({ ECHO, ENDLESS, HUNGRY, TALKATIVE, STRAY }))(
  '%s is a module that the engine takes, and so does this check',
  (_, code) => {
    expect(WebAssembly.validate(code)).toBe(true)
    expect(() => checkModule(code)).not.toThrow()
  },
)

const TYPE = section(1, [0x60, 0, 0])
const TABLE = (...limits: number[]) => moduleOf(section(4, [0x70, ...limits]))

test.each<[string, Uint8Array, string]>([
  ['no module', new Uint8Array([1, 2, 3]), 'This is no WebAssembly module.'],
  ['another version', new Uint8Array([0, 0x61, 0x73, 0x6d, 2, 0, 0, 0]), 'This is no WebAssembly module.'],
  [
    'an import of the page',
    moduleOf(TYPE, section(2, imported('env', 'fetch', 0))),
    'The module imports “env.fetch”; there is only input_length',
  ],
  [
    'an import of that name that is a memory',
    moduleOf(section(2, [...imported('tsunagi', 'progress', 0).slice(0, -2), 2, 0, 1])),
    'The module imports “tsunagi.progress”',
  ],
  ['a type of objects', moduleOf(section(1, [0x5f, 0])), 'types other than functions'],
  ['a group of types', moduleOf(section(1, [0x4e, 1, 0x60, 0, 0])), 'types other than functions'],
  ['references to objects', moduleOf(section(1, [0x60, 1, 0x6e, 0])), 'types that are not allowed here'],
  ['a table without end', TABLE(0, 1), 'a table without a maximum'],
  ['a large table', TABLE(1, 1, 0xff, 0xff, 0x7f), 'a table of more than 100000 entries'],
  ['a second memory', moduleOf(section(5, [1, 1, 2], [1, 1, 2])), 'more than one memory'],
  ['exceptions', moduleOf(TYPE, section(13, [0, 0])), 'a section of kind 13'],
  ['a section that is cut off', new Uint8Array([...moduleOf(), 1, 4, 1, 0x60]), 'ends too soon'],
  ['a number without end', new Uint8Array([...moduleOf(), 1, 255, 255, 255, 255, 255]), 'a number that is too long'],
])('%s is refused in a sentence', (_, code, sentence) => {
  expect(() => checkModule(code)).toThrow(sentence)
})
