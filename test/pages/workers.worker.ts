/** A worker whose task says what it does with its time and memory. */
import { serveTasks } from '@tsunagi/protocol/browser'
import type { WorkerInput } from './workers.ts'

serveTasks<WorkerInput>(async (input, context) => {
  switch (input.do) {
    case 'count': {
      for (let n = 1; n <= 3; n++) {
        context.progress(n / 3, `${n} of 3`)
        await context.partial(n)
      }
      return { bytes: input.bytes?.length, buffer: input.bytes?.buffer.byteLength, caller: context.caller }
    }
    case 'loop':
      for (;;) Math.random()
    case 'wait':
      return new Promise((_, reject) => {
        context.signal.addEventListener('abort', () => {
          // So that the test hears of it although nobody waits for the task any more.
          new BroadcastChannel('stopped').postMessage(context.signal.reason.message)
          reject(context.signal.reason)
        })
      })
    case 'eat': {
      const memory = new WebAssembly.Memory({ initial: 1 })
      try {
        for (;;) memory.grow(16)
      } catch {
        throw new Error(`It got ${memory.buffer.byteLength} bytes.`)
      }
    }
    case 'hoard': {
      const hoard: number[][] = []
      for (;;) hoard.push(new Array(1_000).fill(Math.random()))
    }
    case 'throw':
      throw new TypeError('It cannot be done.')
  }
})
