import {expect, test} from "vitest"
import {stepped} from "../../workbench/ui/controls/field.js"
import {whole} from "../../workbench/ui/shell/address.js"
import {laidOut} from "../../workbench/ui/shell/picture.js"
import {ledAlong} from "../../workbench/ui/shell/roving.js"
import {asked} from "../../workbench/ui/shell/toolbar.js"
import {placeBeside} from "../../workbench/ui/shell/tour.js"
import {as} from "./canvas.js"

test("the link is the server's, with what only the browser knows", () => {
  expect(whole("rule=qgf&seed=1", {tick: "3.5"})).toBe("rule=qgf&seed=1&tick=3.5")
  expect(whole("", {tick: "3.5"})).toBe("tick=3.5")
  expect(whole("rule=qgf", {})).toBe("rule=qgf")
  expect(whole("", {name: "a&b=c"})).toBe("name=a%26b%3Dc")
})

test("undo and redo by the keys of every system", () => {
  const key = (/** @type {string} */ name, more = {}) =>
    asked({key: name, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more})
  expect(key("z", {ctrlKey: true})).toBe("undo")
  expect(key("Z", {metaKey: true, shiftKey: true})).toBe("redo")
  expect(key("y", {ctrlKey: true})).toBe("redo")
  expect([key("z"), key("a", {ctrlKey: true}), key("z", {ctrlKey: true, altKey: true})]).toEqual([null, null, null])
})

test("figures of a picture stand beside and below each other, and none lies on another", () => {
  const part = (/** @type {number} */ wide, /** @type {number} */ tall) => ({canvas: as({}), wide, tall})
  const {parts, wide, tall} = laidOut([[part(100, 50), part(60, 80)], [], [part(30, 20)]])
  expect(parts.map(({x, y}) => [x, y])).toEqual([[16, 16], [132, 16], [16, 112]])
  expect([wide, tall]).toEqual([132 + 60 + 16, 112 + 20 + 16])
})

test("the words of the tour stay on the screen, beside what they speak of", () => {
  const screen = {width: 1000, height: 600}, box = (/** @type {number} */ left, /** @type {number} */ top, wide = 100, tall = 40) => ({
    left, top, right: left + wide, bottom: top + tall,
  })
  expect(placeBeside(box(100, 100), 300, 150, screen)).toEqual({left: 216, top: 100})
  expect(placeBeside(box(800, 100), 300, 150, screen)).toEqual({left: 484, top: 100})
  expect(placeBeside(box(20, 100, 960), 300, 150, screen)).toEqual({left: 20, top: 156})
  for (const at of [box(0, 590), box(990, 0), box(0, 0, 1000, 600), box(950, 580, 50, 20)]) {
    const {left, top} = placeBeside(at, 300, 150, screen)
    expect(left).toBeGreaterThanOrEqual(8)
    expect(left + 300).toBeLessThanOrEqual(992)
    expect(top).toBeGreaterThanOrEqual(8)
    expect(top + 150).toBeLessThanOrEqual(592)
  }
})

test("arrow keys go round a row of buttons", () => {
  expect(["ArrowRight", "ArrowLeft", "Home", "End", "a"].map((key) => ledAlong(key, 3, 4))).toEqual([0, 2, 0, 3, undefined])
  expect(ledAlong("ArrowRight", 0, 0)).toBeUndefined()
})

test("arrow keys step through whole numbers and stop at the bounds", () => {
  const range = [1, 200000, 500]
  expect([stepped("4,000", 1, range), stepped("300", -1, range), stepped("199999", 1, range)]).toEqual(["4500", "1", "200000"])
  expect([stepped("", 1, range), stepped("many", -1, range), stepped("−20", 1, range)]).toEqual(["1", "1", "480"])
})
