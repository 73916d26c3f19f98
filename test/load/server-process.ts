/** The signaling server as `pnpm start` runs it, in a process of its own, so that what is measured is the server. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from './free-port.ts'

const MAIN = fileURLToPath(new URL('../../apps/signaling/src/main.ts', import.meta.url))

export class ServerProcess {
  readonly port: number
  readonly metricsPort: number
  /** Fulfils with the exit code. */
  readonly exit: Promise<number | null>
  readonly #process: ChildProcess

  private constructor(process: ChildProcess, exit: Promise<number | null>, port: number, metricsPort: number) {
    this.#process = process
    this.exit = exit
    this.port = port
    this.metricsPort = metricsPort
  }

  /** @param env settings of the server; it listens on the loopback only, whatever they say */
  static async start(env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
    const webApp = mkdtempSync(join(tmpdir(), 'tsunagi-load-'))
    writeFileSync(join(webApp, 'index.html'), 'load')
    const [port, metricsPort] = [await freePort(), await freePort()]
    const child = spawn(process.execPath, ['--conditions=source', '--import', 'tsx', MAIN], {
      env: {
        PATH: process.env['PATH'],
        PORT: `${port}`,
        TSUNAGI_WEB_APP: webApp,
        TSUNAGI_METRICS_PORT: `${metricsPort}`,
        TSUNAGI_LOG_LEVEL: 'error',
        TSUNAGI_DATA: 'memory',
        ...env,
        HOST: '127.0.0.1',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exit = once(child, 'exit').then(([code]): number | null => {
      rmSync(webApp, { recursive: true })
      return code
    })
    const failed = exit.then((code) => {
      throw new Error(`The server ended with ${code} before it was ready.`)
    })
    await Promise.race([once(child.stdout, 'data'), failed])
    // It ends when it is told to.
    failed.catch(() => undefined)
    return new ServerProcess(child, exit, Number(env['PORT'] ?? port), metricsPort)
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  signal(signal: 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.kill(signal)
  }

  /** What the server says of itself, by the names Prometheus sees. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const text = await (await fetch(`http://127.0.0.1:${this.metricsPort}/metrics`)).text()
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    return new Map(
      lines.map((line) => {
        const end = line.lastIndexOf(' ')
        return [line.slice(0, end), Number(line.slice(end + 1))]
      }),
    )
  }

  /** Bytes of memory that the process has. */
  async memory(): Promise<number> {
    return (await this.metrics()).get('process_resident_memory_bytes') ?? 0
  }
}
