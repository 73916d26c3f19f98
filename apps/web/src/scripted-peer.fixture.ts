import type { CapabilityPolicy, MapOptions, MapRun, Peer, PeerEvents, PeerOptions, Task } from '@tsunagi/protocol'

/** A peer that does what a test tells it, and remembers what it was asked. */
export class ScriptedPeer {
  readonly id = 'did:key:z6MkScripted'
  readonly mesh: string
  readonly name: string
  readonly status = 'online'
  readonly peers: Peer['peers'] = []
  tasks: Peer['tasks'] = []
  closed = false
  readonly provided: string[] = []
  readonly transfers: Peer['transfers'] = []
  /** Who may use what, as the page said. */
  readonly policies = new Map<string, CapabilityPolicy>()
  /** Settles the tasks that were handed over, in their order. */
  readonly settle: { fulfil(output: unknown): void; reject(error: Error): void }[] = []
  readonly #given = new Map<string, Task>()
  readonly #listeners = new Map<keyof PeerEvents, Set<(detail: never) => void>>()

  constructor(options: PeerOptions) {
    this.mesh = options.mesh
    this.name = options.name ?? ''
  }

  get asPeer(): Peer {
    return this as unknown as Peer
  }

  on(event: keyof PeerEvents, listener: (detail: never) => void): () => void {
    const listeners = this.#listeners.get(event) ?? new Set()
    this.#listeners.set(event, listeners.add(listener))
    return () => listeners.delete(listener)
  }

  emit<E extends keyof PeerEvents>(event: E, detail: PeerEvents[E]): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(detail as never)
  }

  listeners(event: keyof PeerEvents): number {
    return this.#listeners.get(event)?.size ?? 0
  }

  provide({ name }: { name: string }): void {
    this.provided.push(name)
  }

  policy(capability: string, policy: CapabilityPolicy): void {
    this.policies.set(capability, policy)
  }

  delegate(capability: string): Task {
    const id = `task ${this.settle.length}`
    const result = new Promise<unknown>((fulfil, reject) => {
      this.settle.push({ fulfil, reject })
    })
    const info = { id, capability, direction: 'out', state: 'working', endedAt: undefined } as Task['info']
    const partials = { [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }) }
    const task = { id, info, result, partials, cancel: () => undefined } as unknown as Task
    this.#given.set(id, task)
    return task
  }

  task(id: string): Task | undefined {
    return this.#given.get(id)
  }

  /** Gives all inputs away at once. */
  map(capability: string, inputs: readonly unknown[], { onTask }: MapOptions): MapRun {
    const tasks = inputs.map(() => this.delegate(capability))
    this.tasks = [...tasks.map(({ info }) => info), ...this.tasks]
    for (const [at, task] of tasks.entries()) onTask?.(at, task)
    return { all: () => Promise.all(tasks.map(({ result }) => result)), cancel: () => undefined } as unknown as MapRun
  }

  async close(): Promise<void> {
    this.closed = true
  }
}
