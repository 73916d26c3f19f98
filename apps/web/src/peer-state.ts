import type { PeerInfo, PeerStatus, TaskInfo, TaskState } from '@tsunagi/protocol'
import type { Mark } from './components/state-mark.ts'
import { span } from './format.ts'

/** A state in the words of the page, and the shape that goes with them. */
export interface Shown {
  readonly mark: Mark
  readonly word: string
}

const HEALTH: Record<PeerInfo['health'], Shown> = {
  connecting: { mark: 'dashed', word: 'connecting' },
  healthy: { mark: 'full', word: 'healthy' },
  degraded: { mark: 'half', word: 'degraded' },
  idle: { mark: 'dashed', word: 'idle' },
  unreachable: { mark: 'empty', word: 'unreachable' },
}

export function healthOf(peer: PeerInfo): Shown {
  return HEALTH[peer.health]
}

/** What the frames to a peer pass on their way, as people would say it. */
const ROUTE: Readonly<Record<NonNullable<PeerInfo['route']>, string>> = {
  direct: 'direct',
  turn: 'through a TURN server',
  relay: 'through the server',
}

/** The way of a new link is not known at once. */
export function linkWord(peer: PeerInfo): string {
  if (peer.link === undefined) return 'none'
  return peer.route === undefined ? 'WebRTC' : ROUTE[peer.route]
}

/** By then a relayed link has been replaced by a direct one, wherever there is a way: the first attempt at it has ended. */
const DIRECT_BY_NOW = 20_000

/** Why a peer is not reached directly, and what helps; undefined where it is, or may yet be. */
export function detourWord({ route, session }: PeerInfo, now: number): string | undefined {
  if (route !== 'relay' || session?.since === undefined || now - session.since < DIRECT_BY_NOW) return undefined
  return 'Goes through the server for now: the two networks show no direct way. It needs a TURN server.'
}

export function sessionWord(peer: PeerInfo): string {
  if (peer.session === undefined) return 'none yet'
  return peer.session.state
}

/** How the line to a peer is drawn, and what is written on it. */
export interface Line {
  readonly pattern: 'solid' | 'long' | 'dashed' | 'dotted'
  readonly text: string
}

export function lineOf(peer: PeerInfo): Line {
  if (peer.health === 'unreachable') return { pattern: 'dotted', text: 'unreachable' }
  if (peer.health === 'idle') return { pattern: 'dashed', text: 'idle' }
  if (peer.session?.state !== 'established') return { pattern: 'dashed', text: 'connecting' }
  if (peer.health === 'degraded') return { pattern: 'long', text: 'degraded' }
  return { pattern: 'solid', text: peer.roundTrip === undefined ? 'connected' : span(peer.roundTrip) }
}

const TASK: Record<TaskState, Shown> = {
  submitted: { mark: 'dashed', word: 'waiting' },
  working: { mark: 'half', word: 'working' },
  completed: { mark: 'check', word: 'completed' },
  failed: { mark: 'cross', word: 'failed' },
  canceled: { mark: 'cross', word: 'canceled' },
  rejected: { mark: 'cross', word: 'rejected' },
  lost: { mark: 'empty', word: 'lost' },
}

export function taskStateOf(state: TaskState): Shown {
  return TASK[state]
}

/** Who does a task, or whom it is for. `isGone`: its executor is out of reach. Only what ran is said to be done by somebody. */
export function whoWords({ direction, peer, state, endedAt }: TaskInfo, label: string, isGone: boolean): string {
  if (peer === '') return endedAt === undefined ? 'to nobody yet' : 'given to nobody'
  if (direction === 'in') return `for ${label}`
  if (isGone) return `waits for ${label} to come back`
  return `${state === 'working' || state === 'completed' ? 'done by' : 'asked of'} ${label}`
}

const STATUS: Record<PeerStatus, Shown> = {
  connecting: { mark: 'dashed', word: 'Looking for the signaling server…' },
  online: { mark: 'full', word: 'Online' },
  offline: { mark: 'empty', word: 'Signaling server out of reach, trying again. Sessions that are up go on.' },
  closed: { mark: 'cross', word: 'Not in the mesh any more' },
}

export function statusOf(status: PeerStatus): Shown {
  return STATUS[status]
}
