import { PROTOCOL } from '@tsunagi/protocol'

/** Where peers meet. Both parts stand in the fragment of the page's address, which browsers send to nobody. */
export interface MeshAddress {
  readonly mesh: string
  readonly secret: string | undefined
}

export type Invite =
  | { readonly kind: 'none' }
  | { readonly kind: 'mesh'; readonly address: MeshAddress }
  | { readonly kind: 'invalid'; readonly reason: string }

// Line breaks and direction overrides could make one name look like another, U+FFFD stands where the link was damaged.
const UNSHOWABLE = /[\p{Cc}\u061c\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffd]/u

/** What is wrong with a mesh name or secret that a person typed or a link carries; undefined where nothing is. */
export function faultOf({ mesh, secret }: MeshAddress): string | undefined {
  if (mesh === '') return 'The name of the mesh is missing.'
  if (mesh.length > PROTOCOL.maxMeshName)
    return `The name of the mesh is longer than ${PROTOCOL.maxMeshName} characters.`
  if (UNSHOWABLE.test(mesh)) return 'The name of the mesh has characters that cannot be shown.'
  // A cut-off link must not lead into an open mesh of the same name.
  if (secret === '') return 'The secret is empty.'
  if (secret !== undefined && secret.length > PROTOCOL.maxSecret)
    return `The secret is longer than ${PROTOCOL.maxSecret} characters.`
  return undefined
}

/** Reads `#mesh=NAME&secret=…`. Unknown parameters are left alone, so that later links still open here. */
export function readInvite(fragment: string): Invite {
  const text = fragment.replace(/^#/, '')
  if (text === '') return { kind: 'none' }
  const parameters = new URLSearchParams(text)
  const meshes = parameters.getAll('mesh')
  const secrets = parameters.getAll('secret')
  if (meshes.length > 1 || secrets.length > 1)
    return { kind: 'invalid', reason: 'It names more than one mesh or secret.' }
  const address = { mesh: meshes[0] ?? '', secret: secrets[0] }
  const reason = faultOf(address)
  return reason === undefined ? { kind: 'mesh', address } : { kind: 'invalid', reason }
}

/**
 * Reads what a person typed or pasted where a mesh is asked for: its name, or an invite link, whose secret counts then.
 * `page` is the address of this page: a link to another server cannot be followed here.
 */
export function readTyped(text: string, secret: string, page: string): Exclude<Invite, { kind: 'none' }> {
  if (!text.includes('://') && !text.includes('#mesh=')) {
    const address = { mesh: text, secret: secret === '' ? undefined : secret }
    const reason = faultOf(address)
    return reason === undefined ? { kind: 'mesh', address } : { kind: 'invalid', reason }
  }
  const { origin, protocol } = new URL(page)
  const whole = text.startsWith('#') ? `${origin}/${text}` : text.includes('://') ? text : `${protocol}//${text}`
  const link = URL.canParse(whole) ? new URL(whole) : undefined
  if (link !== undefined && link.origin !== origin)
    return { kind: 'invalid', reason: `This link is for another server, ${link.host}. Open it in the address bar.` }
  const invite = readInvite(link?.hash ?? '')
  if (invite.kind === 'mesh') return invite
  const reason = invite.kind === 'invalid' ? invite.reason : 'It names no mesh.'
  return { kind: 'invalid', reason: `This invite link does not work. ${reason} Ask for the link again.` }
}

export function fragmentOf({ mesh, secret }: MeshAddress): string {
  const name = `#mesh=${encodeURIComponent(mesh)}`
  return secret === undefined ? name : `${name}&secret=${encodeURIComponent(secret)}`
}

/** The link that brings others here. `page` is the address of the app; its own fragment is replaced. */
export function inviteLink(page: string, address: MeshAddress): string {
  const link = new URL(page)
  link.hash = fragmentOf(address)
  return link.href
}

/** Opens a tab that joins as a peer of its own, in a process of its own. */
export function openAnotherTab(address: MeshAddress): void {
  window.open(inviteLink(location.href, address), '_blank', 'noopener')
}

/** A mesh nobody else can guess: the name tells meshes apart for people, the 128-bit secret keeps strangers out. */
export function newMesh(): MeshAddress {
  const name = crypto.getRandomValues(new Uint8Array(3))
  const secret = crypto.getRandomValues(new Uint8Array(16))
  return {
    mesh: `mesh-${Array.from(name, (byte) => byte.toString(16).padStart(2, '0')).join('')}`,
    secret: btoa(String.fromCharCode(...secret))
      .replaceAll('+', '-')
      .replaceAll('/', '_')
      .replace(/=+$/, ''),
  }
}
