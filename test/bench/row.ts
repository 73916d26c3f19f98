/** One line of the results. */
export interface Row {
  readonly case: string
  readonly system: string
  /** Median of the rounds; null where it is not measured. */
  readonly value: number | null
  readonly unit: string
  readonly ratio_to_bare: number | null
  /** Interquartile range of the rounds, as a share of the value. */
  readonly spread: number | null
  /** Rounds that gave a value. */
  readonly rounds: number
  readonly note?: string
}
