/** What goes over a connection that is measured. The other end counts it and compares each byte with what had to come. */
import type { End } from './systems/system.ts'

/** First byte of a message: `data` is counted and checked, `part` is kept, `echo` comes back as it is, `report` and `digest` ask. */
const KINDS = { data: 0, part: 1, echo: 2, report: 3, digest: 4, answer: 5 } as const
type Question = typeof KINDS.echo | typeof KINDS.report | typeof KINDS.digest

/** kind(1) ‖ kind that is answered(1) ‖ unused(2) ‖ number(4); what follows is a part of BLOCK chosen by the number. */
const HEAD = 8
/** Different parts: a message in the place of another is found out. */
const PARTS = 251
/** What a browser's channel carries in one message. */
const LARGEST = 262_144
const BLOCK = pseudoRandom(LARGEST + PARTS)

interface Report {
  messages: number
  bytes: number
  wrong: number
}

export class Traffic {
  readonly #end: End
  readonly #asked = new Map<number, (answer: Uint8Array) => void>()
  #report: Report = { messages: 0, bytes: 0, wrong: 0 }
  #bulk: Uint8Array<ArrayBuffer> = new Uint8Array()
  /** Of the other page's bulk(). */
  #parts: Uint8Array<ArrayBuffer>[] = []

  constructor(end: End) {
    this.#end = end
    end.onMessage = (message) => this.#take(message)
    end.onTransferred = (part) => this.#keep(part)
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
      if (full instanceof Promise) await full
    }
    const { messages, bytes, wrong } = await this.#reported()
    const seconds = (performance.now() - start) / 1_000
    if (messages === count && bytes === count * size && wrong === 0) return seconds
    throw new Error(
      `Of ${count} messages of ${size} bytes ${messages} came with ${bytes} bytes, ${wrong} of them wrong.`,
    )
  }

  /** So many random bytes are what bulk() sends. */
  prepareBulk(length: number): void {
    this.#bulk = new Uint8Array(length)
    // The browser gives no more at once.
    for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(this.#bulk.subarray(at, at + 65_536))
  }

  /**
   * Sends them in the largest messages, or as the system moves many bytes.
   * @returns seconds from the first until the other page has all of them and the system knows
   */
  async bulk(): Promise<number> {
    const start = performance.now()
    if (this.#end.transfer) await this.#end.transfer(this.#bulk)
    else await this.#sendInParts(this.#bulk)
    await this.#reported()
    return (performance.now() - start) / 1_000
  }

  /** @throws Error where the other page got something else, by its digest */
  async checkBulk(): Promise<void> {
    const digest = decode(await this.#ask(KINDS.digest, HEAD))
    if (digest !== (await digestOf([this.#bulk]))) throw new Error('The bytes that came are not those that were sent.')
  }

  /** @returns milliseconds from sending a message until it is back, of each of `count` that follow each other */
  async echo(count: number, size: number): Promise<number[]> {
    const times: number[] = []
    while (times.length < count) times.push(await this.#echoOne(times.length, size))
    await this.#end.delivered()
    return times
  }

  /** One echo after the other while bulk() is under way. */
  async echoUnderBulk(size: number): Promise<{ readonly times: number[]; readonly seconds: number }> {
    let isMoving = true
    const moved = this.bulk().finally(() => {
      isMoving = false
    })
    const tooLate = moved.then(() => Number.NaN)
    const times: number[] = []
    while (isMoving) times.push(await Promise.race([this.#echoOne(times.length, size), tooLate]))
    return { times: times.filter((time) => !Number.isNaN(time)), seconds: await moved }
  }

  async #sendInParts(bytes: Uint8Array): Promise<void> {
    const each = (this.#end.largest ?? LARGEST) - HEAD
    for (let at = 0; at < bytes.length; at += each) {
      const message = new Uint8Array(HEAD + Math.min(each, bytes.length - at))
      message[0] = KINDS.part
      message.set(bytes.subarray(at, at + each), HEAD)
      const full = this.#end.send(message)
      if (full instanceof Promise) await full
    }
  }

  async #echoOne(number: number, size: number): Promise<number> {
    const start = performance.now()
    const message = await this.#ask(KINDS.echo, size, number)
    if (message.length !== size || !isPartOf(message, number)) throw new Error('An echo is not what was sent.')
    return performance.now() - start
  }

  async #reported(): Promise<Report> {
    const report = JSON.parse(decode(await this.#ask(KINDS.report, HEAD))) as Report
    await this.#end.delivered()
    return report
  }

  #ask(kind: Question, size: number, number = 0): Promise<Uint8Array> {
    return new Promise((fulfil) => {
      this.#asked.set(kind, fulfil)
      // The answer is waited for. What fails is an error of the page, which ends the measurement.
      void this.#end.send(messageOf(kind, number, size))
    })
  }

  #take(message: Uint8Array): void {
    const report = this.#report
    switch (message[0]) {
      case KINDS.data:
        if (!isPartOf(message, report.messages)) report.wrong++
        report.messages++
        report.bytes += message.length
        return
      case KINDS.part:
        this.#keep(new Uint8Array(message.subarray(HEAD)))
        return
      case KINDS.report:
        this.#report = { messages: 0, bytes: 0, wrong: 0 }
        this.#reply(KINDS.report, encode(JSON.stringify(report)))
        return
      case KINDS.digest:
        void digestOf(this.#parts).then((digest) => this.#reply(KINDS.digest, encode(digest)))
        this.#parts = []
        return
      case KINDS.echo:
        this.#reply(KINDS.echo, message)
        return
      case KINDS.answer:
        this.#asked.get(message[1] ?? 0)?.(message)
    }
  }

  #keep(part: Uint8Array<ArrayBuffer>): void {
    this.#parts.push(part)
    this.#report.bytes += part.length
  }

  #reply(kind: Question, message: Uint8Array): void {
    const answer = new Uint8Array(message)
    answer[0] = KINDS.answer
    answer[1] = kind
    void this.#end.send(answer)
  }
}

/** A text behind an empty head. */
function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text.padStart(HEAD + text.length))
}

function decode(message: Uint8Array): string {
  return new TextDecoder().decode(message.subarray(HEAD))
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

async function digestOf(parts: Uint8Array<ArrayBuffer>[]): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', await new Blob(parts).arrayBuffer())
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
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
