/**
 * Writes received files in place, in the browser's private file system: only a worker gets a handle that does, and only what
 * such a handle has flushed outlives a crash of the page.
 */

export type FileAction =
  /** Cuts the file to `size` bytes; fails where it has fewer. */
  | { readonly do: 'open'; readonly handle: FileSystemFileHandle; readonly size: number }
  /** Appends. */
  | { readonly do: 'write'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly do: 'flush' }
  | { readonly do: 'close' }
export interface FileRequest {
  readonly id: number
  /** Name of the file. */
  readonly file: string
  readonly action: FileAction
}
export interface FileAnswer {
  readonly id: number
  readonly error: string | undefined
}

/** The worker of a page before this one may hold the file a moment longer. */
const LOCK_TRIES = 20
const LOCK_WAIT = 100

/** The type library has no workers beside pages. */
interface SyncAccessHandle {
  getSize(): number
  truncate(size: number): void
  write(bytes: Uint8Array<ArrayBuffer>, options: { at: number }): number
  flush(): void
  close(): void
}
type WorkerFileHandle = FileSystemFileHandle & { createSyncAccessHandle(): Promise<SyncAccessHandle> }

const files = new Map<string, { readonly access: SyncAccessHandle; length: number }>()
let done = Promise.resolve()

self.onmessage = ({ data: { id, file, action } }: MessageEvent<FileRequest>) => {
  done = done.then(async () => {
    let error: string | undefined
    try {
      await act(file, action)
    } catch (cause) {
      error = String(cause)
    }
    self.postMessage({ id, error } satisfies FileAnswer)
  })
}

async function act(name: string, action: FileAction): Promise<void> {
  const file = files.get(name)
  if (action.do === 'open') {
    file?.access.close()
    const access = await accessTo(action.handle as WorkerFileHandle)
    files.set(name, { access, length: action.size })
    if (access.getSize() < action.size) throw new Error('The file is shorter than it was.')
    access.truncate(action.size)
  } else if (action.do === 'close') {
    file?.access.close()
    files.delete(name)
  } else if (file === undefined) {
    throw new Error('The file is not open.')
  } else if (action.do === 'flush') {
    file.access.flush()
  } else {
    const written = file.access.write(action.bytes, { at: file.length })
    file.length += written
    if (written < action.bytes.length) throw new Error('There is no room left for the file.')
  }
}

async function accessTo(handle: WorkerFileHandle): Promise<SyncAccessHandle> {
  for (let tries = 1; ; tries++) {
    try {
      return await handle.createSyncAccessHandle()
    } catch (cause) {
      if (tries === LOCK_TRIES) throw cause
      await new Promise((later) => setTimeout(later, LOCK_WAIT))
    }
  }
}
