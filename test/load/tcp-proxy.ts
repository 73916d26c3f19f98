import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A network between two programs, which a test can cut. */
export class TcpProxy {
  readonly port: number
  readonly #server: Server
  readonly #sockets: Set<Socket>

  private constructor(server: Server, sockets: Set<Socket>) {
    this.port = (server.address() as AddressInfo).port
    this.#server = server
    this.#sockets = sockets
  }

  static async to(port: number): Promise<TcpProxy> {
    const sockets = new Set<Socket>()
    const server = createServer((near) => {
      const far = connect(port, '127.0.0.1')
      near.pipe(far).pipe(near)
      for (const socket of [near, far]) {
        sockets.add(socket)
        // The other half ends with it.
        socket.on('error', () => undefined)
        socket.on('close', () => {
          near.destroy()
          far.destroy()
          sockets.delete(socket)
        })
      }
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new TcpProxy(server, sockets)
  }

  /** For good. */
  cut(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}
