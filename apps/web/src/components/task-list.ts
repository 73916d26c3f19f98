import type { Peer, TaskInfo } from '@tsunagi/protocol'
import { css, html, LitElement, nothing } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { count } from '../format.ts'
import { store } from '../peer-store.ts'
import type { Picture } from '../picture.ts'
import { SecondHand } from '../second-hand.ts'
import { controls } from '../styles/controls.ts'
import './picture-line.ts'
import './task-line.ts'

/** One line of the list: a task, or a picture of many. */
interface Entry {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly endedAt: number | undefined
  /** The line that this one is another try of. */
  readonly retryOf: string | undefined
  readonly what: { readonly task: TaskInfo } | { readonly picture: Picture }
}

/** Lines shown of those that ended, until all are asked for. */
const SHOWN_ENDED = 12

/** Work given away and work done for others, newest first. */
export class TaskList extends LitElement {
  static override properties = { peer: { attribute: false } }
  static override styles = [
    controls,
    css`
      ul {
        list-style: none;
      }
      li {
        border-block-start: 1px solid var(--rule);
      }
      h3,
      .none {
        margin-block: var(--space-3) var(--space-1);
      }
    `,
  ]
  declare peer: Peer
  #shown: readonly string[] = []
  #all = false
  readonly #secondHand = new SecondHand(this)

  constructor() {
    super()
    store.drawOnChange(this)
  }

  override render() {
    const tasks = this.peer.tasks.filter(({ id, direction }) => direction === 'in' || !store.pictures.has(id))
    const out = [...tasks.filter(({ direction }) => direction === 'out').map(entryOf), ...store.pictures.all.map(drawn)]
    const entries = [
      ...out.toSorted((a, b) => b.at - a.at),
      ...tasks.filter(({ direction }) => direction === 'in').map(entryOf),
    ]
    const running = entries.some(({ endedAt }) => endedAt === undefined)
    this.#secondHand.run(running)
    const now = running ? Date.now() : 0
    const byId = new Map(entries.map((entry) => [entry.id, entry]))
    this.#shown = this.#order(byId)
    const inOrder = this.#shown.flatMap((id) => byId.get(id) ?? [])
    return html`
      <section class="panel" aria-labelledby="title">
        <h2 id="title">Tasks</h2>
        ${
          entries.length === 0
            ? html`<p class="none soft">None yet. Work you hand over, and work this tab does for others, stands here.</p>`
            : nothing
        }
        ${this.#renderList(
          'Handed over',
          inOrder.filter((entry) => !isForOthers(entry)),
          now,
        )}
        ${this.#renderList('For others', inOrder.filter(isForOthers), now)}
      </section>
    `
  }

  /**
   * A task that comes in would push the others from under the pointer: while it is here, it waits below them. Another try takes
   * the place of the one before, which is where the pointer is.
   */
  #order(entries: ReadonlyMap<string, Entry>): string[] {
    if (!this.matches(':hover')) return [...entries.keys()]
    const order = this.#shown.filter((id) => entries.has(id))
    for (const { id, retryOf } of entries.values()) {
      if (order.includes(id)) continue
      const place = retryOf === undefined ? -1 : order.indexOf(retryOf)
      order.splice(place < 0 ? order.length : place, 0, id)
    }
    return order
  }

  #renderList(title: string, entries: readonly Entry[], now: number) {
    if (entries.length === 0) return nothing
    const hidden = this.#all ? [] : entries.filter(({ endedAt }) => endedAt !== undefined).slice(SHOWN_ENDED)
    return html`
      <h3>${title}</h3>
      <ul aria-label=${title}>
        ${repeat(
          entries.filter((entry) => !hidden.includes(entry)),
          ({ id }) => id,
          ({ id, what }) => html`<li>
            ${
              'task' in what
                ? html`<task-line .info=${what.task} .given=${store.given.of(id)} .now=${now}></task-line>`
                : html`<picture-line .picture=${what.picture} .now=${now}></picture-line>`
            }
          </li>`,
        )}
      </ul>
      ${
        hidden.length === 0
          ? nothing
          : html`<button type="button" class="quiet" @click=${this.#showAll}>Show ${count(hidden.length, 'older one')}</button>`
      }
    `
  }

  #showAll() {
    this.#all = true
    this.requestUpdate()
  }
}

function entryOf(task: TaskInfo): Entry {
  // Of tasks for others their callers chose the ids, which may be ours as well.
  const id = task.direction === 'out' ? task.id : `${task.peer} ${task.id}`
  const retryOf = task.direction === 'out' ? store.given.of(id)?.retryOf : undefined
  return { id, at: task.createdAt, endedAt: task.endedAt, retryOf, what: { task } }
}

function drawn(picture: Picture): Entry {
  const { id, startedAt: at, endedAt, retryOf } = picture
  return { id, at, endedAt, retryOf, what: { picture } }
}

function isForOthers({ what }: Entry): boolean {
  return 'task' in what && what.task.direction === 'in'
}

customElements.define('task-list', TaskList)
