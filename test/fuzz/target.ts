/** What a run finds out. Everything here is to be zero. */
export interface Findings {
  /** Exceptions that nobody caught, and errors that are no TsunagiError where a call promises one. */
  crashes: number
  /** Promises that were rejected and had no handler. */
  rejections: number
  /** What was delivered, begun or believed in the name of an honest peer that did not say it, or said it once and not twice. */
  forged_delivered: number
  /** What honest peers said to each other and never arrived, or arrived out of order. */
  lost: number
}

/** A part under fire, with honest traffic of its own. */
export interface Target {
  readonly name: string
  /** Share of all frames that it gets. */
  readonly share: number
  /** Sends at least `frames` hostile frames, and honest ones between. @returns how many hostile ones it sent */
  round(frames: number): Promise<number>
  /** Numbers that may not grow: what is open, waiting, or remembered by a name. */
  figures(): Readonly<Record<string, number>>
  close(): Promise<void>
}
