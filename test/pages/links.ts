/** A page that holds both ends of WebRTC links, or one end of a link to another page. */
import { createWebRtcTransport } from '@tsunagi/protocol/browser'
import { type LinkImplementation, linkConformance } from '@tsunagi/protocol/conformance'
import { type LiveResources, watchResources } from './live-resources.ts'
import { OneEnd } from './one-end.ts'

declare global {
  interface Window {
    /** @param ahead with connections that were made before they were needed */
    runLinkCase(name: string, ahead: boolean): Promise<void>
    liveResources(): LiveResources
    end: OneEnd
  }
}

const transports = Promise.all([createWebRtcTransport(), createWebRtcTransport()])
const rest: Omit<LinkImplementation, 'transports'> = {
  withFingerprint(description, fingerprint) {
    const hex = Array.from(fingerprint, (byte) => byte.toString(16).padStart(2, '0')).join(':')
    const sdp = new TextDecoder().decode(description)
    return new TextEncoder().encode(sdp.replace(/^a=fingerprint:.*$/m, `a=fingerprint:sha-256 ${hex.toUpperCase()}`))
  },
  apart(description) {
    const encoder = new TextEncoder()
    const lines = new TextDecoder().decode(description).split('\r\n')
    const isCandidate = (line: string) => line.startsWith('a=candidate:')
    return {
      description: encoder.encode(lines.filter((line) => !isCandidate(line)).join('\r\n')),
      candidates: lines
        .filter(isCandidate)
        .map((line) => encoder.encode(JSON.stringify({ candidate: line.slice('a='.length), sdpMLineIndex: 0 }))),
    }
  },
}

window.liveResources = watchResources()
window.runLinkCase = async (name, ahead) => {
  const found = linkConformance.find((entry) => entry.name === name)
  if (!found) throw new Error(`There is no case of the name ${name}.`)
  const both = await transports
  if (ahead) for (const transport of both) transport.prepare?.()
  await found.run({ ...rest, transports: both })
  for (const transport of both) transport.close?.()
  // simple-peer closes a connection in a task of its own.
  await new Promise((fulfil) => setTimeout(fulfil))
}
window.end = new OneEnd(createWebRtcTransport())
