/** Suites by which an implementation of a port proves itself, also one from outside this package. */
export type { ConformanceCase } from './case.ts'
export { cryptoConformance } from './crypto.ts'
export type { CryptoImplementation, StorableProvider } from './crypto-implementation.ts'
export { type LinkImplementation, linkConformance } from './links.ts'
export { type SessionStoreImplementation, sessionStoreConformance } from './session-stores.ts'
export { type TaskStoreImplementation, taskStoreConformance } from './task-stores.ts'
