// Round numbers for an axis.

/**
 * The ticks between two values, four or so, and the digits that they need.
 * @param {number} low
 * @param {number} high
 * @returns {[number[], number]}
 */
export function ticksOf(low, high) {
  const raw = (high - low) / 4, power = 10 ** Math.floor(Math.log10(raw))
  const step = [1, 2, 5].map((k) => k * power).find((k) => k >= raw) ?? 10 * power, out = []
  for (let v = Math.ceil(low / step) * step; v <= high + 1e-9 * step; v += step) out.push(Math.abs(v) < 1e-9 * step ? 0 : v)
  return [out, Math.max(0, -Math.floor(Math.log10(step)))]
}

/**
 * From the least to the greatest value with a margin, or from 0 on; never empty.
 * @param {number[]} values
 * @param {boolean} zero
 * @returns {[number, number]}
 */
export function rangeOf(values, zero) {
  let low = Math.min(...values), high = Math.max(...values)
  if (zero) low = Math.min(0, low)
  if (high - low < 1e-3) high = low + (zero ? 0.1 : 1e-3)
  const pad = 0.06 * (high - low)
  return [zero ? low : low - pad, high + pad]
}
