const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** `bytes` in binary units: 512 B, 1.5 KiB, 15.9 MiB. No line breaks between number and unit. */
export function size(bytes: number): string {
  let unit = 0
  let value = bytes
  // 1023.5 would be shown as 1024 of the smaller unit.
  while (value >= 1023.5 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)}\u00a0${UNITS[unit]}`
}

/** A span of `milliseconds`: 0.4 ms, 12 ms, 1.4 s, 2 min 5 s, 1 h 0 min. */
export function span(milliseconds: number): string {
  if (milliseconds < 9.95) return `${milliseconds.toFixed(1)} ms`
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`
  if (milliseconds < 59_950) return `${(milliseconds / 1_000).toFixed(1)} s`
  const seconds = Math.round(milliseconds / 1_000)
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  return `${Math.floor(seconds / 3_600)} h ${Math.floor(seconds / 60) % 60} min`
}

/**
 * How long something takes still, in milliseconds, when `done` of it, 0 to 1, took `elapsed`. Undefined before there is
 * enough to go by.
 */
export function timeLeft(done: number, elapsed: number): number | undefined {
  if (done < 0.03 || elapsed < 500) return undefined
  return (elapsed / done) * (1 - done)
}

/** A span that is an estimate, without decimals that it does not have: about 4 s, about 12 min. */
export function about(milliseconds: number): string {
  const seconds = Math.max(1, Math.round(milliseconds / 1_000))
  if (seconds < 90) return `about ${seconds} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 90 ? `about ${minutes} min` : `about ${Math.round(minutes / 60)} h`
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })

/** Time of day of `at`, milliseconds since 1970: 14:03:09. */
export function timeOfDay(at: number): string {
  return clock.format(at)
}

const calendar = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' })

/** Day and time of `at`, milliseconds since 1970: 1 Jan 2030, 14:03. */
export function dayAndTime(at: number): string {
  return calendar.format(at)
}

/** Time of day to the millisecond: 14:03:09.042. */
export function exactTime(at: number): string {
  return `${clock.format(at)}.${String(Math.floor(at) % 1_000).padStart(3, '0')}`
}

/** A count with its noun: 1 peer, 2 peers, 1,024 messages. */
export function count(amount: number, noun: string): string {
  return `${amount.toLocaleString('en')} ${noun}${amount === 1 ? '' : 's'}`
}

/** `text` in at most `most` characters, cut by an ellipsis. */
export function shorten(text: string, most: number): string {
  const characters = Array.from(text)
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join('')}…`
}

// Line breaks and direction overrides could make one text look like another.
const UNSHOWABLE = /[\p{Cc}\u061c\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu

/** `text` of another peer as it may stand in a line of this page, in at most `most` characters. */
export function plainText(text: string, most = 200): string {
  return shorten(text.replace(UNSHOWABLE, ' ').trim(), most)
}
