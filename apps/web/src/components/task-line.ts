import type { PeerId, TaskInfo } from '@tsunagi/protocol'
import { html, LitElement, nothing } from 'lit'
import { titleOf } from '../capabilities/index.ts'
import { about, plainText, size, span, timeLeft, timeOfDay } from '../format.ts'
import type { Given } from '../given-work.ts'
import { taskStateOf, whoWords } from '../peer-state.ts'
import { store } from '../peer-store.ts'
import { controls } from '../styles/controls.ts'
import './task-output.ts'
import './task-partials.ts'
import { lineAction } from './work-line.ts'

/** One task in one line, which opens to its result or what went wrong. */
export class TaskLine extends LitElement {
  static override properties = { info: { attribute: false }, given: { attribute: false }, now: { attribute: false } }
  static override styles = controls
  declare info: TaskInfo
  declare given: Given | undefined
  /** Milliseconds since 1970; what a running task's time is counted to. */
  declare now: number
  #open: boolean | undefined
  /** When it was first seen at work, and how far it was then. */
  #begun: { readonly at: number; readonly progress: number } | undefined

  override render() {
    const { info, given } = this
    const running = info.endedAt === undefined
    if (running && info.state === 'working') this.#begun ??= { at: this.now, progress: info.progress }
    // The line opens by itself when there is something to see, unless it was folded by hand.
    const hasSomething = given?.output !== undefined || (given?.partials.length ?? 0) > 0 || info.error !== undefined
    const open = this.#open ?? hasSomething
    const isGone = running && info.direction === 'out' && isOutOfReach(info.peer)
    const title = plainText(titleOf(info.capability))
    const subject = given?.subject ? `${title}, ${given.subject}` : title
    return html`
      <work-line
        .heading=${title}
        .subject=${subject}
        .shown=${taskStateOf(info.state)}
        .progress=${running ? info.progress : undefined}
        .who=${`${given?.subject ? `${given.subject}, ` : ''}${whoWords(info, store.labelOf(info.peer), isGone)}`}
        .time=${this.#time(isGone)}
        .open=${open}
        @fold=${({ detail }: CustomEvent<boolean>) => this.#fold(detail)}
      >
        ${this.#renderActions(subject)} ${open ? this.#renderBody() : nothing}
      </work-line>
    `
  }

  #renderActions(subject: string) {
    const { info, given } = this
    if (info.endedAt === undefined && info.direction === 'in')
      return lineAction('End', `${subject} for ${store.labelOf(info.peer)}`, () => store.peer?.stopTask(info))
    if (info.endedAt === undefined && given !== undefined)
      return lineAction('Cancel', subject, () => given.task.cancel())
    const failed = info.endedAt !== undefined && info.state !== 'completed'
    return failed && given?.again !== undefined ? lineAction('Retry', subject, given.again) : nothing
  }

  #renderBody() {
    const { info, given } = this
    return html`
      ${
        info.error === undefined
          ? nothing
          : html`<p class="fault">${this.#problem(info.error.message)} <code class="small">${info.error.code}</code></p>`
      }
      ${
        given !== undefined && given.output === undefined && given.partials.length > 0
          ? html`<task-partials .partials=${given.partials}></task-partials>`
          : nothing
      }
      ${info.state === 'completed' && info.direction === 'out' ? this.#renderOutput() : nothing}
      ${this.#renderFiles()}
      ${info.note === '' || info.endedAt !== undefined ? nothing : html`<p>${plainText(info.note)}</p>`}
      <p class="small soft">
        <code>${plainText(info.capability)}</code>, ${info.priority} priority, handed over ${timeOfDay(info.createdAt)}${
          info.endedAt === undefined
            ? `, due ${timeOfDay(info.deadlineAt)}, in ${span(Math.max(0, info.deadlineAt - this.now))}`
            : nothing
        }${info.tries > 1 ? `, given away ${info.tries} times` : nothing}<br />
        Task <code>${info.id}</code>
      </p>
    `
  }

  /** A task with files begins when they are there. */
  #renderFiles() {
    const files = this.info.endedAt === undefined ? store.transfers.ofTask(this.info) : undefined
    if (files === undefined) return nothing
    const way = this.info.direction === 'out' ? 'sent' : 'received'
    return html`<p>Files: ${size(files.moved)} of ${size(files.size)} ${way}</p>`
  }

  #renderOutput() {
    const output = this.given?.output
    if (output === undefined) return html`<p class="soft">This page does not hold the result of this task.</p>`
    return html`<task-output .capability=${this.info.capability} .output=${output.value}></task-output>`
  }

  #problem(message: string): string {
    const { info } = this
    return info.direction === 'in' && store.consent.hasRefused(info) ? 'You refused it.' : plainText(message, 500)
  }

  #time(isGone: boolean): string {
    const { createdAt, endedAt, progress } = this.info
    const passed = span(Math.max(0, (endedAt ?? this.now) - createdAt))
    if (endedAt !== undefined || isGone || this.#begun === undefined) return passed
    const { at, progress: before } = this.#begun
    // What was done before this page saw it took no time that this page knows of.
    const left = timeLeft((progress - before) / Math.max(0.001, 1 - before), this.now - at)
    return left === undefined ? passed : `${passed}, ${about(left)} left`
  }

  #fold(open: boolean) {
    this.#open = open
    this.requestUpdate()
  }
}

function isOutOfReach(peer: PeerId): boolean {
  const known = store.peer?.peers.find(({ id }) => id === peer)
  return peer !== '' && (known === undefined || known.health === 'unreachable')
}

customElements.define('task-line', TaskLine)
