import type { CapabilityDescription, TaskHandler } from '@tsunagi/protocol'

/** What is used of the browser's own language models, where it has any: Chrome's Prompt and Summarizer APIs. */
interface ModelFactory<Model> {
  availability(options: object): Promise<'unavailable' | 'downloadable' | 'downloading' | 'available'>
  create(options: object): Promise<Model & { destroy(): void }>
}
interface Writer {
  promptStreaming(prompt: string, options: { signal: unknown }): AsyncIterable<string>
}
interface Summarizer {
  summarizeStreaming(text: string, options: { signal: unknown }): AsyncIterable<string>
}

declare global {
  var LanguageModel: ModelFactory<Writer> | undefined
  var Summarizer: ModelFactory<Summarizer> | undefined
}

/** What each model has to be told of its output; English is what all of them know. */
const OPTIONS = {
  LanguageModel: { expectedOutputs: [{ type: 'text', languages: ['en'] }] },
  Summarizer: { outputLanguage: 'en' },
}

/** Characters in and out: a model takes a few thousand words, and one that rambles has an end. */
const MAX_TEXT = 20_000

const text = { type: 'string', minLength: 1, maxLength: MAX_TEXT }
const output = {
  type: 'object',
  properties: { text: { type: 'string' } },
  required: ['text'],
  additionalProperties: false,
}

export const textGenerate: CapabilityDescription = {
  name: 'text.generate',
  version: '1.0',
  description: 'Text by the language model that is built into the browser',
  input: {
    type: 'object',
    properties: { prompt: { ...text, title: 'Prompt' } },
    required: ['prompt'],
    additionalProperties: false,
  },
  output,
}

export const textSummarize: CapabilityDescription = {
  name: 'text.summarize',
  version: '1.0',
  description: 'A summary by the language model that is built into the browser',
  input: {
    type: 'object',
    properties: { text: { ...text, title: 'Text' } },
    required: ['text'],
    additionalProperties: false,
  },
  output,
}

export const generate: TaskHandler = ({ prompt }: { prompt: string }, { signal, partial }) =>
  written<Writer>('LanguageModel', signal, partial, (model) => model.promptStreaming(prompt, { signal }))

export const summarize: TaskHandler = ({ text }: { text: string }, { signal, partial }) =>
  written<Summarizer>('Summarizer', signal, partial, (model) => model.summarizeStreaming(text, { signal }))

/** Why this browser has no such model to give, in a sentence; undefined where it has. */
export async function lacking(model: 'LanguageModel' | 'Summarizer'): Promise<string | undefined> {
  const factory = globalThis[model]
  if (factory === undefined) return 'Not offered: this browser has no language model built in.'
  switch (await factory.availability(OPTIONS[model])) {
    case 'available':
      return undefined
    case 'unavailable':
      return 'Not offered: the language model of this browser does not run on this machine.'
    default:
      // To load it takes gigabytes, which is not for a page to begin by itself.
      return 'Not offered: this browser has not loaded its language model.'
  }
}

async function written<Model>(
  name: keyof typeof OPTIONS,
  signal: unknown,
  partial: (piece: string) => Promise<void>,
  write: (model: Model) => AsyncIterable<string>,
): Promise<{ text: string }> {
  const factory = globalThis[name] as ModelFactory<Model> | undefined
  if (factory === undefined) throw new Error('This browser has no such model any more.')
  const model = await factory.create({ ...OPTIONS[name], signal })
  try {
    let text = ''
    for await (const piece of write(model)) {
      text += piece
      if (text.length > MAX_TEXT) throw new Error(`The model wrote more than ${MAX_TEXT} characters.`)
      await partial(piece)
    }
    return { text }
  } finally {
    model.destroy()
  }
}
