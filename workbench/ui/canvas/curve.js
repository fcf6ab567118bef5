// A rule's promised and earned value against shift, along its strength: where a strength stands on it.

/** @import {Arrays} from "./pictures" */
/** @typedef {{shift: number, promised: number, earned: number, error: number, beyond: boolean}} Stand */
/** @typedef {Record<"strengths" | "shift" | "promised" | "earned" | "error", Float32Array>} Curve */

/**
 * The columns of one curve in a block.
 * @param {Arrays} arrays
 * @param {number} line
 * @returns {Curve}
 */
export const columnsOf = (arrays, line) => ({
  strengths: arrays[`strengths${line}`].data,
  shift: arrays[`shift${line}`].data,
  promised: arrays[`promised${line}`].data,
  earned: arrays[`earned${line}`].data,
  error: arrays[`error${line}`].data,
})

/**
 * Between which two points a strength lies, and which part of the way: by ratio where both are above 0.
 * @param {Float32Array} strengths Growing.
 * @param {number} value
 * @returns {{from: number, to: number, part: number, beyond: boolean}}
 */
export function betweenWhich(strengths, value) {
  const last = strengths.length - 1, slack = 1e-6 * Math.abs(value)
  if (value <= strengths[0]) return {from: 0, to: 0, part: 0, beyond: value < strengths[0] - slack}
  if (value >= strengths[last]) return {from: last, to: last, part: 0, beyond: value > strengths[last] + slack}
  let to = 1
  while (strengths[to] < value) to++
  const low = strengths[to - 1], high = strengths[to]
  const part = low > 0 ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low)
  return {from: to - 1, to, part, beyond: false}
}

/**
 * Where a strength stands on its curve.
 * @param {Curve} curve
 * @param {number} value
 * @returns {Stand}
 */
export function standOf(curve, value) {
  const {from, to, part, beyond} = betweenWhich(curve.strengths, value)
  const mix = (/** @type {Float32Array} */ column) => column[from] + part * (column[to] - column[from])
  return {shift: mix(curve.shift), promised: mix(curve.promised), earned: mix(curve.earned), error: mix(curve.error), beyond}
}

/**
 * The stop whose place on the curve is nearest to a point of the picture.
 * @param {Curve} curve
 * @param {number[]} stops
 * @param {(stand: Stand) => number} far The distance of a stand on the curve from that point.
 */
export function nearestStop(curve, stops, far) {
  let best = 0, least = Infinity
  stops.forEach((stop, place) => {
    const stand = standOf(curve, stop), distance = stand.beyond ? Infinity : far(stand)
    if (distance < least) [best, least] = [place, distance]
  })
  return best
}

/**
 * How shift is laid along the axis: straight, or drawn together where it spans decades.
 * @param {number[]} shifts
 * @returns {{of: (shift: number) => number, ticks: number[] | null}}
 */
export function spread(shifts) {
  const sorted = shifts.filter((one) => one > 0).sort((a, b) => a - b), most = sorted.at(-1) ?? 1
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 1
  if (most < 6 * middle) return {of: (shift) => shift, ticks: null}
  const ticks = [0]
  for (let power = 10 ** Math.floor(Math.log10(middle)); power <= most; power *= 10) for (const lead of [1, 3]) if (lead * power <= most) ticks.push(lead * power)
  return {of: (shift) => Math.asinh(shift / middle), ticks}
}
