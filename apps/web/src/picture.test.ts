import { beforeEach, expect, test, vi } from 'vitest'
import type { Account } from './account.ts'
import { Pictures } from './picture.ts'
import { ScriptedPeer } from './scripted-peer.fixture.ts'

const tile = { cx: 0, cy: 0, scale: 1, width: 16, height: 16, iterations: 10 }
const drawn = { width: 2, height: 2, pixels: new Uint8Array(4) }
const settled = () => new Promise((resolve) => setTimeout(resolve))
const moved = vi.fn()

/** The pictures of a page, which shows what the page before it kept. */
function pageOf(peer: ScriptedPeer): Pictures {
  const host = { changed: () => undefined, announce: () => undefined, report: () => undefined }
  const pictures = new Pictures(host, { moved } as unknown as Account)
  pictures.attach(peer.asPeer)
  return pictures
}

beforeEach(() => {
  moved.mockClear()
  const kept = new Map<string, string>()
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  })
})

function interrupted() {
  const peer = new ScriptedPeer({ signaling: '', mesh: 'red' })
  const before = pageOf(peer)
  before.draw(tile, 'The whole set', { priority: 'high' })
  expect(peer.settle).toHaveLength(64)
  for (const { fulfil } of peer.settle.slice(0, 40)) fulfil(drawn)
  return { peer, before }
}

test('after a reload one picture stands for its tiles, with those drawn whose results are known', async () => {
  const { peer, before } = interrupted()
  await settled()
  before.save()
  const pictures = pageOf(peer)
  await settled()
  expect(pictures.all).toMatchObject([{ subject: 'The whole set', tile, state: 'interrupted' }])
  expect(pictures.all[0]?.tiles.filter((part) => part.drawn !== undefined)).toHaveLength(40)
  expect([0, 39, 63].map((at) => pictures.has(`task ${at}`))).toEqual([true, true, true])
})

test('a picture that a reload interrupted is completed when the last of its tiles has come', async () => {
  const { peer, before } = interrupted()
  before.save()
  const pictures = pageOf(peer)
  for (const { fulfil } of peer.settle.slice(40)) fulfil(drawn)
  await settled()
  expect(pictures.all[0]?.state).toBe('completed')
})

test('what a page before this one counted is not counted again', async () => {
  const { peer, before } = interrupted()
  for (let at = 0; at < 40; at++) Object.assign(peer.task(`task ${at}`)?.info ?? {}, { endedAt: 1 })
  before.save()
  before.detach()
  await settled()
  moved.mockClear()
  pageOf(peer)
  await settled()
  expect(moved).not.toHaveBeenCalled()
})

test('a picture whose results are gone is drawn anew, in its own place', async () => {
  const { before } = interrupted()
  before.save()
  const peer = new ScriptedPeer({ signaling: '', mesh: 'red' })
  const pictures = pageOf(peer)
  pictures.all[0]?.again()
  expect(peer.settle).toHaveLength(64)
  expect(pictures.all).toMatchObject([
    { state: 'working', tile, options: { priority: 'high' }, retryOf: pictures.all[1]?.id },
    { state: 'interrupted' },
  ])
})

test('pictures of another mesh are not shown', () => {
  interrupted().before.save()
  expect(pageOf(new ScriptedPeer({ signaling: '', mesh: 'blue' })).all).toEqual([])
})

test('only so many pictures are kept, the newest', () => {
  const { peer, before } = interrupted()
  for (let at = 0; at < 20; at++) before.draw(tile, `${at}`, {})
  before.save()
  expect(pageOf(peer).all.map(({ subject }) => subject)).toEqual(['19', '18', '17', '16', '15', '14', '13', '12'])
})
