/** All WebRTC connections of this page, whatever makes them. */

const open = new Set<RTCPeerConnection>()

class CountedConnection extends RTCPeerConnection {
  constructor(configuration?: RTCConfiguration) {
    super(configuration)
    open.add(this)
  }

  override close(): void {
    super.close()
    open.delete(this)
  }
}
window.RTCPeerConnection = CountedConnection

/** Of an IPv4 and a UDP packet. */
const PACKET_HEADS = 28

/** Bytes that this page's connections have sent and received: DTLS and SCTP, their acknowledgements, and each packet's heads. */
export async function wireBytes(): Promise<number> {
  let bytes = 0
  for (const connection of open) {
    for (const [, stats] of (await connection.getStats()) as unknown as Map<string, Record<string, number | string>>) {
      if (stats['type'] !== 'transport') continue
      bytes += Number(stats['bytesSent']) + Number(stats['bytesReceived'])
      bytes += PACKET_HEADS * (Number(stats['packetsSent']) + Number(stats['packetsReceived']))
    }
  }
  return bytes
}
