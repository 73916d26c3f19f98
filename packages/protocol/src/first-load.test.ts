/** What a page must load before it can make a peer and send: built for production from an entry that does no more. */
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { build, defaultClientConditions, type Rolldown } from 'vite'
import { expect, test } from 'vitest'

/** Bytes of gzip. The aim is 40 kB; what stands in its way is the list that a failure prints. */
const MOST_FIRST_LOAD = 87_800

/** Chunks that a page loads when it first needs them. */
const LATER = ['noble', 'work', 'transfers', 'bulk']

const ENTRY = 'virtual:page'
const LIBRARY = path.join(import.meta.dirname, 'browser/index.ts')

type Chunk = Rolldown.OutputChunk
type File = Chunk | Rolldown.OutputAsset

test('a page that makes a peer loads no more than this, and tasks, transfers and the JavaScript curves only where it needs them', async () => {
  const files = await bundle()
  const first = firstLoad(files)
  const size = first.reduce((sum, file) => sum + gzipSize(contentOf(file)), 0)
  const modules = first.flatMap((file) => (file.type === 'chunk' ? Object.keys(file.modules) : []))
  expect(size, heaviest(first)).toBeLessThanOrEqual(MOST_FIRST_LOAD)
  expect(modules.filter((id) => /@noble|tasks\/(caller|executor|map)|bulk\/(transfers|incoming)/.test(id))).toEqual([])
  const names = files.flatMap((file) => (file.type === 'chunk' ? file.name : []))
  expect(names).toEqual(expect.arrayContaining(LATER))
})

async function bundle(): Promise<File[]> {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    resolve: { conditions: ['source', ...defaultClientConditions] },
    worker: { format: 'es' },
    plugins: [
      {
        name: 'page',
        resolveId: (id) => (id === ENTRY ? `\0${ENTRY}` : undefined),
        load: (id) =>
          id === `\0${ENTRY}`
            ? `import { createPeer } from ${JSON.stringify(LIBRARY)}
               createPeer({ signaling: '', mesh: '' }).then((peer) => peer.send('', ''))`
            : undefined,
      },
    ],
    build: {
      write: false,
      target: 'es2023',
      minify: true,
      modulePreload: false,
      rolldownOptions: { input: ENTRY },
    },
  })
  if ('close' in result) throw new Error('A build that watches was not asked for.')
  return [result].flat().flatMap(({ output }) => output)
}

/** The entry, all that it imports before a message is sent, and the workers that these start: they are assets. */
function firstLoad(files: readonly File[]): File[] {
  const later = new Set(
    files.flatMap((file) => (file.type === 'chunk' && LATER.includes(file.name) ? file.fileName : [])),
  )
  const wanted = new Set(files.filter((file) => file.type === 'chunk' && file.isEntry))
  for (const file of wanted) {
    if (file.type === 'asset') continue
    const names = [...file.imports, ...file.dynamicImports]
    for (const other of files) {
      const isNamed = other.type === 'asset' ? file.code.includes(other.fileName) : names.includes(other.fileName)
      if (isNamed && !later.has(other.fileName)) wanted.add(other)
    }
  }
  return [...wanted]
}

/** Packages and parts by the size of their code, for whoever must find what became heavier. */
function heaviest(files: readonly File[]): string {
  const parts = new Map<string, string>()
  for (const file of files) {
    if (file.type === 'asset') continue
    for (const [id, { code }] of Object.entries(file.modules)) {
      const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id)?.[1] ?? path.relative(import.meta.dirname, id)
      const part = name.includes('/') && !name.startsWith('@') ? path.dirname(name) : name
      parts.set(part, (parts.get(part) ?? '') + code)
    }
  }
  const sizes = [...parts].map(([part, code]) => ({ part, size: gzipSize(code) })).sort((a, b) => b.size - a.size)
  return `gzip before minification: ${sizes.map(({ part, size }) => `${part} ${size}`).join(', ')}`
}

function contentOf(file: File): string | Uint8Array {
  return file.type === 'chunk' ? file.code : file.source
}

function gzipSize(content: string | Uint8Array): number {
  return gzipSync(content, { level: 9 }).length
}
