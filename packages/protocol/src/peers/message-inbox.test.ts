import { expect, test, vi } from 'vitest'
import { LIMITS } from '../limits.ts'
import { SESSION_TYPES } from '../messages.ts'
import type { StoredMessage } from '../session/store.ts'
import { MessageInbox } from './message-inbox.ts'

const message = (peer: string, number: number, size = 1): StoredMessage => ({
  peer,
  number,
  id: `${peer} ${number}`,
  at: 0,
  type: SESSION_TYPES.message,
  raw: true,
  payload: new Uint8Array(size),
})

test.each([
  ['messages', LIMITS.maxInboxMessagesPerPeer, 1],
  ['bytes', 8, LIMITS.maxInboxBytesPerPeer / 8],
])(
  'a peer that fills its share of the inbox with %s stops, others go on, and it goes on when some are handled',
  async (...[, count, size]) => {
    const handled: (() => void)[] = []
    const onRoom = vi.fn()
    const inbox = new MessageInbox({
      store: undefined,
      hasListener: () => true,
      deliver: () => new Promise((fulfil) => handled.push(fulfil)),
      takeResult: async () => undefined,
      onRoom,
      onError: (error) => expect.unreachable(error.message),
    })
    for (let number = 1; number < count; number++) inbox.add(message('hoarder', number, size))
    expect(inbox.hasRoom('hoarder')).toBe(true)
    inbox.add(message('hoarder', count, size))
    expect([inbox.hasRoom('hoarder'), inbox.hasRoom('another')]).toEqual([false, true])
    await vi.waitFor(() => expect(handled).toHaveLength(count))
    expect(onRoom).not.toHaveBeenCalled()
    handled[0]?.()
    await vi.waitFor(() => expect(onRoom).toHaveBeenCalledOnce())
    expect(inbox.hasRoom('hoarder')).toBe(true)
  },
)
