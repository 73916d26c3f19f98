import type { TaskContext } from '@tsunagi/protocol'
import { expect, test, vi } from 'vitest'
import { runInWorker } from './run-in-worker.ts'
import type { WorkerReport } from './worker-side.ts'

function start(controller = new AbortController()) {
  const worker = { postMessage: vi.fn(), terminate: vi.fn() } as unknown as Worker
  const progress = vi.fn()
  const context = { signal: controller.signal, progress } as unknown as TaskContext
  const result = runInWorker(worker, { n: 1 }, context)
  const say = (report: WorkerReport) => worker.onmessage?.({ data: report } as MessageEvent)
  return { worker, progress, result, say, controller }
}

test('the input goes to the worker, its progress to the caller, its output is the result', async () => {
  const { worker, progress, result, say } = start()
  expect(worker.postMessage).toHaveBeenCalledWith({ n: 1 }, [])
  say({ progress: 0.5, note: 'half' })
  say({ output: 42 })
  expect(await result).toBe(42)
  expect(progress).toHaveBeenCalledWith(0.5, 'half')
  expect(worker.terminate).toHaveBeenCalledOnce()
})

test('a canceled task ends its worker, whatever it is doing', async () => {
  const { worker, result, controller } = start()
  controller.abort(new Error('canceled'))
  await expect(result).rejects.toThrow('canceled')
  expect(worker.terminate).toHaveBeenCalledOnce()
})

test('a task canceled before it began never begins', async () => {
  const controller = new AbortController()
  controller.abort(new Error('canceled'))
  const { worker, result } = start(controller)
  await expect(result).rejects.toThrow('canceled')
  expect(worker.postMessage).not.toHaveBeenCalled()
})

test.each([
  [
    'an error in the worker',
    (worker: Worker) => worker.onmessage?.({ data: { failure: 'bad input' } } as MessageEvent),
  ],
  ['a worker that cannot start', (worker: Worker) => worker.onerror?.({ message: 'bad input' } as ErrorEvent)],
])('%s rejects with its words', async (_, fail) => {
  const { worker, result } = start()
  fail(worker)
  await expect(result).rejects.toThrow('bad input')
  expect(worker.terminate).toHaveBeenCalledOnce()
})
