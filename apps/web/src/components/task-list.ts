import type { Peer, TaskInfo } from '@tsunagi/protocol'
import { css, html, LitElement, nothing } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { store } from '../peer-store.ts'
import { controls } from '../styles/controls.ts'
import './task-line.ts'

const RUNNING = new Set<TaskInfo['state']>(['submitted', 'working'])

/** Work given away and work done for others, newest first. */
export class TaskList extends LitElement {
  static override properties = { peer: { attribute: false } }
  static override styles = [
    controls,
    css`
      ul {
        list-style: none;
        margin-block-start: var(--space-2);
      }
      li {
        border-block-start: 1px solid var(--rule);
      }
      .none {
        margin-block-start: var(--space-2);
      }
    `,
  ]
  declare peer: Peer
  #shown: readonly string[] = []
  #ticking: ReturnType<typeof setInterval> | undefined

  constructor() {
    super()
    store.drawOnChange(this)
  }

  override disconnectedCallback() {
    super.disconnectedCallback()
    this.#tick(false)
  }

  override render() {
    const tasks = new Map(this.peer.tasks.map((task) => [task.id, task]))
    const running = this.peer.tasks.some(({ state }) => RUNNING.has(state))
    this.#tick(running)
    const now = running ? Date.now() : 0
    // A task that comes in would push the others from under the pointer: then it waits below them.
    const kept = this.matches(':hover') ? this.#shown.filter((id) => tasks.has(id)) : []
    this.#shown = [...kept, ...[...tasks.keys()].filter((id) => !kept.includes(id))]
    return html`
      <section class="panel" aria-labelledby="title">
        <h2 id="title">Tasks</h2>
        ${
          tasks.size === 0
            ? html`<p class="none soft">None yet. Work you hand over, and work this tab does for others, stands here.</p>`
            : nothing
        }
        <ul aria-label="Tasks" ?hidden=${tasks.size === 0}>
          ${repeat(
            this.#shown,
            (id) => id,
            (id) => html`<li>
              <task-line .info=${tasks.get(id)} .handedOver=${store.handedOver(id)} .now=${now}></task-line>
            </li>`,
          )}
        </ul>
      </section>
    `
  }

  /** While something runs its time is shown as it passes. */
  #tick(wanted: boolean) {
    if (wanted) this.#ticking ??= setInterval(() => this.requestUpdate(), 1_000)
    else {
      clearInterval(this.#ticking)
      this.#ticking = undefined
    }
  }
}

customElements.define('task-list', TaskList)
