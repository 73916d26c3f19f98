import './components/tsunagi-app.ts'
import { fragmentOf, newMesh, readInvite } from './mesh-address.ts'
import { store } from './peer-store.ts'
import { missingFeatures } from './requirements.ts'

/** Joins the mesh that the fragment of the address names, or begins one and writes it there. */
async function enter(): Promise<void> {
  const missing = missingFeatures(globalThis)
  if (missing.length > 0) return store.refuse({ kind: 'unsupported', missing })
  const invite = readInvite(location.hash)
  if (invite.kind === 'invalid') return store.refuse({ kind: 'invalid-invite', reason: invite.reason })
  const address = invite.kind === 'mesh' ? invite.address : newMesh()
  if (invite.kind === 'none') {
    const app = document.querySelector('tsunagi-app')
    if (app !== null) app.began = address
    history.replaceState(null, '', fragmentOf(address))
  }
  document.title = `${address.mesh} · Tsunagi`
  await store.join(address)
}

const goThere = () => {
  void enter()
}
addEventListener('hashchange', goThere)
addEventListener('pagehide', ({ persisted }) => {
  // A page that is loaded anew goes on with its sessions and tasks, which leaving would end.
  if (persisted) store.leave()
  else store.save()
})
// A page that comes back from the browser's cache left its mesh when it went there.
addEventListener('pageshow', ({ persisted }) => {
  if (persisted) goThere()
})
goThere()
// Takes the pushes that wake this peer while no page of it is open. A page without one is as good in all else.
navigator.serviceWorker?.register('/service-worker.js').catch((error: unknown) => store.report('Waking', error))

declare global {
  interface HTMLElementTagNameMap {
    'tsunagi-app': import('./components/tsunagi-app.ts').TsunagiApp
  }
}
