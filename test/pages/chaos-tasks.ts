/** A page that hands numbered tasks over when told, does those of others, and writes down both. */
import { createPeer } from '@tsunagi/protocol/browser'
import { type Contradiction, type Execution, openBook, type TaskEnd } from '../chaos/task-book.ts'
import { cutLinks } from './connections.ts'

type Peer = Awaited<ReturnType<typeof createPeer>>
type TaskInfo = Peer['tasks'][number]

declare global {
  interface Window {
    chaosTasks: ChaosTasksPage
  }
}

export interface ChaosInput {
  readonly n: number
  /** Milliseconds it takes. */
  readonly ms: number
}

interface ChaosOutput {
  readonly n: number
  /** Of its execution in the book. */
  readonly execution: number
}

class ChaosTasksPage {
  readonly cutLinks = cutLinks
  readonly errors: string[] = []
  readonly #book = openBook()
  #peer: Peer | undefined
  /** Ends that this page was told of. */
  readonly #told = new Set<string>()
  /** Ends on their way into the book. */
  #writing = 0

  /** Joins, and answers with the peer's id. */
  async join(signaling: string, mesh: string): Promise<string> {
    const peer = await createPeer({ signaling, mesh })
    this.#peer = peer
    peer.on('error', (error) => this.errors.push(`${error.code}: ${error.message}`))
    peer.on('task', (task) => {
      if (task.direction === 'out' && task.endedAt !== undefined) void this.#ended(task)
    })
    // Also those that ended on a page that did not live to write that down.
    for (const task of peer.tasks) if (task.direction === 'out' && task.endedAt !== undefined) void this.#ended(task)
    const handler = (input: ChaosInput, { signal }: { signal: unknown }) => this.#execute(input, signal as AbortSignal)
    peer.provide({ name: 'again', version: '1', idempotent: true }, handler)
    peer.provide({ name: 'once', version: '1' }, handler)
    return peer.id
  }

  /** Idempotent. Answers with the id of the task; '' while nobody who could do it is known to this page. */
  delegate(capability: string, input: ChaosInput, deadline: number): string {
    const offers = this.#peer?.peers.some((peer) => peer.capabilities.some(({ name }) => name === capability))
    if (!offers) return ''
    const options = { idempotencyKey: String(input.n), retries: 100, deadline }
    return this.#peer?.delegate(capability, input, options).id ?? ''
  }

  /** Tasks of this page's peer that have not ended, or whose end is not in the book. */
  get open(): number {
    const under = this.#peer?.tasks.filter(({ direction, endedAt }) => direction === 'out' && endedAt === undefined)
    return (under?.length ?? 0) + this.#writing
  }

  get state(): unknown {
    return {
      peers: this.#peer?.peers.map(({ id, health, link, session }) => ({ id, health, link, session: session?.state })),
      tasks: this.#peer?.tasks.filter(({ endedAt }) => endedAt === undefined),
    }
  }

  get connected(): number {
    return this.#peer?.peers.filter(({ session }) => session?.state === 'established').length ?? 0
  }

  async readBook(): Promise<{ executions: Execution[]; ends: TaskEnd[]; contradictions: Contradiction[] }> {
    const book = await this.#book
    const [executions, ends, contradictions] = await Promise.all([
      book.getAll('executions'),
      book.getAll('ends'),
      book.getAll('contradictions'),
    ])
    return { executions, ends, contradictions }
  }

  async #execute({ n, ms }: ChaosInput, signal: AbortSignal): Promise<ChaosOutput> {
    const execution = await (await this.#book).add('executions', { n, by: this.#peer?.id ?? '' })
    await new Promise<void>((done) => {
      setTimeout(done, ms)
      signal.addEventListener('abort', () => done())
    })
    return { n, execution }
  }

  /**
   * Acts on the end of a task, as an app must: by its id, since a page that crashes may have acted and not lived to see that
   * noted by its peer, whose next page then tells it again. That must be the same end, and one page must not tell it twice.
   */
  async #ended({ id, state, error }: TaskInfo): Promise<void> {
    this.#writing++
    const book = await this.#book
    if (this.#told.has(id)) await book.add('contradictions', { id, why: 'told twice by one page' })
    this.#told.add(id)
    const key = 'ends'
    const end = await this.#endOf(id, state, error?.code)
    const transaction = book.transaction([key, 'contradictions'], 'readwrite')
    const known = await transaction.objectStore(key).get(id)
    if (known === undefined) await transaction.objectStore(key).add(end)
    else if (JSON.stringify(known) !== JSON.stringify(end)) {
      const why = `${JSON.stringify(known)}, then ${JSON.stringify(end)}`
      await transaction.objectStore('contradictions').add({ id, why })
    }
    await transaction.done
    this.#writing--
  }

  async #endOf(id: string, state: string, code = ''): Promise<TaskEnd> {
    if (state !== 'completed') return { id, n: -1, state, what: code }
    try {
      const output: ChaosOutput | undefined = await this.#peer?.task<ChaosOutput>(id)?.result
      return { id, n: output?.n ?? -1, state, what: String(output?.execution) }
    } catch (cause) {
      return { id, n: -1, state: 'without its output', what: String(cause) }
    }
  }
}

const page = new ChaosTasksPage()
// What a Tab calls has the name it has in all pages of that kind.
Object.assign(window, { chaosTasks: page, chaos: page })
