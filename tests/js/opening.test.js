import {expect, test} from "vitest"
import {columnsFor} from "../../workbench/ui/canvas/fit_legend.js"
import {between, captionAt, frameAt} from "../../workbench/ui/canvas/opening.js"
import {peekOf} from "../../workbench/ui/shell/peek.js"

/** @type {[number, number][]} */
const PACE = [[0, 0], [1, 0], [3, 8], [5, 8], [9, 20], [10, 20]]

test("the strength waits, rises, rests at the best, goes on, and stays at the end", () => {
  expect([0, 0.5, 1, 2, 3, 4, 5, 7, 9, 9.9, 10, 99].map((t) => frameAt(PACE, t))).toEqual([0, 0, 0, 4, 8, 8, 8, 14, 20, 20, 20, 20])
})

test("it never goes back", () => {
  const frames = Array.from({length: 101}, (_, i) => frameAt(PACE, i / 10))
  expect(frames.every((frame, i) => !i || frame >= frames[i - 1])).toBe(true)
})

test("between two frames the numbers are between theirs", () => {
  expect([0, 0.25, 1, 1.5, 2].map((at) => between([1, 5, 3], at))).toEqual([1, 2, 5, 4, 3])
})

test("what is said is what began last", () => {
  /** @type {[string, number, number, string][]} */
  const captions = [["gains", 0, 3, "a"], ["best", 6, 8, "b"], ["exploited", 12, 20, "c"]]
  expect([0, 5.9, 6, 11.99, 12, 20].map((frame) => captionAt(captions, frame)[3])).toEqual(["a", "a", "b", "b", "c", "c"])
  expect(captionAt([["gains", 0, 1, "a"], ["best", 1, 0, "b"], ["exploited", 1, 5, "c"]], 0.5)[3]).toBe("a")
})

test("the closed sheet shows presets and the first slider, and leaves most of the screen", () => {
  expect(peekOf([{top: 500, bottom: 560}, {top: 620, bottom: 660}], 400, 34, 844)).toEqual({scroll: 92, height: 218})
  expect(peekOf([{top: 500, bottom: 560}, {top: 1620, bottom: 1660}], 400, 34, 844).height).toBe(354)
  expect(peekOf([], 400, 34, 844)).toEqual({scroll: 0, height: 354})
  expect(peekOf([{top: 402, bottom: 450}], 400, 34, 844).scroll).toBe(0)
})

test("a legend has the columns that there is room for, one at least", () => {
  expect([900, 320, 160, 10].map((width) => columnsFor(width, 11, 4))).toEqual([4, 3, 1, 1])
  expect(columnsFor(900, 11, 2)).toBe(2)
})
