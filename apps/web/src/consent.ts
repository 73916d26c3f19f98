import {
  type Audience,
  type CapabilityPolicy,
  type ConsentRequest,
  fingerprintOf,
  LIMITS,
  type Peer,
  type TaskFileInfo,
  type TaskInfo,
} from '@tsunagi/protocol'
import { BUILT_IN, titleOf } from './capabilities/index.ts'
import { plainText, size } from './format.ts'
import type { PageHost, PagePart } from './page-part.ts'
import type { Questions } from './questions.ts'

/** Who may use a capability of this browser, and how much one peer may; what is left out is not limited. */
export type Choice = Omit<CapabilityPolicy, 'ask'>

export const AUDIENCES: readonly Audience[] = ['mesh', 'contacts', 'ask', 'nobody']
export const BOUNDS = ['tasksAtOnce', 'seconds', 'bytes'] as const

const KEY = 'tsunagi.consent'
/** Refused tasks that are remembered as such: more than the list of tasks shows. */
const MAX_REFUSED = 256

/** The choices of the person, the same in all tabs and kept over pages. */
export class Consent implements PagePart {
  readonly #host: PageHost
  readonly #questions: Questions
  #peer: Peer | undefined
  #choices: ReadonlyMap<string, Choice> = new Map()
  readonly #refused = new Set<string>()

  constructor(host: PageHost, questions: Questions) {
    this.#host = host
    this.#questions = questions
  }

  attach(peer: Peer): void {
    this.#peer = peer
    this.#load()
    addEventListener('storage', this.#changedElsewhere)
  }

  detach(): void {
    this.#peer = undefined
    removeEventListener('storage', this.#changedElsewhere)
  }

  of(capability: string): Choice {
    const initial = BUILT_IN.find(({ name }) => name === capability)?.initially ?? 'ask'
    return this.#choices.get(capability) ?? { who: initial }
  }

  /** Whether the person of this page refused a task of another peer. */
  hasRefused({ peer, id }: Pick<TaskInfo, 'peer' | 'id'>): boolean {
    return this.#refused.has(`${peer} ${id}`)
  }

  /** @throws Error where the browser keeps nothing: then it holds for as long as this page */
  choose(capability: string, choice: Choice): void {
    this.#choices = new Map([...this.#choices, [capability, choice]])
    this.#apply()
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(this.#choices)))
  }

  readonly #changedElsewhere = ({ key }: StorageEvent) => {
    if (key === KEY || key === null) this.#load()
  }

  #load(): void {
    try {
      const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}')
      this.#choices = new Map(Object.entries(kept ?? {}).flatMap(([name, choice]) => readChoice(name, choice)))
    } catch {
      // What cannot be read was not chosen here: then what each capability says of itself holds.
      this.#choices = new Map()
    }
    this.#apply()
  }

  #apply(): void {
    for (const { name } of BUILT_IN)
      this.#peer?.policy(name, { ...this.of(name), ask: (request) => this.#ask(request) })
    this.#host.changed()
  }

  async #ask({ taskId, caller, capability, input, size: bytes, signal }: ConsentRequest): Promise<boolean> {
    const wish = `asks this browser to: ${titleOf(capability)}`
    const name = this.#peer?.peers.find(({ id }) => id === caller)?.name || fingerprintOf(caller)
    this.#host.announce(`${name} ${wish}. Allow or deny it at the end of the page.`)
    const words = Object.values(Object(input))
      .map(wordsOf)
      .find((text) => text !== '')
    const detail = `${size(bytes)} of input${words === undefined ? '' : `: “${plainText(words, 120)}”`}`
    const answer = await this.#questions.ask(
      { from: caller, wish, detail, yes: 'Allow', no: 'Deny' },
      LIMITS.consentTimeout,
      signal as AbortSignal,
    )
    if (answer === 'no') {
      this.#refused.add(`${caller} ${taskId}`)
      if (this.#refused.size > MAX_REFUSED) this.#refused.delete(this.#refused.values().next().value ?? '')
    }
    return answer === 'yes'
  }
}

/** A text, or the name of a file. */
function wordsOf(part: unknown): string {
  if (typeof part === 'string') return part
  const { name } = Object(part) as Partial<TaskFileInfo>
  return typeof name === 'string' ? name : ''
}

function readChoice(name: string, value: unknown): [string, Choice][] {
  const { who, ...rest } = (value ?? {}) as Record<string, unknown>
  if (!AUDIENCES.includes(who as Audience)) return []
  const bounds = BOUNDS.flatMap((bound) => {
    const most = rest[bound]
    return typeof most === 'number' && most > 0 ? [[bound, most]] : []
  })
  return [[name, { who: who as Audience, ...Object.fromEntries(bounds) }]]
}
