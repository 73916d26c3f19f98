import { expect, test, vi } from 'vitest'
import { fromUtf8 } from '../wire/bytes.ts'
import { CandidateGroups } from './ice-candidate.ts'

const udp = { candidate: 'candidate:1 1 udp 2113937151 a.local 50000 typ host', sdpMid: '0' }
const relayed = { candidate: 'candidate:2 1 udp 2000 192.0.2.1 50001 typ relay', sdpMid: '0' }
const tcp = { candidate: 'candidate:3 1 tcp 1518280447 a.local 9 typ host tcptype active', sdpMid: '0' }

test('candidates found in one go are told together, without those that lead nowhere', async () => {
  const told = await new Promise<string[]>((fulfil) => {
    const groups = new CandidateGroups((candidates) => {
      groups.end()
      fulfil(candidates.map(fromUtf8))
    })
    for (const candidate of [tcp, udp, { candidate: '' }, relayed]) groups.add(candidate)
  })
  expect(told.map((text) => JSON.parse(text))).toEqual([udp, relayed])
})

test('a further address of this machine waits, and goes with what comes from a server', async () => {
  const another = { ...udp, candidate: udp.candidate.replace('a.local', 'b.local') }
  const told: string[][] = []
  await new Promise<void>((fulfil) => {
    const groups = new CandidateGroups((candidates) => {
      told.push(candidates.map(fromUtf8))
      groups.add(another)
      if (told.length === 1) groups.add(relayed)
      if (told.length < 3) return
      groups.end()
      fulfil()
    })
    groups.add(udp)
  })
  expect(told.map((group) => group.map((text) => JSON.parse(text)))).toEqual([[udp], [another, relayed], [another]])
})

test('in a hidden page, whose timers come late, a further address waits for none', async () => {
  vi.stubGlobal('document', { visibilityState: 'hidden' })
  const timers = vi.spyOn(globalThis, 'setTimeout')
  await new Promise<void>((fulfil) => {
    let told = 0
    const groups = new CandidateGroups(() => {
      groups.add(udp)
      if (++told < 2) return
      groups.end()
      fulfil()
    })
    groups.add(udp)
  })
  expect(timers).not.toHaveBeenCalled()
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})
