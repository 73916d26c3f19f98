/**
 * Every number of the protocol and of this implementation, with its reason (SPEC §12, P6). Each is an export of its own, so that a
 * page's bundler puts numbers in the place of their names, and leaves out those that are not used.
 */
export * as LIMITS from './limits/implementation.ts'
export * as PROTOCOL from './limits/protocol.ts'
