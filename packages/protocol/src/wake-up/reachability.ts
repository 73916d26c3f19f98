/** What a host that can be pushed to is given, and what stands in for one that cannot (SPEC §7.1). */
import type { Reachability } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import type { SignalingPayload } from '../messages.ts'
import type { Bytes } from '../wire/bytes.ts'

/** Where pushes for this peer go, and the label they carry. */
export type PushTarget = NonNullable<SignalingPayload<'push_subscribe'>['subscription']>

export interface PushSignaling {
  /** As the server gave it last; undefined before that, and where it sends no pushes. */
  readonly vapidKey: Bytes | undefined
  /**
   * From now on the server knows, also after each reconnection, where pushes go. Fulfils with whether it will push. Rejects with
   * SIGNALING_UNREACHABLE.
   */
  pushTo(target: PushTarget | undefined): Promise<boolean>
}

export const UNREACHABLE: Reachability = {
  state: 'unsupported',
  enable: () =>
    Promise.reject(new TsunagiError('NOT_SUPPORTED', 'This peer cannot be reached while no page of it is open.')),
  disable: () => Promise.resolve(),
}
