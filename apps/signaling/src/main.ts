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

async function start(): Promise<void> {
  const { logLevel, webApp = BUILT_APP, ...settings } = readSettings(process.env)
  // Without a process id and the machine's name, which pino would add.
  const log = pino({ level: logLevel, base: null }, pino.destination({ dest: 2, sync: true }))
  const server = await createSignalingServer({ ...settings, webApp, log })
  const stop = () => {
    server.close().then(() => process.exit(0), fail)
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
