import type { Link, LinkTransport } from '../../links/link.ts'
import type { Bytes } from '../../wire/bytes.ts'

/** What a live transport shows where somebody stands in the middle: another certificate than the peer signed for. */
export function endingElsewhere(certificate: Bytes): (real: LinkTransport) => LinkTransport {
  const seen = (link: Link): Link =>
    new Proxy(link, {
      get(target, name) {
        if (name === 'binding') return { local: target.binding.local, remote: certificate }
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  return (real) => {
    const attempt = (made: ReturnType<LinkTransport['offer']>) => ({
      description: made.description,
      opened: made.opened.then(seen),
      accept: made.accept.bind(made),
      addCandidates: made.addCandidates.bind(made),
      abort: made.abort.bind(made),
    })
    return {
      ...real,
      offer: (...parameters) => attempt(real.offer(...parameters)),
      answer: (...parameters) => attempt(real.answer(...parameters)),
    }
  }
}
