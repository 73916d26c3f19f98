/**
 * The process: settings in, one line for people out on stdout, logs as JSON on stderr, a clean end on SIGTERM, and on
 * SIGHUP the certificate is read again.
 */
import { fileURLToPath } from 'node:url'
import { isTsunagiError } from '@tsunagi/protocol/signaling'
import { pino } from 'pino'
import { createSignalingServer } from './server.ts'
import { readSettings } from './settings.ts'

const BUILT_APP = fileURLToPath(new URL('../../web/dist', import.meta.url))
/** Bytes. */
const MOST_LOGS_WAITING = 1_048_576

async function start(): Promise<void> {
  const { logLevel, webApp = BUILT_APP, ...settings } = readSettings(process.env)
  // Not one by one: who reads the logs slowly would stop the server. What does not fit meanwhile is not logged.
  const logs = pino.destination({ dest: 2, sync: false, maxLength: MOST_LOGS_WAITING })
  // Without a process id and the machine's name, which pino would add.
  const log = pino({ level: logLevel, base: null }, logs)
  const server = await createSignalingServer({ ...settings, webApp, log })
  const stop = () => {
    server.close().then(() => {
      // Not flushSync(): that would overtake a line that is being written.
      logs.once('close', () => process.exit(0))
      logs.end()
    }, fail)
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  process.on('SIGHUP', () => server.reloadTls())
  console.log(`Tsunagi is ready: open ${server.url} in two tabs.`)
}

function fail(error: unknown): never {
  console.error(isTsunagiError(error) ? error.message : error)
  process.exit(1)
}

start().catch(fail)
