/** What the WebRTC link uses of simple-peer's fork: its build without media, and the two objects it keeps to itself. */
declare module '@thaunknown/simple-peer/lite.js' {
  export default class SimplePeer {
    constructor(options: {
      initiator: boolean
      config: RTCConfiguration
      channelConfig: RTCDataChannelInit
      iceCompleteTimeout: number
    })
    /** Undefined where the browser refused to make one; null once destroyed. */
    readonly _pc: RTCPeerConnection | null | undefined
    readonly _channel: RTCDataChannel | null
    initiator: boolean
    negotiate(): void
    removeAllListeners(event: 'error'): void
    signal(description: RTCSessionDescriptionInit): void
    destroy(error?: Error): void
    on(
      event: 'signal',
      listener: (signal: RTCSessionDescriptionInit | { candidate: RTCIceCandidateInit }) => void,
    ): this
    on(event: 'error', listener: (error: Error) => void): this
    on(event: 'close', listener: () => void): this
    on(event: 'iceStateChange', listener: (connection: string, gathering: string) => void): this
  }
}
