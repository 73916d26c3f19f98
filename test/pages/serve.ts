import { readdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { type BuildOptions, build, defaultClientConditions } from 'vite'

export interface PageServer {
  /** `http://127.0.0.1:PORT`: on loopback, so a secure context. */
  readonly origin: string
  close(): Promise<void>
}

const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' }

/** Served at the root, so that its scope is every page. */
const SERVICE_WORKER = 'service-worker'

/** Builds the pages of a folder from the library's sources and serves them from memory: `${origin}/links.html` is links.html. */
export async function servePages(folder = import.meta.dirname): Promise<PageServer> {
  const files = await bundle(folder)
  const server = createServer((request, response) => {
    const name = new URL(request.url ?? '/', 'http://localhost').pathname.slice(1)
    const content = files.get(name)
    // A browser asks for an icon by itself, and its absence would count as an error of the page.
    if (name === 'favicon.ico') response.writeHead(204).end()
    else if (content === undefined) response.writeHead(404).end()
    else
      response.writeHead(200, { 'content-type': TYPES[path.extname(name)] ?? 'application/octet-stream' }).end(content)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((closed, failed) => {
        server.close((error) => (error ? failed(error) : closed()))
        server.closeAllConnections()
      }),
  }
}

async function bundle(root: string): Promise<Map<string, string | Uint8Array>> {
  const names = await readdir(root)
  const pages = names.filter((name) => name.endsWith('.html'))
  const files = await built(root, { input: pages.map((name) => path.join(root, name)) })
  if (!names.includes(`${SERVICE_WORKER}.ts`)) return files
  // By itself: a worker that is no module runs in every browser, and may import nothing.
  const output = { format: 'iife', entryFileNames: '[name].js' } as const
  const worker = await built(root, { input: path.join(root, `${SERVICE_WORKER}.ts`), output })
  return new Map([...files, ...worker])
}

async function built(
  root: string,
  rolldownOptions: NonNullable<BuildOptions['rolldownOptions']>,
): Promise<Map<string, string | Uint8Array>> {
  const result = await build({
    root,
    configFile: false,
    logLevel: 'warn',
    resolve: { conditions: ['source', ...defaultClientConditions] },
    worker: { format: 'es' },
    build: { write: false, target: 'es2023', minify: false, modulePreload: false, rolldownOptions },
  })
  if ('close' in result) throw new Error('A build that watches was not asked for.')
  const outputs = [result].flat().flatMap(({ output }) => output)
  return new Map(outputs.map((file) => [file.fileName, file.type === 'chunk' ? file.code : file.source]))
}
