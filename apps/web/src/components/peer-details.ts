import type { Peer, PeerInfo } from '@tsunagi/protocol'
import { css, html, LitElement, nothing } from 'lit'
import { count, dayAndTime, size, span, timeOfDay } from '../format.ts'
import { linkWord, sessionWord } from '../peer-state.ts'
import { store } from '../peer-store.ts'
import { controls } from '../styles/controls.ts'
import { wakeWords } from '../wake-words.ts'
import './copy-button.ts'
import './health-strip.ts'

/** All that is known of one peer. */
export class PeerDetails extends LitElement {
  static override properties = { peer: { attribute: false }, info: { attribute: false } }
  static override styles = [
    controls,
    css`
      section {
        display: grid;
        gap: var(--space-2);
        padding: var(--space-3);
      }
      dl {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(min(8rem, 100%), 1fr));
        gap: var(--space-2) var(--space-4);
      }
      dt {
        font-size: var(--text-small);
        color: var(--ink-soft);
      }
      dd {
        overflow-wrap: anywhere;
      }
      .whole {
        grid-column: 1 / -1;
      }
      .actions span {
        flex: 1 0 100%;
        min-height: 1.45em;
      }
      .actions {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: var(--space-2);
      }
    `,
  ]
  declare peer: Peer
  declare info: PeerInfo
  #said = ''

  override render() {
    const { info } = this
    const { session, statistics: told } = info
    const time = (milliseconds: number | undefined) => (milliseconds === undefined ? '–' : span(milliseconds))
    return html`
      <section aria-label="Details of ${store.labelOf(info.id)}">
        <dl>
          ${item('Peer id', html`<code>${info.id}</code>`, true)}
          ${item(
            'Session',
            session === undefined
              ? 'none yet'
              : html`<code>${session.id}</code>, ${sessionWord(info)}${
                  session.since === undefined ? nothing : ` since ${timeOfDay(session.since)}`
                }, begun ${dayAndTime(session.createdAt)}`,
            true,
          )}
          <div class="whole"><dt>Health</dt><dd><health-strip .info=${info}></health-strip></dd></div>
          ${item('Link', linkWord(info))}
          ${item('Numbered', session === undefined ? '–' : `${session.sent} sent, ${session.received} received`)}
          ${item('Sent', `${count(told.messagesSent, 'message')}, ${size(told.bytesSent)}`)}
          ${item('Received', `${count(told.messagesReceived, 'message')}, ${size(told.bytesReceived)}`)}
          ${item('Acknowledged', count(told.delivered, 'message'))}
          ${item('Waiting', count(session?.waiting ?? 0, 'message'))}
          ${item('Not delivered', count(told.failed, 'message'))}
          ${item('Refused', count(told.framesRejected, 'frame'))}
          ${item('Round trip, median', time(told.roundTripMedian))}
          ${item('Round trip, 95 %', time(told.roundTripP95))}
          ${item('Last heard', told.lastSeen === undefined ? 'never' : timeOfDay(told.lastSeen))}
          ${item('First met', info.metAt === undefined ? 'never' : dayAndTime(info.metAt))}
          ${item('Load', `${Math.round(info.load * 100)} %`)}
          ${item('Offers', info.capabilities.map(({ name, version }) => `${name} ${version}`).join(', ') || 'nothing yet', true)}
          ${
            told.lastError === undefined
              ? nothing
              : item(
                  'Last problem',
                  html`${timeOfDay(told.lastError.at)} ${told.lastError.message} <code>${told.lastError.code}</code>`,
                  true,
                )
          }
        </dl>
        <div class="actions">
          <button type="button" @click=${this.#measure}>Ping</button>
          <button type="button" @click=${this.#wake}>Wake</button>
          <copy-button label="Copy peer id" .text=${info.id}></copy-button>
          <button type="button" aria-pressed=${this.peer.contacts.has(info.id)} @click=${this.#toggleContact}>Contact</button>
          <span role="status">${this.#said}</span>
        </div>
      </section>
    `
  }

  async #measure() {
    const { id } = this.info
    this.#say('Asking…')
    try {
      this.#say(`Answered in ${span(await this.peer.ping(id))}`)
    } catch (error) {
      this.#say('')
      store.report(`Ping to ${store.labelOf(id)}`, error)
    }
  }

  async #wake() {
    const { id } = this.info
    this.#say('Waiting for it to wake…')
    try {
      this.#say(wakeWords(await this.peer.wakeUp(id)))
    } catch (error) {
      this.#say('')
      store.report(`Waking ${store.labelOf(id)}`, error)
    }
  }

  /** Contacts may be allowed more than others: see what others may use. */
  async #toggleContact() {
    const { contacts } = this.peer
    const { id } = this.info
    const done = contacts.has(id) ? contacts.remove(id) : contacts.add(id)
    this.requestUpdate()
    try {
      await done
    } catch (error) {
      store.report(`Contact ${store.labelOf(id)}`, error)
    }
    this.requestUpdate()
  }

  #say(text: string) {
    this.#said = text
    this.requestUpdate()
  }
}

function item(term: string, value: unknown, whole = false) {
  return html`<div class=${whole ? 'whole' : ''}><dt>${term}</dt><dd>${value}</dd></div>`
}

customElements.define('peer-details', PeerDetails)
