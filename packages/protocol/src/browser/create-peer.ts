/** A peer in this tab: the core with the browser's keys, storage, sockets, links and clock. */
import type { Peer, PeerOptions } from '../api.ts'
import { createCryptoProvider } from '../crypto/index.ts'
import type { StorableCrypto } from '../crypto/stored-key.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { PeerService } from '../peer.ts'
import { type CheckedPeerOptions, checkPeerOptions } from '../peers/options.ts'
import { deriveMesh } from '../signaling/messages.ts'
import type { BrowserTransferHost } from './bulk.ts'
import { type Database, hasNoTransfers, openDatabase, storageFailure } from './database.ts'
import { type Identity, loadIdentity } from './identity.ts'
import { type IdentitySlot, takeIdentitySlot } from './identity-slot.ts'
import { type BrowserReachability, createReachability } from './push.ts'
import { createSessionStore } from './session-store.ts'
import { readWakePolicy, writeWakePolicy } from './settings.ts'
import { createTaskStore } from './task-store.ts'
import { answerServiceWorker } from './wake-message.ts'
import { openWebSocket } from './web-socket.ts'
import { createWebRtcTransport } from './webrtc-link.ts'
import { createWorkerClock } from './worker-clock.ts'

/** An introduction key with less time left than this is followed by the next one at a join. */
const RENEW_BEFORE = 3_600_000

/**
 * Makes the peer of this tab and starts to join the mesh; `status` tells when signaling knows it. The identity is that of
 * the first slot no other tab holds: kept in IndexedDB, or for as long as the page where the browser keeps nothing, which
 * an `error` event with STORAGE_FAILED then tells.
 * @throws TsunagiError INVALID_ARGUMENT, NOT_SUPPORTED where the browser lacks something, SLOT_UNAVAILABLE, INVALID_FORMAT
 * where the stored identity is damaged, LOAD_FAILED
 */
export async function createPeer(options: PeerOptions): Promise<Peer> {
  const checked = checkPeerOptions(options)
  requireBrowser()
  const slot = await takeIdentitySlot()
  try {
    return await startPeer(slot, checked)
  } catch (cause) {
    slot.release()
    throw toTsunagiError(cause, 'NOT_SUPPORTED', 'This browser could not make a peer; use a current one.')
  }
}

async function startPeer(slot: IdentitySlot, options: CheckedPeerOptions): Promise<Peer> {
  const problems: TsunagiError[] = []
  let report = (error: TsunagiError): void => {
    problems.push(error)
  }
  // First what has to be loaded: where that fails, nothing was taken yet.
  const [crypto, transport] = await Promise.all([createCryptoProvider(), createWebRtcTransport()])
  const [database, meshKeys] = await Promise.all([
    openStore((error) => report(error)),
    deriveMesh(crypto, options.mesh, options.secret),
  ])
  const identity = await loadIdentity(database, slot.number, crypto, Date.now())
  if (identity.storageFailure !== undefined) report(identity.storageFailure)
  // What a slot keeps belongs to its kept identity, and not to one that stands in for it while that cannot be read.
  const keeps = identity.persistent ? database : undefined
  const store = keeps && createSessionStore(keeps, slot.number, (error) => report(error))
  const taskStore = keeps && createTaskStore(keeps, slot.number, (error) => report(error))

  let transfers: BrowserTransferHost | undefined
  const storing = <T>(access: Promise<T> | undefined): Promise<T | undefined> | undefined =>
    access?.catch((cause: unknown) => {
      report(storageFailure(cause))
      return undefined
    })
  const wakePolicy = await storing(keeps && readWakePolicy(keeps, slot.number))

  const clock = createWorkerClock()
  const awake = new AbortController()
  let reachability: BrowserReachability | undefined
  const peer = new PeerService({
    clock,
    crypto,
    key: identity.signingKey,
    introductionKeys: introductionKeysOf(identity, database, slot, crypto, (error) => report(error)),
    meshName: options.mesh,
    mesh: meshKeys,
    name: options.name,
    linkIdle: options.linkIdle,
    signaling: options.signaling,
    openSocket: openWebSocket,
    transport,
    store,
    taskStore,
    transfers: {
      isEmpty: async () => keeps === undefined || (await hasNoTransfers(keeps, slot.number)),
      async open() {
        const { createTransferHost } = await import('./bulk.ts')
        transfers = await createTransferHost(keeps, slot.number, (error) => report(error))
        return transfers
      },
    },
    wakePolicy,
    onWakePolicy: (policy) => void storing(keeps && writeWakePolicy(keeps, slot.number, policy)),
    ...(keeps && {
      reachability: (push, onState) => {
        reachability = createReachability({
          database: keeps,
          slot: slot.number,
          push,
          onState,
          onProblem: (error) => report(error),
        })
        return reachability
      },
    }),
    onClosed() {
      awake.abort()
      transfers?.close()
      clock.close()
      database?.close()
      slot.release()
    },
  })
  report = (error) => peer.report(error)
  for (const problem of problems) peer.report(problem)
  for (const event of ['online', 'pageshow']) {
    addEventListener(event, () => peer.reconnectNow(), { signal: awake.signal })
  }
  addEventListener('pagehide', () => peer.pageGoes(), { signal: awake.signal })
  for (const event of ['resume', 'visibilitychange']) {
    document.addEventListener(event, () => peer.reconnectNow(), { signal: awake.signal })
  }
  // While there is time: a page that is being frozen or hidden for good can encrypt nothing any more. Its links stay, since an
  // open one keeps the browser from freezing the page.
  const tellHidden = () => peer.hidden(document.visibilityState === 'hidden')
  document.addEventListener('visibilitychange', tellHidden, { signal: awake.signal })
  tellHidden()
  answerServiceWorker(slot.number, () => peer.reconnectNow(), awake.signal)
  peer.on('status', (status) => {
    if (status === 'online') void reachability?.welcomed()
  })
  await peer.start()
  try {
    if (options.preload) await peer.load()
    return peer
  } catch (cause) {
    await peer.close()
    throw cause
  }
}

/** Undefined where the browser keeps nothing for this page. */
async function openStore(onProblem: (error: TsunagiError) => void): Promise<Database | undefined> {
  try {
    return await openDatabase(onProblem)
  } catch (cause) {
    onProblem(toTsunagiError(cause, 'STORAGE_FAILED', 'The browser keeps no data for this page.'))
    return undefined
  }
}

/** Those of the identity while they last, then the next, which only a page that stays open for a week comes to see. */
function introductionKeysOf(
  identity: Identity,
  database: Database | undefined,
  slot: IdentitySlot,
  crypto: StorableCrypto,
  onProblem: (error: TsunagiError) => void,
) {
  let latest = identity
  return async () => {
    if (latest.introductionKeyNotAfter - Date.now() < RENEW_BEFORE) {
      latest = await loadIdentity(database, slot.number, crypto, Date.now() + RENEW_BEFORE)
      if (latest.storageFailure !== undefined) onProblem(latest.storageFailure)
    }
    const { introductionKey: current, introductionKeyNotAfter: notAfter, previousIntroductionKey: previous } = latest
    return { current, notAfter, ...(previous && { previous }) }
  }
}

function requireBrowser(): void {
  if (typeof RTCPeerConnection === 'undefined' || typeof document === 'undefined') {
    throw new TsunagiError(
      'NOT_SUPPORTED',
      'createPeer() needs a page of a browser with WebRTC; workers and servers have none.',
    )
  }
}
