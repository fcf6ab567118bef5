// A grid of values over [-extent, extent]², row 0 at the bottom: its range, its values, its contour lines.

/** @import {Grid, Place} from "./pictures" */

/**
 * Least and greatest value inside the box of actions: what a critic dreams of outside would wash out the rest.
 * @param {Grid} grid
 * @param {number} extent
 * @returns {[number, number]}
 */
export function insideRange(grid, extent) {
  const [rows, columns] = grid.shape
  const inside = (/** @type {number} */ i, /** @type {number} */ n) => Math.abs(((i + 0.5) / n) * 2 - 1) * extent <= 1
  let low = Infinity, high = -Infinity
  for (let i = 0; i < rows; i++) {
    if (!inside(i, rows)) continue
    for (let j = 0; j < columns; j++) {
      if (!inside(j, columns)) continue
      low = Math.min(low, grid.data[i * columns + j])
      high = Math.max(high, grid.data[i * columns + j])
    }
  }
  return [low, high]
}

/**
 * The value at a place, of the nearest cell; NaN outside.
 * @param {Grid} grid
 * @param {number} extent
 * @param {Place} place
 */
export function valueAt(grid, extent, [x, y]) {
  const [rows, columns] = grid.shape
  const j = Math.floor(((x + extent) / (2 * extent)) * columns), i = Math.floor(((y + extent) / (2 * extent)) * rows)
  return i < 0 || j < 0 || i >= rows || j >= columns ? NaN : grid.data[i * columns + j]
}

/**
 * The lines on which the values reach ``levels`` (marching squares): four numbers a piece, x and y of both its ends, where
 * the cells' centres have whole numbers.
 * @param {Grid} grid
 * @param {number[]} levels
 * @returns {number[]}
 */
export function contours(grid, levels) {
  const [rows, columns] = grid.shape, values = grid.data
  /** @type {number[]} */
  const out = []
  for (let i = 0; i + 1 < rows; i++) {
    for (let j = 0; j + 1 < columns; j++) {
      const a = values[i * columns + j], b = values[i * columns + j + 1]
      const c = values[(i + 1) * columns + j + 1], d = values[(i + 1) * columns + j]
      const least = Math.min(a, b, c, d), most = Math.max(a, b, c, d)
      for (const level of levels) {
        if (least >= level || most < level) continue // most cells: no line passes
        const cut = []
        if (a < level !== b < level) cut.push(j + (level - a) / (b - a), i)
        if (b < level !== c < level) cut.push(j + 1, i + (level - b) / (c - b))
        if (d < level !== c < level) cut.push(j + (level - d) / (c - d), i + 1)
        if (a < level !== d < level) cut.push(j, i + (level - a) / (d - a))
        if (cut.length >= 4) out.push(cut[0], cut[1], cut[2], cut[3])
        if (cut.length === 8) out.push(cut[4], cut[5], cut[6], cut[7])
      }
    }
  }
  return out
}
