/** What a page loads that can do case 1: built for production with one system alone, and counted by what it asks a server for. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { build, defaultClientConditions } from 'vite'
import type { Exchange } from './exchange.ts'
import type { Place } from './rounds.ts'
import { type SystemName, whyNot } from './systems/names.ts'

export const SIZE_ROWS = { size: 'kB gzip, JavaScript loaded' }

/** File and name of each. */
const MODULES: Partial<Record<SystemName, readonly [string, string]>> = {
  bare: ['bare.ts', 'bare'],
  'simple-peer': ['simple-peer.ts', 'simplePeer'],
  peerjs: ['peerjs.ts', 'peerJs'],
  trystero: ['trystero.ts', 'trystero'],
  libp2p: ['libp2p.ts', 'libp2p'],
  tsunagi: ['tsunagi.ts', 'tsunagi'],
}
const MESSAGES = 100

declare global {
  interface Window {
    exchange: Exchange
  }
}

export async function measureSize({ browser, servers }: Place, system: string): Promise<Record<string, number>> {
  const module = MODULES[system as SystemName]
  if (whyNot('size', system) || module === undefined) return {}
  const files = await bundle(...module)
  const loaded = new Set<string>()
  const server = createServer((request, response) => {
    const name = (request.url ?? '').slice(1)
    const code = files.get(name)
    if (code !== undefined) loaded.add(name)
    const type = code === undefined ? 'text/html' : 'text/javascript'
    response.setHeader('content-type', type).end(code ?? '<script type="module" src="/page.js"></script>')
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const context = await browser.newContext()
  try {
    const [host, guest] = [await context.newPage(), await context.newPage()]
    for (const page of [host, guest]) {
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
      await page.evaluate(([at, room, hosts]) => window.exchange.join(at, room, hosts), [
        servers,
        `size of ${system}`,
        page === host,
      ] as const)
    }
    await Promise.all([host, guest].map((page) => page.evaluate((n) => window.exchange.messages(n), MESSAGES)))
  } finally {
    await context.close()
    server.close()
  }
  const sizes = [...loaded].map((name) => gzipSync(files.get(name) ?? '', { level: 9 }).length)
  return { size: sizes.reduce((sum, size) => sum + size, 0) / 1_000 }
}

async function bundle(file: string, name: string): Promise<Map<string, string>> {
  const entry = 'virtual:page'
  const result = await build({
    root: import.meta.dirname,
    configFile: false,
    logLevel: 'error',
    resolve: { conditions: ['source', ...defaultClientConditions] },
    worker: { format: 'es' },
    plugins: [
      {
        name: 'page',
        resolveId: (id) => (id === entry ? `\0${entry}` : undefined),
        load: (id) => (id === `\0${entry}` ? pageWith(file, name) : undefined),
      },
    ],
    build: {
      write: false,
      target: 'es2023',
      minify: true,
      modulePreload: false,
      rolldownOptions: { input: entry, output: { entryFileNames: 'page.js' } },
    },
  })
  if ('close' in result) throw new Error('A build that watches was not asked for.')
  const outputs = [result].flat().flatMap(({ output }) => output)
  return new Map(
    outputs.map((output) => [output.fileName, output.type === 'chunk' ? output.code : String(output.source)]),
  )
}

function pageWith(file: string, name: string): string {
  const at = (module: string) => JSON.stringify(path.join(import.meta.dirname, module))
  return `
    import { exchangeOver } from ${at('exchange.ts')}
    import { ${name} } from ${at(`systems/${file}`)}
    window.exchange = exchangeOver(${name})
  `
}
