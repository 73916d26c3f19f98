/** Counts what a page's code has taken from the browser and not given back. */
export interface LiveResources {
  connections: number
  /** Listeners on the window. */
  listeners: number
  intervals: number
}

/** Call before the code that is watched runs. */
export function watchResources(): () => LiveResources {
  const connections = new Set<RTCPeerConnection>()
  const intervals = new Set<number>()
  const listeners = new Set<unknown>()

  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration)
      connections.add(this)
    }

    override close(): void {
      super.close()
      connections.delete(this)
    }
  }

  const { setInterval, clearInterval, addEventListener, removeEventListener } = window
  window.setInterval = ((action: TimerHandler, delay?: number) => {
    const id = setInterval(action, delay)
    intervals.add(id)
    return id
  }) as typeof window.setInterval
  window.clearInterval = (id) => {
    clearInterval(id)
    intervals.delete(id as number)
  }
  window.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    addEventListener.apply(window, args)
    listeners.add(args[1])
  }
  window.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    removeEventListener.apply(window, args)
    listeners.delete(args[1])
  }

  return () => ({ connections: connections.size, listeners: listeners.size, intervals: intervals.size })
}
