import type { IncomingTransfer, Transfer, TransferState } from '@tsunagi/protocol'
import { html, LitElement, nothing } from 'lit'
import { about, plainText, size, span, timeLeft, timeOfDay } from '../format.ts'
import type { Shown } from '../peer-state.ts'
import { store } from '../peer-store.ts'
import { controls } from '../styles/controls.ts'
import './download-button.ts'
import { lineAction } from './work-line.ts'

const STATE: Readonly<Record<TransferState, Shown>> = {
  offered: { mark: 'dashed', word: 'offered' },
  running: { mark: 'half', word: 'under way' },
  interrupted: { mark: 'empty', word: 'interrupted' },
  completed: { mark: 'check', word: 'completed' },
  failed: { mark: 'cross', word: 'failed' },
}

/** One file on its way, out or in. */
export class TransferLine extends LitElement {
  static override properties = { transfer: { attribute: false }, now: { attribute: false } }
  static override styles = controls
  declare transfer: Transfer | IncomingTransfer
  /** Milliseconds since 1970. */
  declare now: number
  #open: boolean | undefined
  /** When it was first seen under way, and how many bytes were there then. */
  #begun: { readonly at: number; readonly bytes: number } | undefined

  override render() {
    const { info } = this.transfer
    const name = plainText(info.name, 80) || 'A file without a name'
    const running = info.endedAt === undefined
    if (info.state === 'running') this.#begun ??= { at: this.now, bytes: info.bytes }
    const peer = store.labelOf(info.peer)
    const amount = info.size === undefined ? size(info.bytes) : size(info.size)
    const open = this.#open ?? (info.error !== undefined || info.state === 'interrupted' || this.#isReady)
    return html`
      <work-line
        .heading=${name}
        .subject=${name}
        .shown=${STATE[info.state]}
        .progress=${running ? (info.size ? info.bytes / info.size : 0) : undefined}
        .who=${`${amount}, ${info.direction === 'out' ? 'to' : 'from'} ${peer}`}
        .time=${this.#time()}
        .open=${open}
        @fold=${({ detail }: CustomEvent<boolean>) => this.#fold(detail)}
      >
        ${running ? lineAction('Cancel', name, () => this.transfer.cancel()) : nothing}
        ${open ? this.#renderBody(name) : nothing}
      </work-line>
    `
  }

  get #isReady(): boolean {
    return 'blob' in this.transfer && this.transfer.info.state === 'completed'
  }

  #renderBody(name: string) {
    const { transfer } = this
    const { info } = transfer
    return html`
      ${
        info.error === undefined
          ? nothing
          : html`<p class="fault">${plainText(info.error.message, 500)} <code class="small">${info.error.code}</code></p>`
      }
      ${
        info.state === 'interrupted'
          ? html`<label>
              This page was loaded anew. Choose the same file to go on
              <input type="file" @change=${this.#resume} />
            </label>`
          : nothing
      }
      ${
        this.#isReady && 'blob' in transfer
          ? html`<div>
              <download-button
                label="Download ${name}"
                name=${name}
                type="application/octet-stream"
                .make=${() => transfer.blob()}
              ></download-button>
              <button type="button" class="quiet" aria-label="Discard ${name}" @click=${() => store.transfers.discard(transfer)}>Discard</button>
            </div>`
          : nothing
      }
      <p class="small soft">
        ${plainText(info.type) || 'No type told'}, ${size(info.bytes)} kept by its receiver, offered ${timeOfDay(info.createdAt)}
      </p>
    `
  }

  #time(): string {
    const { createdAt, endedAt, bytes, size: total } = this.transfer.info
    const passed = span(Math.max(0, (endedAt ?? this.now) - createdAt))
    if (endedAt !== undefined || this.#begun === undefined || total === undefined) return passed
    const { at, bytes: before } = this.#begun
    const left = timeLeft((bytes - before) / Math.max(1, total - before), this.now - at)
    return left === undefined ? passed : `${passed}, ${about(left)} left`
  }

  #resume({ target }: Event) {
    const file = (target as HTMLInputElement).files?.[0]
    if (file !== undefined) store.transfers.resume(this.transfer.id, file)
  }

  #fold(open: boolean) {
    this.#open = open
    this.requestUpdate()
  }
}

customElements.define('transfer-line', TransferLine)
