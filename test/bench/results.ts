/** What a run gives: rows, a table, and charts. */
import { readFile, writeFile } from 'node:fs/promises'
import { cpus, loadavg } from 'node:os'
import path from 'node:path'
import { CHARTS, chart } from './chart.ts'
import type { Measured } from './rounds.ts'
import type { Row } from './row.ts'
import { SERVERS_USED } from './servers/index.ts'
import { median, quantile, rounded } from './statistics.ts'
import { SYSTEM_NAMES, whyNot } from './systems/names.ts'

const ROOT = path.join(import.meta.dirname, '../..')
const DOCS = path.join(ROOT, 'docs')
/** Of those that are compared; `peer` is PeerServer, `ws` what the relays and it stand on. */
const PACKAGES = ['simple-peer', 'peerjs', 'peer', 'trystero', 'libp2p', '@libp2p/webrtc', 'ws']

/** @param units by the names of the rows */
export function rowsOf(units: Readonly<Record<string, string>>, systems: readonly string[], measured: Measured): Row[] {
  return Object.entries(units).flatMap(([name, unit]) =>
    systems.map((system): Row => {
      const values = measured.get(`${name} ${system}`) ?? []
      const note = whyNot(name, system) ?? (values.length === 0 ? 'It failed in every round.' : undefined)
      if (note !== undefined) {
        return { case: name, system, value: null, unit, ratio_to_bare: null, spread: null, rounds: 0, note }
      }
      const value = median(values)
      const bare = measured.get(`${name} bare`)
      return {
        case: name,
        system,
        value: rounded(value),
        unit,
        ratio_to_bare: bare ? rounded(value / median(bare)) : null,
        spread: rounded((quantile(values, 0.75) - quantile(values, 0.25)) / value),
        rounds: values.length,
      }
    }),
  )
}

export interface Head {
  readonly date: string
  readonly machine: { readonly cpu: string; readonly cores: number; readonly load_before: number }
  readonly versions: Readonly<Record<string, string | undefined>>
  readonly servers: string
}

/** Read before anything is measured. */
export async function head(): Promise<Head> {
  const own = await manifest('packages/protocol')
  const { devDependencies } = await manifest('test')
  return {
    date: new Date().toISOString(),
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      // Whatever else runs on the machine takes more from the system that computes more.
      load_before: rounded(loadavg()[0] ?? 0),
    },
    versions: {
      tsunagi: own.version,
      node: process.version,
      ...Object.fromEntries(PACKAGES.map((name) => [name, devDependencies[name]])),
    },
    servers: SERVERS_USED,
  }
}

export function show(rows: readonly Row[], systems: readonly string[]): void {
  console.log(table(rows, systems))
}

/** Writes results.json, docs/bench.md and the charts. */
export async function publish(
  environment: Head & { readonly rounds: number; readonly minutes: number },
  rows: readonly Row[],
): Promise<void> {
  const { date, machine, versions, rounds } = environment
  const results = { ...environment, minutes: rounded(environment.minutes), rows }
  await writeFile(path.join(import.meta.dirname, 'results.json'), `${JSON.stringify(results, null, 2)}\n`)
  const where = `${date.slice(0, 10)}, ${machine.cores} cores, load before ${machine.load_before}, medians of ${rounds} rounds`
  const lines = [
    '# Benchmark',
    '',
    `\`pnpm bench\` wrote this: ${where}. ${Object.entries(versions)
      .map((pair) => pair.join(' '))
      .join(', ')}.`,
    'Behind each value its spread: the interquartile range of the rounds as a share of it.',
    '',
    table(rows, SYSTEM_NAMES),
    '',
    ...Object.entries(CHARTS).flatMap(([name, title]) => [`![${title}](${fileOf(name)})`, '']),
  ]
  await writeFile(path.join(DOCS, 'bench.md'), lines.join('\n'))
  for (const [name, title] of Object.entries(CHARTS)) {
    await writeFile(
      path.join(DOCS, fileOf(name)),
      chart(
        title,
        where,
        rows.filter((row) => row.case === name),
      ),
    )
  }
}

/** Of a case's chart. */
function fileOf(name: string): string {
  return `bench-${name.replaceAll(/[^a-z]+/g, '-')}.svg`
}

/** A row for each case, in Markdown. */
function table(rows: readonly Row[], systems: readonly string[]): string {
  const cases = [...new Map(rows.map((row) => [row.case, row.unit]))]
  const cell = (name: string, system: string) => {
    const row = rows.find((candidate) => candidate.case === name && candidate.system === system)
    if (!row || row.value === null || row.spread === null) return '–'
    return row.rounds > 1 ? `${row.value} ±${Math.round(100 * row.spread)} %` : `${row.value}`
  }
  return [
    `| case | unit | ${systems.join(' | ')} |`,
    `|---|---|${systems.map(() => '--:').join('|')}|`,
    ...cases.map(
      ([name, unit]) => `| ${name} | ${unit} | ${systems.map((system) => cell(name, system)).join(' | ')} |`,
    ),
  ].join('\n')
}

interface Manifest {
  readonly version: string
  readonly devDependencies: Readonly<Record<string, string>>
}

async function manifest(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(path.join(ROOT, folder, 'package.json'), 'utf8')) as Manifest
}
