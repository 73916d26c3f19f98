import { expect, test } from 'vitest'
import { fragmentOf, inviteLink, newMesh, readInvite, readTyped } from './mesh-address.ts'

const accepted = (fragment: string) => {
  const invite = readInvite(fragment)
  return invite.kind === 'mesh' ? invite.address : invite
}

test('an invite link names a mesh and its secret', () => {
  expect(accepted('#mesh=team&secret=abc-_123')).toEqual({ mesh: 'team', secret: 'abc-_123' })
})

test('a mesh without a secret is an open mesh', () => {
  expect(accepted('#mesh=team')).toEqual({ mesh: 'team', secret: undefined })
})

test.each(['', '#'])('a page opened with %j has no invitation', (fragment) => {
  expect(readInvite(fragment)).toEqual({ kind: 'none' })
})

test.each([
  ['a space & an ampersand', 'a&secret=b'],
  ['100 % #hash +plus=?', 's&e=c#r+e%t '],
  ['つなぎ 🪢', undefined],
])('whatever is in name %j and secret %j comes back from the link unchanged', (mesh, secret) => {
  expect(accepted(fragmentOf({ mesh, secret }))).toEqual({ mesh, secret })
  expect(accepted(new URL(inviteLink('https://a.example/app/?q#old', { mesh, secret })).hash)).toEqual({ mesh, secret })
})

test('the secret stands behind the # of the link and nowhere else', () => {
  const [sent, kept] = inviteLink('https://a.example/?x=1', { mesh: 'team', secret: 'hush' }).split('#')
  expect(sent).toBe('https://a.example/?x=1')
  expect(kept).toBe('mesh=team&secret=hush')
})

test.each([
  ['no name', '#secret=abc'],
  ['an empty name', '#mesh=&secret=abc'],
  ['a secret that was cut off', '#mesh=team&secret='],
  ['two names', '#mesh=a&mesh=b'],
  ['two secrets', '#mesh=a&secret=b&secret=c'],
  ['a name too long', `#mesh=${'x'.repeat(129)}`],
  ['a secret too long', `#mesh=a&secret=${'x'.repeat(257)}`],
  ['a line break in the name', '#mesh=a%0Ab'],
  ['a direction override in the name', '#mesh=%E2%80%AEmaet'],
  ['bytes that are no text', '#mesh=%ff%fe'],
  ['something else', '#section-2'],
])('a link with %s is refused with a reason', (_, fragment) => {
  expect(readInvite(fragment)).toEqual({ kind: 'invalid', reason: expect.stringMatching(/^[A-Z].+\.$/) })
})

test.each(['#mesh=__proto__', '#mesh=constructor&__proto__=1', '#mesh=<img src=x onerror=alert(1)>'])(
  'a hostile name is only a name: %s',
  (fragment) => {
    expect(accepted(fragment)).toHaveProperty('mesh', fragment.slice(6).split('&')[0])
  },
)

const page = 'http://localhost:8931/?x#mesh=here'

test('where a mesh is asked for, a name with a secret and a link of this server are taken', () => {
  expect(readTyped('team', 'hush', page)).toEqual({ kind: 'mesh', address: { mesh: 'team', secret: 'hush' } })
  expect(readTyped('team', '', page)).toEqual({ kind: 'mesh', address: { mesh: 'team', secret: undefined } })
  const link = { kind: 'mesh', address: { mesh: 'team', secret: 'abc' } }
  for (const before of ['http://localhost:8931/', 'localhost:8931/', ''])
    expect(readTyped(`${before}#mesh=team&secret=abc`, 'typed', page)).toEqual(link)
})

test.each([
  ['http://localhost:8931/#mesh=&secret=', 'The name of the mesh is missing.'],
  ['http://localhost:8931/#mesh=team&secret=', 'The secret is empty.'],
  ['http://localhost:8931/', 'It names no mesh.'],
  ['http://', 'It names no mesh.'],
  ['https://other.example/#mesh=team', 'another server, other.example.'],
  ['other.example/#mesh=team', 'another server, other.example.'],
])('a pasted link is never a name: %s', (text, reason) => {
  expect(readTyped(text, 'hush', page)).toEqual({ kind: 'invalid', reason: expect.stringContaining(reason) })
})

test('a new mesh has a secret of 128 random bits and another one each time', () => {
  const first = newMesh()
  expect(first.secret).toMatch(/^[\w-]{22}$/)
  expect(newMesh().secret).not.toBe(first.secret)
  expect(accepted(fragmentOf(first))).toEqual(first)
})
