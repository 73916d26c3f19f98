/** A page that hands work over and does it, and whose handlers end when the test says so. */
import { createPeer } from '@tsunagi/protocol/browser'

type Peer = Awaited<ReturnType<typeof createPeer>>

declare global {
  interface Window {
    /** Joins and offers `work` and `once`, which differ in what becomes of them when the page is loaded anew. */
    join(signaling: string): Promise<string>
    peer: Peer
    /** Inputs of the handlers that run, in the order they began. */
    running: string[]
    /** Ends the handler that runs with `input`. */
    finish(input: string, output: string): void
    /** What the result of a task is, or the code of its error. */
    resultOf(id: string): Promise<string>
    problems: string[]
  }
}

const ends = new Map<string, (output: string) => void>()

window.running = []
window.problems = []
window.join = async (signaling) => {
  const peer = await createPeer({ signaling, mesh: 'tasks' })
  window.peer = peer
  peer.on('error', ({ code, message }) => window.problems.push(`${code}: ${message}`))
  const handler = (input: string) => {
    window.running.push(input)
    return new Promise<string>((fulfil) => ends.set(input, fulfil))
  }
  peer.provide({ name: 'work', version: '1', concurrency: 1, onReload: 'restart' }, handler)
  peer.provide({ name: 'once', version: '1', onReload: 'lost' }, handler)
  return peer.id
}
window.finish = (input, output) => ends.get(input)?.(output)
window.resultOf = async (id) => {
  try {
    return String(await window.peer.task(id)?.result)
  } catch (error) {
    return (error as { code: string }).code
  }
}
