/** What the user decided for the peer of a slot, in IndexedDB: who may wake it, and whether pushes may (SPEC §7). */
import * as v from 'valibot'
import type { WakePolicy } from '../api.ts'
import { isWakePolicy } from '../wake-up/options.ts'
import type { Bytes } from '../wire/bytes.ts'
import type { Database } from './database.ts'

const WAKE_POLICY = 'wakePolicy'
const PUSH = 'push'

/** Pushes with this label are for the peer of this slot, whose page is at `url`. */
const pushSetting = v.object({
  slot: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  name: v.literal(PUSH),
  label: v.custom<Bytes>((value) => value instanceof Uint8Array && value.length === 16),
  url: v.pipe(v.string(), v.url()),
})
export type PushSetting = Omit<v.InferOutput<typeof pushSetting>, 'name'>

/** Undefined where the user has not decided, or nothing that makes sense is kept. Each of these rejects as IndexedDB does. */
export async function readWakePolicy(database: Database, slot: number): Promise<WakePolicy | undefined> {
  const found = (await database.get('settings', [slot, WAKE_POLICY])) as { readonly value?: unknown } | undefined
  return isWakePolicy(found?.value) ? found.value : undefined
}

export async function writeWakePolicy(database: Database, slot: number, value: WakePolicy): Promise<void> {
  await database.put('settings', { slot, name: WAKE_POLICY, value })
}

/** Of all slots. */
export async function readPushSettings(database: Database): Promise<PushSetting[]> {
  const found = await database.getAll('settings')
  return found.flatMap((value) => {
    const result = v.safeParse(pushSetting, value)
    return result.success ? [result.output] : []
  })
}

export async function writePushSetting(database: Database, setting: PushSetting): Promise<void> {
  await database.put('settings', { ...setting, name: PUSH })
}

export async function removePushSetting(database: Database, slot: number): Promise<void> {
  await database.delete('settings', [slot, PUSH])
}
