import {beforeEach, expect, test, vi} from "vitest"
import {lens} from "../../workbench/ui/canvas/lens.js"
import {drawParticles, particleAt, placeAt} from "../../workbench/ui/canvas/particles.js"
import {stepAt} from "../../workbench/ui/canvas/terms.js"
import {as, Path, Pen, points} from "./canvas.js"

const TO = lens({width: 400, height: 400}, {x: 0, y: 0, half: 2}) // 100 pixels a unit

/** Two particles over three ticks: flow is the first two, then one step of transport. */
const STAGE = {
  index: 0, name: "qgf", title: "", subtitle: "", look: {light: "#000", dark: "#fff", shape: "circle"},
  ticks: 3, flow: 2, count: 2, single: true, terms: [], where: "", heads: [], warning: /** @type {[string, string, string]} */ (["", "", ""]), wrong: false, numbers: [],
}
const positions = {data: Float32Array.from([0, 0, 1, 1, 0.5, 0, 1, 0.5, 1, 0, 1, 0, 1, -1, 0, 0]), shape: [4, 2, 2]}
const arrays = {positions0: positions, picked0: {data: Float32Array.from([1, 0]), shape: [2]}}

beforeEach(() => {
  vi.stubGlobal("Path2D", Path)
  vi.stubGlobal("document", {documentElement: {dataset: {theme: "light"}}})
})

test("between two ticks a particle is on the straight line between its places", () => {
  expect(placeAt(STAGE, positions, 0, 0)).toEqual([0, 0])
  expect(placeAt(STAGE, positions, 0, 0.5)).toEqual([0.25, 0])
  expect(placeAt(STAGE, positions, 1, 1.5)).toEqual([1, 0.25])
  expect(placeAt(STAGE, positions, 0, 2.25)).toEqual([1, -0.25])
})

test("after its last tick a particle stays where it is", () => {
  expect(placeAt(STAGE, positions, 0, 3)).toEqual([1, -1])
  expect(placeAt(STAGE, positions, 1, 99)).toEqual([0, 0])
})

test("the particle under the pointer is the nearest one within reach, at the moment that is shown", () => {
  expect(particleAt(STAGE, arrays, 0, [0.05, 0.05], TO, 1)).toBe(0)
  expect(particleAt(STAGE, arrays, 0, [0.95, 1.02], TO, 1)).toBe(1)
  expect(particleAt(STAGE, arrays, 0, [0.5, 0.5], TO, 1)).toBe(-1)
  expect(particleAt(STAGE, arrays, 3, [0.05, 0.05], TO, 1)).toBe(1)
  expect(particleAt(STAGE, arrays, 0, [0.2, 0], TO, 1)).toBe(-1)
  expect(particleAt(STAGE, arrays, 0, [0.2, 0], TO, 2)).toBe(0) // the same distance on a denser screen
})

test("paths end where the particles are, and the way after the flow is a path of its own", () => {
  const pen = new Pen()
  drawParticles(as(pen), STAGE, arrays, 2.5, TO, 1, "#fff")
  const [flow, after] = pen.drawn.filter(({how}) => how === "stroke").map(({path}) => points(path))
  const at = (/** @type {number} */ x, /** @type {number} */ y) => [TO.x(x), TO.y(y)]
  expect(flow).toEqual([at(0, 0), at(0.5, 0), at(1, 0), at(1, 1), at(1, 0.5), at(1, 0)])
  expect(after).toEqual([at(1, 0), at(1, -0.5), at(1, 0), at(0.5, 0)])
  expect(pen.drawn[1].alpha).toBeGreaterThan(pen.drawn[0].alpha)
})

test("a picked particle is drawn in full, with a halo; the others faintly", () => {
  const pen = new Pen()
  drawParticles(as(pen), STAGE, arrays, 0, TO, 1, "#fff")
  const fills = pen.drawn.filter(({how}) => how === "fill"), middles = fills.map(({path}) => path.calls.filter(([name]) => name === "arc"))
  expect(middles.map(([[, x, y]]) => [x, y])).toEqual([[TO.x(1), TO.y(1)], [TO.x(0), TO.y(0)]])
  expect(fills.map(({alpha}) => alpha)).toEqual([0.35, 1])
  expect(pen.drawn.at(-2)?.how).toBe("stroke")
})

test("the terms are those of the step that is under way, at the end of the last one", () => {
  expect([0, 0.9, 1, 2.4, 3, 7].map((k) => stepAt(k, 3))).toEqual([0, 0, 1, 2, 2, 2])
})
