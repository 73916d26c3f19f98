/** What a service worker asks the pages of its site when a push came: which of you is the peer it is for? */
export interface WakeMessage {
  readonly type: typeof WAKE_MESSAGE
  /** Number of the peer's identity slot. */
  readonly slot: number
}

export const WAKE_MESSAGE = 'tsunagi wake-up'

/**
 * Listens for a service worker that asks for the page of this slot. Its answer is empty: that it comes is what it says.
 * @param onWakeUp a push came for the peer of this page
 */
export function answerServiceWorker(slot: number, onWakeUp: () => void, signal: AbortSignal): void {
  // Absent outside secure contexts, and in some private windows.
  const workers: ServiceWorkerContainer | undefined = navigator.serviceWorker
  const listener = ({ data, ports: [port] }: MessageEvent<Partial<WakeMessage> | undefined>) => {
    if (data?.type !== WAKE_MESSAGE || data.slot !== slot) return
    port?.postMessage(undefined)
    onWakeUp()
  }
  workers?.addEventListener('message', listener, { signal })
  workers?.startMessages()
}
