/** The environment variables of the process, read once and checked: what cannot be stops the start with a sentence. */
import { type IceServer, TsunagiError } from '@tsunagi/protocol/signaling'
import { LIMIT_NAMES, type SignalingLimits, settingName } from './limits.ts'

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

export interface Settings {
  readonly port: number
  readonly host: string
  readonly logLevel: (typeof LOG_LEVELS)[number]
  /** Undefined where the place of the built app in this repository is meant. */
  readonly webApp: string | undefined
  readonly origins: readonly string[]
  readonly iceServers: readonly IceServer[]
  readonly limits: Partial<SignalingLimits>
}

const PREFIX = 'TSUNAGI_'
const NAMES = ['LOG_LEVEL', 'WEB_APP', 'ORIGINS', 'ICE_SERVERS'].map((name) => PREFIX + name)

/**
 * An empty variable counts as not set.
 * @throws TsunagiError INVALID_ARGUMENT for a value that cannot be, and for a TSUNAGI_ name that means nothing: a limit
 * misspelt would leave the server open where its operator believes it closed
 */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const known = new Set([...NAMES, ...LIMIT_NAMES.map(settingName)])
  for (const name of Object.keys(env)) {
    if (name.startsWith(PREFIX) && !known.has(name)) impossible(`${name} is not a setting of this server.`)
  }
  const port = wholeNumber(env, 'PORT') ?? 8787
  if (port > 65_535) impossible(`PORT is ${port}, but the highest port is 65535.`)
  return {
    port,
    host: env['HOST'] || '127.0.0.1',
    logLevel: logLevel(env['TSUNAGI_LOG_LEVEL'] || 'info'),
    webApp: env['TSUNAGI_WEB_APP'] || undefined,
    origins: env['TSUNAGI_ORIGINS']?.split(',').filter((origin) => origin !== '') ?? [],
    iceServers: iceServers(env['TSUNAGI_ICE_SERVERS'] || '[]'),
    limits: limits(env),
  }
}

function limits(env: Parameters<typeof readSettings>[0]): Partial<SignalingLimits> {
  const set: Partial<SignalingLimits> = {}
  for (const limit of LIMIT_NAMES) {
    const value = wholeNumber(env, settingName(limit))
    if (value !== undefined) set[limit] = value
  }
  return set
}

function wholeNumber(env: Parameters<typeof readSettings>[0], name: string): number | undefined {
  const text = env[name] || undefined
  if (text !== undefined && !/^\d{1,15}$/.test(text)) impossible(`${name} is "${text}", but must be a whole number.`)
  return text === undefined ? undefined : Number(text)
}

function logLevel(text: string): Settings['logLevel'] {
  const level = LOG_LEVELS.find((name) => name === text)
  return level ?? impossible(`TSUNAGI_LOG_LEVEL is "${text}", but must be one of ${LOG_LEVELS.join(', ')}.`)
}

/** Only the JSON is read here; what it must say, createSignalingServer() knows. */
function iceServers(text: string): IceServer[] {
  try {
    const value: unknown = JSON.parse(text)
    if (Array.isArray(value)) return value
  } catch {
    // Falls through to the one answer for everything that is no list.
  }
  return impossible(`TSUNAGI_ICE_SERVERS must be a JSON list such as [{"urls": ["stun:stun.example:3478"]}].`)
}

function impossible(sentence: string): never {
  throw new TsunagiError('INVALID_ARGUMENT', sentence)
}
