/** What goes over a connection that is measured. The other end counts it and compares each byte with what had to come. */
import type { End } from './systems/system.ts'

/** First byte of a message: `data` is counted and checked, `last` asks for the report of that, `echo` comes back. */
const KINDS = { data: 0, last: 1, echo: 2, answer: 3 } as const

/** kind(1) ‖ unused(3) ‖ number(4); what follows is a part of BLOCK chosen by the number. */
const HEAD = 8
/** Different parts: a message in the place of another is found out. */
const PARTS = 251
export const LARGEST = 1024 * 1024
const BLOCK = pseudoRandom(LARGEST + PARTS)

interface Report {
  messages: number
  bytes: number
  wrong: number
}

export class Traffic {
  readonly #end: End
  #report: Report = { messages: 0, bytes: 0, wrong: 0 }
  #tellAnswer: (message: Uint8Array) => void = () => undefined

  constructor(end: End) {
    this.#end = end
    end.onMessage = (message) => this.#take(message)
  }

  /**
   * Sends `count` messages of `size` bytes as fast as the system lets.
   * @returns seconds from the first until the other page has all of them and the system knows
   * @throws Error where something else arrived
   */
  async stream(count: number, size: number): Promise<number> {
    const start = performance.now()
    for (let number = 0; number < count; number++) {
      const full = this.#end.send(messageOf(KINDS.data, number, size))
      if (full !== undefined) await full
    }
    const report = JSON.parse(new TextDecoder().decode((await this.#ask(KINDS.last, count, HEAD)).subarray(HEAD)))
    await this.#end.delivered()
    const seconds = (performance.now() - start) / 1_000
    const { messages, bytes, wrong } = report as Report
    if (messages === count && bytes === count * size && wrong === 0) return seconds
    throw new Error(
      `Of ${count} messages of ${size} bytes ${messages} came with ${bytes} bytes, ${wrong} of them wrong.`,
    )
  }

  /** @returns milliseconds from sending a message until it is back: the mean of `count` that follow each other */
  async echo(count: number, size: number): Promise<number> {
    const start = performance.now()
    for (let number = 0; number < count; number++) {
      const message = await this.#ask(KINDS.echo, number, size)
      if (message.length !== size || !isPartOf(message, number)) throw new Error('An echo is not what was sent.')
    }
    const mean = (performance.now() - start) / count
    await this.#end.delivered()
    return mean
  }

  async #ask(kind: number, number: number, size: number): Promise<Uint8Array> {
    const answer = new Promise<Uint8Array>((fulfil) => {
      this.#tellAnswer = fulfil
    })
    await this.#end.send(messageOf(kind, number, size))
    return answer
  }

  #take(message: Uint8Array): void {
    const report = this.#report
    switch (message[0]) {
      case KINDS.data:
        if (!isPartOf(message, report.messages)) report.wrong++
        report.messages++
        report.bytes += message.length
        return
      case KINDS.last:
        this.#report = { messages: 0, bytes: 0, wrong: 0 }
        this.#reply(new TextEncoder().encode(JSON.stringify(report).padStart(HEAD + JSON.stringify(report).length)))
        return
      case KINDS.echo:
        this.#reply(message)
        return
      case KINDS.answer:
        this.#tellAnswer(message)
    }
  }

  #reply(message: Uint8Array): void {
    const answer = new Uint8Array(message)
    answer[0] = KINDS.answer
    // What fails is an error of the page, which ends the run.
    void this.#end.send(answer)
  }
}

function messageOf(kind: number, number: number, size: number): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(size)
  message[0] = kind
  new DataView(message.buffer).setUint32(4, number)
  message.set(BLOCK.subarray(number % PARTS, (number % PARTS) + size - HEAD), HEAD)
  return message
}

function isPartOf(message: Uint8Array, number: number): boolean {
  if (new DataView(message.buffer, message.byteOffset).getUint32(4) !== number) return false
  const start = (number % PARTS) - HEAD
  for (let i = HEAD; i < message.length; i++) if (message[i] !== BLOCK[start + i]) return false
  return true
}

/** The same in both pages: xorshift32. */
function pseudoRandom(length: number): Uint8Array {
  let state = 1
  return Uint8Array.from({ length }, () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state
  })
}
