/**
 * Where pushes may be sent. The address is a stranger's choice, and this server would ask whatever it names: so it has to
 * be of a push service that the operator knows.
 */
import { TsunagiError } from '@tsunagi/protocol/signaling'

/** The push services of Chromium, Firefox, Safari and Edge. `*.` stands for any name before. */
const USUAL = ['fcm.googleapis.com', '*.push.services.mozilla.com', '*.push.apple.com', '*.notify.windows.com']

/** In a list of hosts: the usual ones. */
const DEFAULT = 'default'
const HOST = /^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+$/

export class PushHosts {
  readonly #hosts = new Set<string>()
  readonly #origins = new Set<string>()

  /**
   * @param items hosts, meant with https on its usual port, `*.host` for those below one, whole origins such as
   * `https://push.example:8443` or `http://127.0.0.1:9000`, and `default` for the usual ones
   * @throws TsunagiError INVALID_ARGUMENT
   */
  constructor(items: readonly string[] = [DEFAULT]) {
    for (const item of items.flatMap((item) => (item === DEFAULT ? USUAL : [item]))) {
      if (HOST.test(item)) this.#hosts.add(item)
      else if (isOrigin(item)) this.#origins.add(item)
      else {
        throw new TsunagiError(
          'INVALID_ARGUMENT',
          `TSUNAGI_PUSH_HOSTS cannot hold "${item}": it is a list of hosts such as push.example or *.push.example, of origins such as https://push.example:8443, and of the word default.`,
        )
      }
    }
  }

  /** The address as it is to be asked, undefined where it must not be. */
  allowed(endpoint: string): string | undefined {
    if (!URL.canParse(endpoint)) return undefined
    const url = new URL(endpoint)
    if (url.username !== '' || url.password !== '') return undefined
    if (this.#origins.has(url.origin)) return url.href
    const isUsual = url.protocol === 'https:' && url.port === ''
    return isUsual && this.#hasHost(url.hostname) ? url.href : undefined
  }

  #hasHost(host: string): boolean {
    if (this.#hosts.has(host)) return true
    for (let dot = host.indexOf('.'); dot > 0; dot = host.indexOf('.', dot + 1)) {
      if (this.#hosts.has(`*${host.slice(dot)}`)) return true
    }
    return false
  }
}

function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text
}
