import {expect, test} from "vitest"
import {between, COLUMNS, figure, inOrder, ledTo, pressed} from "../../workbench/ui/pages/runs/rows.js"

/** @import {Row} from "../../workbench/ui/pages/runs/rows.js" */

/** @param {Partial<Row>} fields @returns {Row} */
const row = (fields) => ({
  key: "", status: "done", task: "", rule: "", settings: "", seed: 0, mean: null, low: null, high: null, shift: null, gap: null,
  finished: "", ...fields,
})
const ROWS = [row({key: "a", mean: 2, settings: "steps=10"}), row({key: "b"}), row({key: "c", mean: -1, settings: "steps=9"})]
const keys = (/** @type {Row[]} */ rows) => rows.map(({key}) => key).join("")

test("rows without a number come last, whichever way the others go", () => {
  expect(keys(inOrder(ROWS, ["mean", true]))).toBe("cab")
  expect(keys(inOrder(ROWS, ["mean", false]))).toBe("acb")
})

test("numbers inside words are ordered as numbers, and the rows themselves stay as they are", () => {
  expect(keys(inOrder(ROWS, ["settings", true]))).toBe("cab")
  expect(keys(ROWS)).toBe("abc")
})

test("a head turns its order; numbers and dates begin with the greatest", () => {
  const column = (/** @type {string} */ name) => COLUMNS.filter((one) => one.name === name)[0]
  expect(pressed(["task", true], column("task"))).toEqual(["task", false])
  expect(pressed(["task", true], column("mean"))).toEqual(["mean", false])
  expect(pressed(["task", true], column("finished"))).toEqual(["finished", false])
  expect(pressed(["mean", false], column("rule"))).toEqual(["rule", true])
})

test("shift selects from the anchor, in either direction; without one the row alone", () => {
  expect(between(ROWS, "a", "c")).toEqual(["a", "b", "c"])
  expect(between(ROWS, "c", "b")).toEqual(["b", "c"])
  expect(between(ROWS, "gone", "b")).toEqual(["b"])
})

test("keys lead through the list and not out of it", () => {
  expect(ledTo("ArrowDown", 1, 3)).toBe(2)
  expect(ledTo("PageDown", 1, 30)).toBe(11)
  expect(ledTo("PageUp", 1, 30)).toBe(0)
  expect(ledTo("End", 0, 3)).toBe(2)
  expect(ledTo("ArrowDown", -1, 0)).toBeUndefined()
  expect(ledTo("x", 0, 3)).toBeUndefined()
})

test("figures have a real minus sign, and nothing where there is none", () => {
  expect([figure(-0.5), figure(null), figure(12345)]).toEqual(["−0.500", "", "12,345"])
})
