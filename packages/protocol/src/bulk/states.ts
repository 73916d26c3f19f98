/** The states of a transfer, as data: every state and event has an outcome (SPEC §9). Terminal states never change. */
import type { TransferState } from '../api.ts'

/** `attach`: its source is there again. */
export type TransferEvent = 'accept' | 'attach' | 'complete' | 'fail'

export const TRANSFER_STATES: Record<TransferState, Record<TransferEvent, TransferState>> = {
  offered: { accept: 'running', attach: 'offered', complete: 'offered', fail: 'failed' },
  running: { accept: 'running', attach: 'running', complete: 'completed', fail: 'failed' },
  interrupted: { accept: 'interrupted', attach: 'running', complete: 'interrupted', fail: 'failed' },
  completed: { accept: 'completed', attach: 'completed', complete: 'completed', fail: 'completed' },
  failed: { accept: 'failed', attach: 'failed', complete: 'failed', fail: 'failed' },
}

export function isEnded(state: TransferState): boolean {
  return state === 'completed' || state === 'failed'
}
