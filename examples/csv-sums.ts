/**
 * A capability for files of any size: the sums of the columns of a CSV file, which comes as a Blob and is read as a stream, so
 * that a gigabyte takes no more memory than a kilobyte. A page offers it with `peer.provide(csvSums, sumColumns)`, and
 * `await peer.delegate('csv.sums', { file }).result` uses it, where `file` is what an `<input type="file">` gave.
 */
import type { Capability, TaskContext } from '@tsunagi/protocol'

export interface ColumnSum {
  /** What the first line calls it. */
  readonly column: string
  /** Of the cells that are numbers. */
  readonly sum: number
  readonly numbers: number
}

export const csvSums: Capability = {
  name: 'csv.sums',
  version: '1.0',
  description: 'Sums of the columns of a CSV file whose first line names them',
  input: {
    type: 'object',
    // A Blob or File of up to 2 GiB. It travels by itself, checked and resumed; the handler begins when all of it is here.
    properties: { file: { type: 'string', contentEncoding: 'blob', maxLength: 2 ** 31 } },
    required: ['file'],
    additionalProperties: false,
  },
  output: {
    type: 'object',
    properties: {
      lines: { type: 'integer', minimum: 0 },
      columns: {
        type: 'array',
        items: {
          type: 'object',
          properties: { column: { type: 'string' }, sum: { type: 'number' }, numbers: { type: 'integer' } },
          required: ['column', 'sum', 'numbers'],
        },
      },
    },
    required: ['lines', 'columns'],
  },
  idempotent: true,
}

/** A line that is longer than this is none of a table. */
const LONGEST_LINE = 1_000_000

export async function sumColumns(
  { file }: { file: Blob },
  { signal, progress }: Pick<TaskContext, 'signal' | 'progress'>,
): Promise<{ lines: number; columns: ColumnSum[] }> {
  let columns: { column: string; sum: number; numbers: number }[] | undefined
  let lines = 0
  for await (const line of linesOf(file, (share) => progress(share, `${lines} lines`))) {
    if (signal.aborted) throw signal.reason
    const cells = cellsOf(line)
    if (columns === undefined) {
      columns = cells.map((column) => ({ column, sum: 0, numbers: 0 }))
      continue
    }
    lines++
    for (const [n, column] of columns.entries()) {
      const cell = cells[n]?.trim() ?? ''
      const value = Number(cell)
      if (cell === '' || !Number.isFinite(value)) continue
      column.sum += value
      column.numbers++
    }
  }
  return { lines, columns: columns ?? [] }
}

/** Lines that are not empty. @param onRead how much of the file was read, 0 to 1 */
async function* linesOf(file: Blob, onRead: (share: number) => void): AsyncIterable<string> {
  const reader = file.stream().pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  let read = 0
  for (;;) {
    const { done, value = '' } = await reader.read()
    const lines = (rest + value).split(/\r?\n/)
    rest = done ? '' : (lines.pop() ?? '')
    for (const line of lines) if (line !== '') yield line
    if (done) return
    if (rest.length > LONGEST_LINE)
      throw new Error(`A line has more than ${LONGEST_LINE} characters: is that a CSV file?`)
    // In characters, which is near enough for a bar.
    read += value.length
    onRead(Math.min(1, read / file.size))
  }
}

/** Cells between commas; one that begins with a quote ends with one, and a doubled quote in it is one (RFC 4180). None holds a line break. */
function cellsOf(line: string): string[] {
  return Array.from(line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g), ([, quoted, plain = '']) =>
    quoted === undefined ? plain : quoted.replaceAll('""', '"'),
  )
}
