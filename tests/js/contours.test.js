import {expect, test} from "vitest"
import {contours, insideRange, valueAt} from "../../workbench/ui/canvas/contours.js"

/**
 * @param {number} rows
 * @param {number} columns
 * @param {(x: number, y: number) => number} height At column x and row y.
 */
function gridOf(rows, columns, height) {
  const data = Float32Array.from({length: rows * columns}, (_, k) => height(k % columns, Math.floor(k / columns)))
  return {data, shape: [rows, columns]}
}

/** @param {number[]} lines */
const ends = (lines) => Array.from({length: lines.length / 2}, (_, i) => [lines[2 * i], lines[2 * i + 1]])

test("the lines of a slope are where it has their height, from side to side", () => {
  const lines = contours(gridOf(4, 6, (x) => x), [1.5, 3.25])
  expect(ends(lines).every(([x]) => [1.5, 3.25].some((level) => Math.abs(x - level) < 1e-6))).toBe(true)
  const rows = ends(lines).filter(([x]) => x === 1.5).map(([, y]) => y)
  expect([Math.min(...rows), Math.max(...rows)]).toEqual([0, 3])
  expect(lines.length).toBe(4 * 2 * 3) // a piece for each level and row of cells
})

test("every end of a line lies where the height, linear along the cell's side, is the level", () => {
  const height = (/** @type {number} */ x, /** @type {number} */ y) => Math.sin(0.9 * x) + 0.7 * Math.cos(1.3 * y) - 0.05 * x * y
  const grid = gridOf(9, 11, height), at = (/** @type {number} */ x, /** @type {number} */ y) => grid.data[11 * y + x]
  const levels = [-0.6, 0.05, 0.71], lines = contours(grid, levels)
  expect(lines.length).toBeGreaterThan(100)
  for (const [x, y] of ends(lines)) {
    const i = Math.floor(x), j = Math.floor(y), u = x - i, v = y - j
    expect(u === 0 || v === 0).toBe(true)
    const value = u ? at(i, j) + u * (at(i + 1, j) - at(i, j)) : v ? at(i, j) + v * (at(i, j + 1) - at(i, j)) : at(i, j)
    expect(Math.min(...levels.map((level) => Math.abs(level - value)))).toBeLessThan(1e-5)
  }
})

test("the lines around a hill close: each end belongs to two pieces", () => {
  const lines = contours(gridOf(12, 12, (x, y) => -Math.hypot(x - 5.4, y - 5.7)), [-3.3])
  /** @type {Map<string, number>} */
  const met = new Map()
  for (const end of ends(lines)) {
    const name = end.map((value) => value.toFixed(5)).join()
    met.set(name, (met.get(name) ?? 0) + 1)
  }
  expect([...met.values()].every((count) => count === 2)).toBe(true)
  expect(met.size).toBeGreaterThan(10)
})

test("a saddle has two lines in one cell", () => {
  expect(contours({data: Float32Array.from([0, 1, 1, 0]), shape: [2, 2]}, [0.5]).length).toBe(8)
})

test("a plain has none, and neither has a level that is not reached", () => {
  expect(contours(gridOf(3, 3, () => 2), [1, 2, 3])).toEqual([])
  expect(contours(gridOf(3, 3, (x) => x), [-1, 7])).toEqual([])
})

test("the range is that of the box of actions: what lies outside does not count", () => {
  const size = 10, extent = 1.25, far = (/** @type {number} */ i) => Math.abs(((i + 0.5) / size) * 2 - 1) * extent > 1
  const grid = gridOf(size, size, (x, y) => (far(x) || far(y) ? 1000 : x - y))
  expect(insideRange(grid, extent)).toEqual([-7, 7])
})

test("a value is read from the nearest cell, row 0 at the bottom; outside there is none", () => {
  const grid = gridOf(4, 4, (x, y) => x + 10 * y)
  expect(valueAt(grid, 2, [-1.9, -1.9])).toBe(0)
  expect(valueAt(grid, 2, [1.9, -1.9])).toBe(3)
  expect(valueAt(grid, 2, [-1.9, 1.9])).toBe(30)
  expect(valueAt(grid, 2, [0.1, 0.1])).toBe(22)
  for (const place of /** @type {[number, number][]} */ ([[2.1, 0], [0, 2.1], [-2.1, 0], [0, -2.1]])) {
    expect(valueAt(grid, 2, place)).toBeNaN()
  }
})
