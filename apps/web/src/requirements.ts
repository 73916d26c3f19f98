/** Something this page cannot work without, and what its reader can do about that. */
export interface Missing {
  readonly what: string
  readonly remedy: string
}

type Host = Partial<Pick<typeof globalThis, 'isSecureContext' | 'RTCPeerConnection' | 'indexedDB'>> & {
  readonly crypto?: { readonly subtle?: SubtleCrypto }
  readonly navigator?: { readonly locks?: LockManager }
}

/** What `host`, a browser's global object, lacks. */
export function missingFeatures(host: Host): Missing[] {
  const missing: Missing[] = []
  if (host.isSecureContext !== true || host.crypto?.subtle === undefined)
    missing.push({
      what: 'This page was not opened over a secure connection, so the browser gives it no cryptography.',
      remedy: 'Open it by its https:// address, or as http://localhost on the machine that serves it.',
    })
  if (host.RTCPeerConnection === undefined)
    missing.push({
      what: 'This browser has no WebRTC, which carries everything between tabs.',
      remedy: 'Allow WebRTC in its settings or extensions, or use a current Chrome, Edge, Firefox or Safari.',
    })
  if (host.indexedDB === undefined || host.indexedDB === null)
    missing.push({
      what: 'This browser offers no IndexedDB, where the keys of this peer are kept.',
      remedy: 'Allow site data for this page, or leave private browsing.',
    })
  // Browsers hide Web Locks outside secure contexts, which is said above.
  if (host.isSecureContext === true && host.navigator?.locks === undefined)
    missing.push({
      what: 'This browser has no Web Locks, which keep two tabs from speaking as one peer.',
      remedy: 'Use a current Chrome, Edge, Firefox or Safari.',
    })
  return missing
}
