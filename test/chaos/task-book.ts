/** What pages write down of tasks, in a database of the test's own that they all share. */
import { type DBSchema, openDB } from 'idb'

/** A handler began: before it did anything else. */
export interface Execution {
  readonly n: number
  readonly by: string
}

/** What a caller was told of the end of a task, and acted on. */
export interface TaskEnd {
  /** Task id. */
  readonly id: string
  readonly n: number
  readonly state: string
  /** Which execution the output is of, or the code of the error. */
  readonly what: string
}

/** Something that must never be. */
export interface Contradiction {
  readonly id: string
  readonly why: string
}

interface Book extends DBSchema {
  executions: { key: number; value: Execution }
  ends: { key: string; value: TaskEnd }
  contradictions: { key: number; value: Contradiction }
}

export const openBook = () =>
  openDB<Book>('chaos-tasks', 1, {
    upgrade(database) {
      database.createObjectStore('executions', { autoIncrement: true })
      database.createObjectStore('ends', { keyPath: 'id' })
      database.createObjectStore('contradictions', { autoIncrement: true })
    },
  })
