/**
 * What an operator sets: environment variables, and under the same names a JSON file that TSUNAGI_CONFIG points to. Read
 * once and checked: what cannot be stops the start with a sentence.
 */
import { readFileSync } from 'node:fs'
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
  readonly pageOrigins: readonly string[]
  readonly proxies: readonly string[]
  readonly iceServers: readonly IceServer[]
  readonly turn: { readonly secret: string; readonly urls: readonly string[] } | undefined
  /** Names of PEM files. */
  readonly tls: { readonly certificate: string; readonly key: string } | undefined
  readonly metrics: { readonly port: number; readonly host: string } | undefined
  readonly redisUrl: string | undefined
  /** Undefined where it is kept in memory. */
  readonly data: string | undefined
  /** Undefined where the usual push services are meant. */
  readonly pushHosts: readonly string[] | undefined
  readonly pushSubject: string | undefined
  readonly limits: Partial<SignalingLimits>
}

type Values = Readonly<Record<string, string | undefined>>

const PREFIX = 'TSUNAGI_'
const CONFIG = 'TSUNAGI_CONFIG'
/** The settings that are no limits. README.md and docs/deploy.md tell what each is for. */
export const SETTING_NAMES = [
  'PORT',
  'HOST',
  'REDIS_URL',
  'TSUNAGI_DATA',
  'TSUNAGI_PUSH_HOSTS',
  'TSUNAGI_PUSH_SUBJECT',
  'TSUNAGI_LOG_LEVEL',
  'TSUNAGI_WEB_APP',
  'TSUNAGI_ORIGINS',
  'TSUNAGI_PAGE_ORIGINS',
  'TSUNAGI_PROXIES',
  'TSUNAGI_ICE_SERVERS',
  'TSUNAGI_TURN_SECRET',
  'TSUNAGI_TURN_URLS',
  'TSUNAGI_TLS_CERT',
  'TSUNAGI_TLS_KEY',
  'TSUNAGI_METRICS_PORT',
  'TSUNAGI_METRICS_HOST',
] as const
const KNOWN: ReadonlySet<string> = new Set([...SETTING_NAMES, ...LIMIT_NAMES.map(settingName)])

/**
 * The environment goes before the file; an empty variable counts as not set.
 * @throws TsunagiError INVALID_ARGUMENT for a value that cannot be, and for a name that means nothing: a limit misspelt
 * would leave the server open where its operator believes it closed
 */
export function readSettings(env: Values): Settings {
  for (const name of Object.keys(env)) {
    if (name.startsWith(PREFIX) && name !== CONFIG && !KNOWN.has(name)) unknown(name)
  }
  const path = env[CONFIG]
  const set = Object.fromEntries(Object.entries(env).filter(([name, value]) => KNOWN.has(name) && value !== ''))
  const values: Values = path ? { ...readConfig(path), ...set } : set
  return {
    port: portNumber(values, 'PORT') ?? 8787,
    host: values['HOST'] ?? '127.0.0.1',
    logLevel: logLevel(values['TSUNAGI_LOG_LEVEL'] ?? 'info'),
    webApp: values['TSUNAGI_WEB_APP'],
    origins: list(values, 'TSUNAGI_ORIGINS'),
    pageOrigins: list(values, 'TSUNAGI_PAGE_ORIGINS'),
    proxies: list(values, 'TSUNAGI_PROXIES'),
    iceServers: iceServers(values['TSUNAGI_ICE_SERVERS'] ?? '[]'),
    turn: turn(values),
    tls: tls(values),
    metrics: metrics(values),
    redisUrl: redisUrl(values['REDIS_URL']),
    data: data(values['TSUNAGI_DATA'] ?? 'data'),
    pushHosts: values['TSUNAGI_PUSH_HOSTS'] === undefined ? undefined : list(values, 'TSUNAGI_PUSH_HOSTS'),
    pushSubject: values['TSUNAGI_PUSH_SUBJECT'],
    limits: limits(values),
  }
}

/** A list stands in the file as a list, a number as a number; as variables both are text. */
function readConfig(path: string): Values {
  let config: unknown
  try {
    config = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    return impossible(`The configuration file ${path} (${CONFIG}) cannot be read as JSON.`, cause)
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    return impossible(`The configuration file ${path} (${CONFIG}) must hold an object such as {"PORT": 8787}.`)
  }
  const entries = Object.entries(config).map(([name, value]) => {
    if (!KNOWN.has(name)) unknown(name)
    return [name, asText(name, value)]
  })
  return Object.fromEntries(entries)
}

function asText(name: string, value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  if (name === 'TSUNAGI_ICE_SERVERS') return JSON.stringify(value)
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.join(',')
  return impossible(`${name} is ${JSON.stringify(value)}, but must be a text, a number or a list of texts.`)
}

function limits(values: Values): Partial<SignalingLimits> {
  const set: Partial<SignalingLimits> = {}
  for (const limit of LIMIT_NAMES) {
    const value = wholeNumber(values, settingName(limit))
    if (value !== undefined) set[limit] = value
  }
  return set
}

function portNumber(values: Values, name: string): number | undefined {
  const port = wholeNumber(values, name)
  return port !== undefined && port > 65_535 ? impossible(`${name} is ${port}, but the highest port is 65535.`) : port
}

function wholeNumber(values: Values, name: string): number | undefined {
  const text = values[name]
  if (text !== undefined && !/^\d{1,15}$/.test(text)) impossible(`${name} is "${text}", but must be a whole number.`)
  return text === undefined ? undefined : Number(text)
}

function list(values: Values, name: string): string[] {
  return (values[name] ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
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

function turn(values: Values): Settings['turn'] {
  const secret = values['TSUNAGI_TURN_SECRET']
  const urls = list(values, 'TSUNAGI_TURN_URLS')
  if (secret === undefined && urls.length === 0) return undefined
  if (secret !== undefined && urls.length > 0) return { secret, urls }
  return impossible('TSUNAGI_TURN_SECRET and TSUNAGI_TURN_URLS are of use only together: set both or none.')
}

function tls(values: Values): Settings['tls'] {
  const certificate = values['TSUNAGI_TLS_CERT']
  const key = values['TSUNAGI_TLS_KEY']
  if (certificate === undefined && key === undefined) return undefined
  if (certificate !== undefined && key !== undefined) return { certificate, key }
  return impossible('TSUNAGI_TLS_CERT and TSUNAGI_TLS_KEY are of use only together: set both or none.')
}

function metrics(values: Values): Settings['metrics'] {
  const port = portNumber(values, 'TSUNAGI_METRICS_PORT')
  if (port !== undefined) return { port, host: values['TSUNAGI_METRICS_HOST'] ?? '127.0.0.1' }
  if (values['TSUNAGI_METRICS_HOST'] === undefined) return undefined
  return impossible('TSUNAGI_METRICS_HOST is of use only together with TSUNAGI_METRICS_PORT.')
}

function redisUrl(text: string | undefined): string | undefined {
  if (text === undefined || (URL.canParse(text) && /^rediss?:$/.test(new URL(text).protocol))) return text
  // Not the text itself, which may hold a password.
  return impossible('REDIS_URL must be like redis://host:6379, or rediss:// for TLS.')
}

/** A directory, taken from where the process was started, or the word that stands for none. */
function data(text: string): string | undefined {
  return text === 'memory' ? undefined : text
}

function unknown(name: string): never {
  impossible(`${name} is not a setting of this server.`)
}

function impossible(sentence: string, cause?: unknown): never {
  throw new TsunagiError('INVALID_ARGUMENT', sentence, { cause })
}
