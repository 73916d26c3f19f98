/**
 * A capability in one file: how often each word stands in a text. A page offers it to its mesh with
 *
 *     peer.provide(wordStatistics, countWords)
 *
 * and any peer of that mesh uses it with `await peer.delegate('words.count', { text, most: 10 }).result`.
 */
import type { Capability, TaskContext } from '@tsunagi/protocol'

export interface WordInput {
  readonly text: string
  /** How many of the most frequent words are told; default 20. */
  readonly most?: number
}

export interface WordStatistics {
  /** Words in all. */
  readonly words: number
  /** Most frequent first; of the same number in the order of the alphabet. */
  readonly frequent: readonly { readonly word: string; readonly count: number }[]
}

/** What others see of it. Inputs that do not fit are refused before the handler runs, so it need not look. */
export const wordStatistics: Capability = {
  name: 'words.count',
  version: '1.0',
  description: 'How often each word stands in a text',
  input: {
    type: 'object',
    properties: {
      text: { type: 'string', maxLength: 4_000_000 },
      most: { type: 'integer', minimum: 1, maximum: 1_000 },
    },
    required: ['text'],
    additionalProperties: false,
  },
  output: {
    type: 'object',
    properties: {
      words: { type: 'integer', minimum: 0 },
      frequent: {
        type: 'array',
        items: {
          type: 'object',
          properties: { word: { type: 'string' }, count: { type: 'integer', minimum: 1 } },
          required: ['word', 'count'],
        },
      },
    },
    required: ['words', 'frequent'],
  },
  // Counting twice is counting once: where a tab goes away, another may do it again.
  idempotent: true,
}

/** Words between two looks at whether anybody still waits: some milliseconds of work. */
const PART = 20_000

export async function countWords(
  { text, most = 20 }: WordInput,
  { signal, progress }: Pick<TaskContext, 'signal' | 'progress'>,
): Promise<WordStatistics> {
  const counts = new Map<string, number>()
  let words = 0
  for (const { 0: word, index } of text.toLowerCase().matchAll(/[\p{Letter}\p{Number}]+/gu)) {
    counts.set(word, (counts.get(word) ?? 0) + 1)
    if (++words % PART > 0) continue
    progress(index / text.length, `${words} words`)
    // The page gets a turn, in which the caller may cancel.
    await new Promise((next) => setTimeout(next, 0))
    if (signal.aborted) throw signal.reason
  }
  const frequent = [...counts].map(([word, count]) => ({ word, count }))
  frequent.sort((a, b) => b.count - a.count || (a.word < b.word ? -1 : 1))
  return { words, frequent: frequent.slice(0, most) }
}
