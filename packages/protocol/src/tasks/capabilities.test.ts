import { expect, test } from 'vitest'
import type { Capability, TaskHandler } from '../api.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { sessionPayloads } from '../messages.ts'
import { decodeCbor, encodeCbor, parseAs } from '../wire/cbor.ts'
import { CapabilityRegistry, capabilityDigestInput } from './capabilities.ts'
import type { ReadSchema } from './schema.ts'
import { schemaCheck } from './schema-check.ts'

const handler: TaskHandler = (input) => input
const count: Capability = { name: 'text.count', version: '1.0', input: { type: 'string' }, output: { type: 'integer' } }
const deep = (levels: number): Record<string, unknown> => (levels === 0 ? {} : { not: deep(levels - 1) })
const cyclic: Record<string, unknown> = {}
cyclic['$comment'] = cyclic

test.each<[string, unknown, unknown, RegExp]>([
  ['nothing', undefined, handler, /takes a capability/],
  ['no name', { version: '1.0' }, handler, /name is missing/],
  ['an empty name', { ...count, name: '' }, handler, /name/],
  ['a name too long', { ...count, name: 'x'.repeat(PROTOCOL.maxCapabilityName + 1) }, handler, /name/],
  ['no version', { name: 'text.count' }, handler, /version is missing/],
  ['a misspelt field', { ...count, inputs: {} }, handler, /inputs/],
  ['no handler', count, undefined, /handler of text.count must be a function/],
  ['a concurrency of 0', { ...count, concurrency: 0 }, handler, /1 to 64/],
  ['a concurrency of 65', { ...count, concurrency: 65 }, handler, /1 to 64/],
  ['a concurrency that is no number', { ...count, concurrency: '2' }, handler, /1 to 64/],
  ['a schema that is none', { ...count, input: { type: 'txt' } }, handler, /input schema of text.count/],
  ['an output schema that is none', { ...count, output: { pattern: '(' } }, handler, /output schema of text.count/],
  ['a schema with a function in it', { ...count, input: { default: () => 1 } }, handler, /cannot be sent/],
  ['a schema with a cycle', { ...count, input: cyclic }, handler, /cannot be sent/],
  ['a schema deeper than a message', { ...count, input: deep(PROTOCOL.maxDepth) }, handler, /levels deep/],
  [
    'a schema longer than a message',
    { ...count, input: { $comment: 'x'.repeat(PROTOCOL.maxControl) } },
    handler,
    /shorten/,
  ],
])('%s is refused with a sentence', (_, capability, run, sentence) => {
  const registry = new CapabilityRegistry()
  expect(() => registry.provide(capability as Capability, run as TaskHandler)).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(sentence) }),
  )
  expect(registry.descriptions()).toEqual([])
})

const problemOf = (schema: ReadSchema | undefined, value: unknown) =>
  schema === undefined ? 'not offered' : schemaCheck(schema)(value)

test('a name is offered once until it is withdrawn', () => {
  const registry = new CapabilityRegistry()
  const withdraw = registry.provide(count, handler)
  expect(() => registry.provide({ ...count, version: '2.0' }, handler)).toThrow(/offered already/)
  withdraw()
  registry.provide({ ...count, version: '2.0' }, handler)
  withdraw()
  expect(registry.find('text.count')?.description.version).toBe('2.0')
})

test('a peer offers no more than a response can carry', () => {
  const registry = new CapabilityRegistry()
  for (let i = 0; i < PROTOCOL.maxCapabilities; i++) registry.provide({ name: `c${i}`, version: '1' }, handler)
  expect(() => registry.provide(count, handler)).toThrow(/at most 64/)
  const response = { capabilities: registry.descriptions(), digest: new Uint8Array(32) }
  parseAs(sessionPayloads.capability_response, decodeCbor(encodeCbor(response)), 'capability_response')
})

test('others read the description without the concurrency, and its owner cannot change it afterwards', () => {
  const registry = new CapabilityRegistry()
  const input = { type: 'string' }
  registry.provide({ ...count, input, concurrency: 2 }, handler)
  input.type = 'number'
  expect(registry.descriptions()).toEqual([count])
  expect(problemOf(registry.find('text.count')?.input, 'text')).toBeUndefined()
})

test('the same capabilities have the same digest, in whatever order they were offered', () => {
  const [one, two] = [new CapabilityRegistry(), new CapabilityRegistry()]
  const other = { name: 'a', version: '1' }
  one.provide(count, handler)
  one.provide(other, handler)
  two.provide(other, handler)
  expect(capabilityDigestInput(one.descriptions())).not.toEqual(capabilityDigestInput(two.descriptions()))
  two.provide(count, handler)
  expect(capabilityDigestInput(one.descriptions())).toEqual(capabilityDigestInput(two.descriptions()))
})

test('a capability without schemas takes and gives any value', () => {
  const registry = new CapabilityRegistry()
  registry.provide({ name: 'any', version: '1' }, handler)
  for (const value of [null, 1, 'a', new Uint8Array(2), [{}]]) {
    expect(problemOf(registry.find('any')?.input, value)).toBeUndefined()
    expect(problemOf(registry.find('any')?.output, value)).toBeUndefined()
  }
})

test('there are places for what the most demanding capability asks for', () => {
  const registry = new CapabilityRegistry()
  registry.provide({ ...count, concurrency: 1 }, handler)
  expect(registry.places).toBe(LIMITS.maxRunningTasks)
  registry.provide({ name: 'fetch', version: '1', concurrency: 16 }, handler)
  expect(registry.places).toBe(16)
})
