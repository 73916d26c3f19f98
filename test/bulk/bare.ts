/** A bare data channel between the pages of two tabs, in which only bytes move: what the rate of a transfer is a share of. */
import type { Page } from 'playwright-core'

declare global {
  interface Window {
    bare: { connection: RTCPeerConnection; channel: RTCDataChannel }
  }
}

/** As Chromium's channels take at most. */
const MESSAGE = 256 * 1024
const HIGH_MARK = 1024 * 1024

/** @returns Mbit/s of `mib` MiB from one page to the other */
export async function bareRate(here: Page, there: Page, mib: number): Promise<number> {
  const bytes = mib * 1024 * 1024
  const offer = await here.evaluate(openEnd, { bytes, offer: '' })
  const answer = await there.evaluate(openEnd, { bytes, offer })
  await here.evaluate((sdp) => window.bare.connection.setRemoteDescription({ type: 'answer', sdp }), answer)
  const seconds = await here.evaluate(sendAll, { count: bytes / MESSAGE, size: MESSAGE, highMark: HIGH_MARK })
  for (const page of [here, there]) await page.evaluate(() => window.bare.connection.close())
  return (bytes * 8) / 1e6 / seconds
}

/** An end that says when so many bytes have come. @returns its description, with all its candidates */
async function openEnd({ bytes, offer }: { bytes: number; offer: string }): Promise<string> {
  const connection = new RTCPeerConnection()
  window.bare = { connection, channel: connection.createDataChannel('', { negotiated: true, id: 0 }) }
  const { channel } = window.bare
  channel.binaryType = 'arraybuffer'
  let rest = bytes
  channel.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
    rest -= data.byteLength
    if (rest === 0) channel.send('all')
  }
  if (offer !== '') await connection.setRemoteDescription({ type: 'offer', sdp: offer })
  const gathered = new Promise((fulfil) => {
    connection.onicecandidate = ({ candidate }) => {
      if (candidate === null) fulfil(undefined)
    }
  })
  await connection.setLocalDescription()
  await gathered
  return connection.localDescription?.sdp ?? ''
}

/** @returns seconds until the other end has confirmed all */
async function sendAll({ count, size, highMark }: { count: number; size: number; highMark: number }): Promise<number> {
  const { channel } = window.bare
  if (channel.readyState !== 'open') await new Promise((fulfil) => channel.addEventListener('open', fulfil))
  const confirmed = new Promise((fulfil) => channel.addEventListener('message', fulfil))
  channel.bufferedAmountLowThreshold = highMark / 4
  const message = crypto.getRandomValues(new Uint8Array(65_536))
  const whole = new Uint8Array(size)
  for (let at = 0; at < size; at += message.length) whole.set(message, at)
  const start = performance.now()
  for (let n = 0; n < count; n++) {
    channel.send(whole)
    if (channel.bufferedAmount < highMark) continue
    await new Promise((fulfil) => channel.addEventListener('bufferedamountlow', fulfil, { once: true }))
  }
  await confirmed
  return (performance.now() - start) / 1_000
}
