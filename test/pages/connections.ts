/** Connections of this page that are not closed, those made ahead among them. */
export const connections = new Set<RTCPeerConnection>()

window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(configuration?: RTCConfiguration) {
    super(configuration)
    connections.add(this)
  }

  override close() {
    super.close()
    connections.delete(this)
  }
}

/** Without a goodbye. */
export function cutLinks(): void {
  for (const connection of connections) connection.close()
}
