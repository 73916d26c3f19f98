import { expect, test } from 'vitest'
import { utf8 } from '../wire/bytes.ts'
import { MOST_CANDIDATES, readSessionDescription } from './session-description.ts'

const hex = Array.from({ length: 32 }, (_, i) => (i + 200).toString(16).toUpperCase()).join(':')
const print = `a=fingerprint:sha-256 ${hex}`
const candidate = 'a=candidate:1 1 udp 2113937151 a.local 50000 typ host'
const media = 'm=application 9 UDP/DTLS/SCTP webrtc-datachannel'

function read(...lines: string[]) {
  return readSessionDescription(utf8(`${['v=0', ...lines].join('\r\n')}\r\n`))
}

test('the fingerprint is read, also beside as many candidates as there may be', () => {
  const { fingerprint } = read(media, print, ...Array.from({ length: MOST_CANDIDATES }, () => candidate))
  expect([...fingerprint]).toEqual(Array.from({ length: 32 }, (_, i) => i + 200))
})

test.each([
  ['more candidates than a machine has interfaces', [media, print, ...Array(MOST_CANDIDATES + 1).fill(candidate)]],
  ['candidates hidden by spaces', [media, print, ...Array(MOST_CANDIDATES + 1).fill(` A = ${candidate.slice(2)}`)]],
  ['a second fingerprint', [media, print, print.replace('C8', 'C9')]],
  ['a fingerprint by another hash', [media, 'a=fingerprint:sha-1 00:11']],
  ['no fingerprint', [media]],
  ['sound', [media, print, 'm=audio 9 UDP/TLS/RTP/SAVPF 111']],
  ['no channel', [print]],
  ['an unprintable character', [media, print, 'a=x\u0000']],
])('a description with %s is refused', (_, lines) => {
  expect(() => read(...lines)).toThrow(expect.objectContaining({ code: 'INVALID_FORMAT' }))
})
