import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A network between two programs, which a test can cut, or a balancer that sends new connections elsewhere. */
export class TcpProxy {
  readonly port: number
  /** The port that new connections go to. */
  upstream: number
  readonly #server: Server
  readonly #sockets: Set<Socket>

  private constructor(server: Server, sockets: Set<Socket>, upstream: number) {
    this.upstream = upstream
    this.port = (server.address() as AddressInfo).port
    this.#server = server
    this.#sockets = sockets
  }

  static async to(upstream = 0): Promise<TcpProxy> {
    const sockets = new Set<Socket>()
    const server = createServer((near) => {
      const far = connect(proxy.upstream, '127.0.0.1')
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
    const proxy = new TcpProxy(server, sockets, upstream)
    return proxy
  }

  /** For good. */
  cut(): void {
    this.#server.close()
    this.drop()
  }

  /** Ends the connections there are. New ones are taken. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}
