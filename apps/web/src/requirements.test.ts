import { expect, test } from 'vitest'
import { missingFeatures } from './requirements.ts'

const complete = {
  isSecureContext: true,
  crypto: { subtle: {} as SubtleCrypto },
  RTCPeerConnection: class {} as unknown as typeof RTCPeerConnection,
  indexedDB: {} as IDBFactory,
  navigator: { locks: {} as LockManager },
}

test('a browser with everything lacks nothing', () => {
  expect(missingFeatures(complete)).toEqual([])
})

test.each([
  ['a secure connection', { ...complete, isSecureContext: false, crypto: {}, navigator: {} }],
  ['WebRTC', { ...complete, RTCPeerConnection: undefined }],
  ['IndexedDB', { ...complete, indexedDB: undefined }],
  ['Web Locks', { ...complete, navigator: {} }],
])('a browser without %s is told that one thing and what to do', (name, host) => {
  const missing = missingFeatures(host as typeof complete)
  expect(missing).toHaveLength(1)
  expect(missing[0]?.what).toContain(name)
  expect(missing[0]?.remedy).toMatch(/^(Open|Allow|Use) /)
})
