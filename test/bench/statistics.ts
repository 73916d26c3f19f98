export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** Between the two nearest ranks. @param share 0 to 1 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const rank = share * (sorted.length - 1)
  const below = sorted[Math.floor(rank)] ?? Number.NaN
  const above = sorted[Math.ceil(rank)] ?? Number.NaN
  return below + (above - below) * (rank - Math.floor(rank))
}

/** Three significant digits are more than two runs have in common. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3))
}
