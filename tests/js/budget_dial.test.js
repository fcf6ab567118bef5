import {expect, test} from "vitest"
import {placeOfTip} from "../../workbench/ui/browser/tips.js"
import {betweenWhich, nearestStop, spread, standOf} from "../../workbench/ui/canvas/curve.js"
import {number} from "../../workbench/ui/canvas/lettering.js"
import {bestOf, sentenceOf, wrongBy} from "../../workbench/ui/canvas/dial.js"
import {framed, linesOf} from "../../workbench/ui/canvas/dial_picture.js"
import {momentsOf} from "../../workbench/ui/canvas/flow_time.js"
import {meanwhile} from "../../workbench/ui/canvas/room.js"
import {paceOf} from "../../workbench/ui/shell/play_stops.js"
import {as} from "./canvas.js"

const f = (/** @type {number[]} */ ...values) => Float32Array.from(values)
const CURVE = {strengths: f(0, 1, 10, 100), shift: f(0, 0.1, 0.5, 1), promised: f(0.3, 0.4, 0.6, 0.8), earned: f(0.3, 0.5, 0.2, -0.4), error: f(0.1, 0.1, 0.1, 0.1)}
const SCALE = {rule: "qgf", title: "QGF", axis: "weight w", word: "weight", look: {light: "#000", dark: "#fff", shape: "square"}, stops: [0, 1, 10, 100], words: ["0 a", "1 a", "10 a", "100 a"], short: ["0", "1", "10", "100"]}

test("a strength stands on its curve: at a point, between two by ratio, from 0 on evenly, never beyond", () => {
  expect(standOf(CURVE, 10)).toMatchObject({shift: 0.5, beyond: false})
  expect(betweenWhich(CURVE.strengths, Math.sqrt(10))).toMatchObject({from: 1, to: 2, beyond: false})
  expect(standOf(CURVE, Math.sqrt(10)).shift).toBeCloseTo(0.3)
  expect(standOf(CURVE, 0.5).promised).toBeCloseTo(0.35)
  expect(standOf(CURVE, 1000)).toMatchObject({shift: 1, beyond: true})
  expect(standOf(CURVE, 100).beyond).toBe(false)
})

test("a hand on the picture takes the nearest stop, and none that was not measured", () => {
  const near = (/** @type {number} */ shift) => nearestStop(CURVE, [...SCALE.stops, 1000], (stand) => Math.abs(stand.shift - shift))
  expect([0, 0.12, 0.6, 0.99, 7].map(near)).toEqual([0, 1, 2, 3, 3])
})

test("shifts over decades are drawn together, and keep their order and their 0", () => {
  const even = spread([0, 0.5, 1]), wide = spread([0, 0.01, 0.02, 0.5, 17])
  expect(even.ticks).toBeNull()
  expect(even.of(0.3)).toBe(0.3)
  expect(wide.of(0)).toBe(0)
  expect(wide.of(0.5)).toBeGreaterThan(wide.of(17) / 6)
  expect(wide.ticks?.[0]).toBe(0)
  expect(wide.ticks?.every((tick, i, all) => !i || tick > all[i - 1])).toBe(true)
})

test("everything that a curve says is inside its frame", () => {
  const line = {look: SCALE.look, curve: CURVE, measured: true, best: 1, bestWords: ""}
  const axes = framed([line], {width: 400, height: 200}, 1)
  for (const shift of CURVE.shift) expect(axes.x(shift)).toBeGreaterThanOrEqual(axes.left)
  for (const shift of CURVE.shift) expect(axes.x(shift)).toBeLessThanOrEqual(axes.right)
  for (const value of [...CURVE.promised, ...CURVE.earned]) {
    expect(axes.y(value)).toBeGreaterThanOrEqual(axes.top)
    expect(axes.y(value)).toBeLessThanOrEqual(axes.foot)
  }
})

test("a curve of another rule is not drawn as this one's", () => {
  const arrays = Object.fromEntries(Object.entries(CURVE).map(([name, data]) => [`${name}0`, {data, shape: [4]}]))
  const block = (/** @type {string} */ rule) => as({header: {lines: [{rule, source: "computed", where: "", note: "", best: 1}]}, arrays})
  expect(linesOf(block("vgf"), [SCALE])).toEqual([null])
  expect(linesOf(block("qgf"), [SCALE])[0]?.bestWords).toBe("weight 1")
  expect(linesOf(null, [SCALE, SCALE])).toEqual([null, null])
})

test("the sentence gives earned, shift and promise, and by how much the critic is wrong when it is beyond its interval", () => {
  expect(sentenceOf(SCALE, 3, standOf(CURVE, 100), true)).toBe("QGF at weight 100 earns −0.40 at shift 1.00; the critic promises 0.80. The critic is wrong by 1.20.")
  expect(sentenceOf(SCALE, 0, standOf(CURVE, 0), true)).toContain("It is right, as far as can be told.")
  expect(sentenceOf(SCALE, 2, standOf(CURVE, 10), false)).toBe("QGF at weight 10: the critic promises 0.60 at shift 0.50; what that earns is not measured.")
  expect(sentenceOf(SCALE, 3, standOf(CURVE, 1000), true)).toContain("beyond what was measured")
  expect(sentenceOf(SCALE, 3, null, false)).toContain("being computed")
  const line = {look: SCALE.look, curve: CURVE, measured: true, best: 1, bestWords: "weight 1"}
  expect(bestOf(line)).toBe(`${number(CURVE.earned[1])} at weight 1`)
  expect(sentenceOf(SCALE, 3, standOf(CURVE, 100), true, bestOf(line))).toContain(` Best: ${bestOf(line)}.`)
  expect([bestOf({...line, best: -1}), bestOf(null)]).toEqual(["", ""])
  expect(wrongBy({shift: 0, promised: 0.2, earned: 0.5, error: 0.1, beyond: false})).toBe("The critic is wrong by −0.30.")
})

test("a tip stays on the screen: above its word, else below", () => {
  const screen = {width: 390, height: 844}, tip = {width: 300, height: 60}
  expect(placeOfTip({left: 350, top: 400, bottom: 420}, tip, screen)).toEqual({left: 82, top: 334})
  expect(placeOfTip({left: 2, top: 20, bottom: 40}, tip, screen)).toEqual({left: 8, top: 46})
  expect(placeOfTip({left: 2, top: 20, bottom: 840}, tip, screen).top).toBeLessThanOrEqual(844 - 60)
})

test("where motion is to be reduced, play shows some moments, each for a second", () => {
  expect(momentsOf(0, 10, 1)).toEqual({at: [0, 2.5, 5, 7.5, 10], wait: 1000})
  expect(momentsOf(5, 10, 2)).toEqual({at: [5, 7.5, 10], wait: 500})
  expect(momentsOf(6, 10, 1).at).toEqual([7.5, 10])
  expect(paceOf(40, true)).toEqual({by: 10, wait: 1000})
})

test("a saved page plays for about five seconds, and never rushes through few stops", () => {
  expect(paceOf(40, false)).toEqual({by: 1, wait: 125})
  expect(paceOf(3, false).wait).toBe(600)
})

test("episodes of the strength before stay while others are played, but not at another place", () => {
  const room = (/** @type {object} */ more) => as({header: {title: "Room", numbers: [["Agent at", "0, 0", ""]], plays: [], awaited: true, ...more}, arrays: {}})
  const before = room({plays: [SCALE.look], awaited: false})
  expect(meanwhile(before, room({})).header).toMatchObject({faint: true, plays: [SCALE.look]})
  expect(meanwhile(before, room({numbers: [["Agent at", "1, 0", ""]]})).header.plays).toEqual([])
  expect(meanwhile(before, room({awaited: false})).header.plays).toEqual([])
  expect(meanwhile(null, room({})).header.faint).toBeUndefined()
})
