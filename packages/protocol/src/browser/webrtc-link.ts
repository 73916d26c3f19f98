/** Links over WebRTC data channels (SPEC §6). simple-peer negotiates; frames go straight through its channel. */
import type SimplePeer from '@thaunknown/simple-peer/lite.js'
import { isTsunagiError, TsunagiError, toTsunagiError } from '../errors.ts'
import { PROTOCOL } from '../limits.ts'
import type {
  ChannelBinding,
  Link,
  LinkAttempt,
  LinkDescription,
  LinkEvents,
  LinkRoute,
  LinkTransport,
} from '../links/link.ts'
import { LinkEnd } from '../links/link-end.ts'
import type { IceServer } from '../messages.ts'
import { loadFailed } from '../peers/part.ts'
import { type Bytes, utf8 } from '../wire/bytes.ts'
import { CandidateGroups, readCandidate } from './ice-candidate.ts'
import { MOST_CANDIDATES, readSessionDescription, type SessionDescription } from './session-description.ts'
import { SpareConnections } from './spare-connections.ts'

/** Milliseconds after which the browser is asked for a new link's route: statistics would hold up the first frames. */
const LEARN_AFTER = 100

/** What simple-peer's errors mean to a person, where they come before the link is open. */
const FAILURES: Record<string, string> = {
  ERR_PC_CONSTRUCTOR: 'The browser made no connection: the page has made too many by now.',
  ERR_ICE_CONNECTION_FAILURE: 'No direct path to the peer was found; a TURN server is needed.',
  ERR_CONNECTION_FAILURE:
    'No direct path to the peer was found, or it showed another certificate than it had announced.',
  ERR_SET_REMOTE_DESCRIPTION: "The browser does not take the peer's description of its connection.",
}

/**
 * Needs a page (RTCPeerConnection exists in no worker) in a secure context. Loads simple-peer, which no program but a page can.
 * Rejects with LOAD_FAILED.
 */
export async function createWebRtcTransport(): Promise<LinkTransport> {
  const { default: Peer } = await import('@thaunknown/simple-peer/lite.js').catch((cause: unknown) => {
    throw loadFailed(cause)
  })
  const spare = new SpareConnections(Peer)
  return {
    kind: 'webrtc',
    offer: (onCandidates, iceServers) => new WebRtcAttempt(spare, undefined, onCandidates, iceServers),
    answer: (offer, onCandidates, iceServers) =>
      new WebRtcAttempt(spare, readSessionDescription(offer), onCandidates, iceServers),
    fingerprintOf: (data) => readSessionDescription(data).fingerprint,
    prepare: () => spare.prepare(),
    close: () => spare.close(),
  }
}

class WebRtcAttempt implements LinkAttempt {
  readonly description: Promise<LinkDescription>
  readonly opened: Promise<Link>
  readonly #peer: SimplePeer
  readonly #end = new LinkEnd((action) => queueMicrotask(action))
  readonly #candidates: CandidateGroups
  #early: RTCIceCandidateInit[] = []
  #candidateCount = 0
  #isDescribed = false
  #remoteKnown = false
  #failure: (Error & { readonly code?: string }) | undefined
  #describe!: (description: LinkDescription) => void
  #rejectDescription!: (reason: Error) => void
  #open!: (link: Link) => void
  #rejectOpened!: (reason: Error) => void

  constructor(
    spare: SpareConnections,
    offer: SessionDescription | undefined,
    onCandidates: (candidates: Bytes[]) => void,
    iceServers: readonly IceServer[],
  ) {
    this.description = new Promise((fulfil, reject) => {
      this.#describe = fulfil
      this.#rejectDescription = reject
    })
    this.opened = new Promise((fulfil, reject) => {
      this.#open = fulfil
      this.#rejectOpened = reject
    })
    this.description.catch(() => undefined)
    this.opened.catch(() => undefined)
    this.#candidates = new CandidateGroups((candidates) => {
      if (this.#isDescribed) onCandidates(candidates)
      else this.#tellDescription()
    })
    const peer = spare.take(!offer, iceServers)
    this.#peer = peer
    peer.on('signal', (signal) => {
      if ('candidate' in signal) this.#candidates.add(signal.candidate)
    })
    // Without a network there is no candidate to wait for.
    peer.on('iceStateChange', (_, gathering) => {
      if (gathering === 'complete') this.#tellDescription()
    })
    peer.on('error', (error) => {
      this.#failure = error
      this.#ended()
    })
    // Told only of an end that this side asked for; of the others tell the error, or the channel.
    peer.on('close', () => this.#ended())
    addEventListener('pagehide', this.#leave)
    if (!peer._channel) return
    this.#attach(peer._channel)
    this.#setIceServers(iceServers)
    if (offer) this.#setRemote('offer', offer)
    else if (peer.initiator) this.#tellGathered()
    else {
      peer.initiator = true
      peer.negotiate()
    }
  }

  #setIceServers(iceServers: readonly IceServer[]): void {
    if (iceServers.length === 0) return
    try {
      this.#peer._pc?.setConfiguration({ iceServers: iceServers as RTCIceServer[] })
    } catch (cause) {
      const error = new TsunagiError('LINK_FAILED', 'The signaling server names ICE servers that are malformed.', {
        cause,
      })
      this.#peer.destroy(error)
    }
  }

  accept(answer: Bytes): void {
    const description = readSessionDescription(answer)
    if (this.#remoteKnown) {
      throw new TsunagiError('INVALID_STATE', 'Only the side that offered takes an answer, and only one.')
    }
    this.#setRemote('answer', description)
  }

  addCandidates(candidates: readonly Bytes[]): void {
    for (const bytes of candidates) {
      const candidate = readCandidate(bytes)
      if (!candidate || ++this.#candidateCount > MOST_CANDIDATES) continue
      if (this.#remoteKnown) this.#addCandidate(candidate)
      else this.#early.push(candidate)
    }
  }

  abort(): void {
    this.#failure = new TsunagiError('LINK_FAILED', 'The attempt to connect was ended.')
    this.#end.close()
    this.#peer.destroy()
  }

  /** A closing page says goodbye: without it the other side would see only silence for 15 to 30 seconds. */
  readonly #leave = (): void => {
    this.#peer._pc?.close()
    // It closes in a task of its own, which a page that goes has no more.
    this.#peer.destroy(new TsunagiError('LINK_LOST', 'This page was left.'))
  }

  /** What was made ahead has its description, and may have found all its candidates. */
  #tellGathered(): void {
    const { localDescription, iceGatheringState } = this.#peer._pc ?? {}
    if (localDescription?.sdp.includes('\na=candidate:') || iceGatheringState === 'complete') this.#tellDescription()
  }

  /** With the first candidates, which come at once: each message more costs both sides as much as the description does. */
  #tellDescription(): void {
    const sdp = this.#peer._pc?.localDescription?.sdp
    if (this.#isDescribed || sdp === undefined) return
    this.#isDescribed = true
    const data = utf8(sdp)
    this.#describe({ data, fingerprint: readSessionDescription(data).fingerprint })
  }

  #setRemote(type: 'offer' | 'answer', { sdp }: SessionDescription): void {
    this.#remoteKnown = true
    if (this.#end.closed) return
    this.#peer.signal({ type, sdp })
    for (const candidate of this.#early.splice(0)) this.#addCandidate(candidate)
  }

  /** Not by way of simple-peer, which gives up the connection for one candidate that the browser does not take. */
  #addCandidate(candidate: RTCIceCandidateInit): void {
    this.#peer._pc?.addIceCandidate(candidate).catch(() => undefined)
  }

  /** In place of simple-peer's handlers: its stream would copy and keep every frame, and its `connect` waits for statistics. */
  #attach(channel: RTCDataChannel): void {
    const end = this.#end
    channel.onbufferedamountlow = () => end.drain()
    channel.onmessage = ({ data }) => {
      const whole = data instanceof ArrayBuffer && data.byteLength > 0 && data.byteLength <= PROTOCOL.maxFrame
      if (whole && end.frame(new Uint8Array(data))) return
      const why = whole ? 'More frames came than this side keeps before it listens.' : 'The peer sent what is no frame.'
      this.#peer.destroy(new TsunagiError('LINK_LOST', why))
    }
    channel.addEventListener('close', () => this.#ended())
    channel.addEventListener('open', () => {
      this.#opening(channel).catch((error) => this.#peer.destroy(error))
    })
  }

  async #opening(channel: RTCDataChannel): Promise<void> {
    const pc = this.#peer._pc
    if (!pc) return
    if (pc.sctp && pc.sctp.maxMessageSize < PROTOCOL.maxFrame) {
      throw new TsunagiError('LINK_FAILED', `The peer's browser takes no frames of ${PROTOCOL.maxFrame} bytes.`)
    }
    const binding = await bindingOf(pc)
    if (!this.#end.closed) this.#open(new WebRtcLink(this.#peer, pc, channel, this.#end, binding))
  }

  #ended(): void {
    removeEventListener('pagehide', this.#leave)
    this.#candidates.end()
    const cause = this.#failure
    const sentence = FAILURES[cause?.code ?? ''] ?? 'The connection to the peer ended before it was open.'
    const failed = isTsunagiError(cause, 'LINK_FAILED') ? cause : new TsunagiError('LINK_FAILED', sentence, { cause })
    this.#rejectDescription(failed)
    this.#rejectOpened(failed)
    this.#end.close(toTsunagiError(cause, 'LINK_LOST', 'The connection to the peer ended.'))
  }
}

/** Both ends' certificates as the connection uses them; from the descriptions in force where a browser does not show the live one. */
async function bindingOf(pc: RTCPeerConnection): Promise<ChannelBinding> {
  const stated = (description: RTCSessionDescription | null) =>
    readSessionDescription(utf8(description?.sdp ?? '')).fingerprint
  const [certificate] = pc.sctp?.transport.getRemoteCertificates?.() ?? []
  return {
    local: stated(pc.localDescription),
    remote: certificate
      ? new Uint8Array(await crypto.subtle.digest('SHA-256', certificate))
      : stated(pc.currentRemoteDescription),
  }
}

/** Whether the pair of candidates in use passes a TURN server, ours or the peer's; undefined where the browser does not tell. */
async function routeOf(pc: RTCPeerConnection): Promise<LinkRoute | undefined> {
  const stats = new Map<string, RTCStats & Record<string, unknown>>()
  // The browser's statistics are a Map of this form, which TypeScript's types leave open.
  for (const [id, entry] of (await pc.getStats()) as unknown as typeof stats) stats.set(id, entry)
  const transport = [...stats.values()].find(({ type }) => type === 'transport')
  const selected = transport?.['selectedCandidatePairId']
  // Firefox marks the pair itself.
  const pair = [...stats.values()].find((entry) => entry.id === selected || entry['selected'] === true)
  const types = ['localCandidateId', 'remoteCandidateId'].map((end) => {
    return stats.get(String(pair?.[end]))?.['candidateType']
  })
  if (types.includes(undefined)) return undefined
  return types.includes('relay') ? 'turn' : 'direct'
}

class WebRtcLink implements Link {
  readonly kind = 'webrtc'
  readonly maxFrame = PROTOCOL.maxFrame
  readonly binding: ChannelBinding
  readonly #peer: SimplePeer
  readonly #channel: RTCDataChannel
  readonly #end: LinkEnd
  #route: LinkRoute | undefined

  constructor(peer: SimplePeer, pc: RTCPeerConnection, channel: RTCDataChannel, end: LinkEnd, binding: ChannelBinding) {
    this.#peer = peer
    this.#channel = channel
    this.#end = end
    this.binding = binding
    const learnSoon = () => setTimeout(() => void this.#learnRoute(pc), LEARN_AFTER)
    learnSoon()
    const ice = pc.sctp?.transport.iceTransport
    if (ice) ice.onselectedcandidatepairchange = learnSoon
  }

  get route(): LinkRoute | undefined {
    return this.#route
  }

  get bufferedAmount(): number {
    return this.#channel.bufferedAmount
  }

  get lowMark(): number {
    return this.#channel.bufferedAmountLowThreshold
  }

  set lowMark(bytes: number) {
    this.#channel.bufferedAmountLowThreshold = bytes
  }

  start(events: LinkEvents): void {
    this.#end.start(events)
  }

  send(frame: Bytes): void {
    this.#end.checkSend(frame)
    try {
      this.#channel.send(frame)
    } catch (cause) {
      if (this.#channel.readyState !== 'open') {
        throw new TsunagiError('LINK_LOST', 'The link to the peer is closed.', { cause })
      }
      throw new TsunagiError('QUEUE_FULL', 'The link takes no more before some of what waits has left.', { cause })
    }
  }

  close(): void {
    this.#end.close()
    this.#peer.destroy()
  }

  async #learnRoute(pc: RTCPeerConnection): Promise<void> {
    try {
      this.#route = await routeOf(pc)
    } catch {
      // Statistics are for people to look at: a browser that gives none, or a closed connection, leaves the route unknown.
    }
  }
}
