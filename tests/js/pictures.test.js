import {afterEach, beforeEach, expect, test, vi} from "vitest"
import {atMost, onceAFrame} from "../../workbench/ui/browser/dom.js"
import {rangeOf, ticksOf} from "../../workbench/ui/canvas/axis.js"
import {heightAt} from "../../workbench/ui/canvas/chart.js"
import {clockWords, stepped} from "../../workbench/ui/canvas/flow_time.js"
import {ramp} from "../../workbench/ui/canvas/landscape.js"
import {number} from "../../workbench/ui/canvas/lettering.js"
import {addShape} from "../../workbench/ui/canvas/shapes.js"
import {readoutOf} from "../../workbench/ui/canvas/stage.js"
import {projection, turned} from "../../workbench/ui/canvas/surface.js"
import {piecesOf} from "../../workbench/ui/controls/upload.js"
import {as, Path} from "./canvas.js"

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test("axes have round numbers, all inside, with the digits that they need", () => {
  for (const [low, high] of [[0, 1], [-0.37, 2.9], [0.001, 0.0042], [-1234, 900], [5, 5.001]]) {
    const [ticks, digits] = ticksOf(low, high), step = ticks[1] - ticks[0]
    expect(ticks.length).toBeGreaterThanOrEqual(2)
    expect(ticks.length).toBeLessThanOrEqual(6)
    expect(ticks.every((tick) => tick >= low - 1e-9 && tick <= high + 1e-6 * step)).toBe(true)
    expect(ticks.every((tick) => Math.abs(Number(tick.toFixed(digits)) - tick) < 1e-6 * step)).toBe(true)
  }
  expect(ticksOf(-1, 1)[0]).toContain(0)
})

test("a flat line has an axis too, and one from zero begins there", () => {
  const [low, high] = rangeOf([2, 2], false)
  expect(high).toBeGreaterThan(low)
  expect(rangeOf([0.5, 1], true)[0]).toBe(0)
  expect(rangeOf([0, 0], true)[1]).toBeGreaterThan(0.09)
})

test("a chart's mark is on its line, between the points too", () => {
  /** @type {[number, number][]} */
  const line = [[0, 1], [2, 3], [4, 0]]
  expect([0, 1, 2, 3, 4].map((k) => heightAt(line, k))).toEqual([1, 2, 3, 1.5, 0])
  expect(heightAt([[0, 7]], 0)).toBe(7)
})

test("the clock counts flow time to 1 and then the steps of transport", () => {
  expect(clockWords(5, 10, 13)).toBe("t = 0.50")
  expect(clockWords(10, 10, 13)).toBe("t = 1.00")
  expect(clockWords(10.5, 10, 13)).toBe("t = 1, step 1 of 3")
  expect(clockWords(13, 10, 13)).toBe("t = 1, step 3 of 3")
})

test("an arrow key goes to the next whole step, also from between two", () => {
  expect([stepped(2, 1), stepped(2.4, 1), stepped(2, -1), stepped(2.4, -1), stepped(2, 5)]).toEqual([3, 3, 1, 2, 7])
})

test("a ramp goes through its stops and ends at its ends", () => {
  const colour = ramp(["#000000", "#ff0000", "#ffffff"]), at = (/** @type {number} */ u) => colour(u, [0, 0, 0])
  expect([at(0), at(0.5), at(1), at(-3), at(9)]).toEqual([[0, 0, 0], [255, 0, 0], [255, 255, 255], [0, 0, 0], [255, 255, 255]])
  expect(at(0.25)).toEqual([127.5, 0, 0])
  expect(colour(1, new Uint8ClampedArray(8), 4)).toEqual(new Uint8ClampedArray([0, 0, 0, 0, 255, 255, 255, 0]))
})

test("numbers for reading", () => {
  expect([number(-0.125), number(3, 0), number(NaN), number(Infinity)]).toEqual(["−0.13", "3", "–", "–"])
})

test("every shape surrounds its place, and no two are the same", () => {
  const names = ["circle", "square", "triangle", "inverted_triangle", "diamond", "hex", "star", "plus", "square_pin"]
  const drawn = names.map((name) => {
    const path = new Path()
    addShape(as(path), name, 100, 50, 10)
    for (const [, x, y] of path.calls.filter(([call]) => call.endsWith("To"))) {
      expect(Math.hypot(x - 100, y - 50)).toBeGreaterThan(3)
      expect(Math.hypot(x - 100, y - 50)).toBeLessThan(17)
    }
    return JSON.stringify(path.calls)
  })
  expect(new Set(drawn).size).toBe(names.length)
})

test("the readout says the place and the value there", () => {
  const grid = {data: Float32Array.from([1, 2, 3, 4]), shape: [2, 2]}
  const block = {header: {extent: 1, name: "Q", difference: false}, arrays: {values: grid}}
  expect(readoutOf([0.5, -0.5], block, false)).toBe("a = (0.50, −0.50)   Q 2.00")
  expect(readoutOf([0.5, -0.5], block, true)).toBe("a = 0.50   Q 2.00")
  expect(readoutOf([0.5, 5], block, false)).toContain("Q –")
  expect(readoutOf([0, 0], null, false)).toBe("a = (0.00, 0.00)   Q –")
  expect(readoutOf(null, block, false)).toBe("")
})

test("the surface's middle is the picture's, higher is higher, and nobody looks from below", () => {
  const eye = {turn: 0.4, tilt: 0.9, zoom: 1}, project = projection(eye, {width: 200, height: 100}, 1.25)
  expect(project(0, 0, 0).slice(0, 2)).toEqual([100, 47])
  expect(project(0.3, 0.2, 0.5)[1]).toBeLessThan(project(0.3, 0.2, 0)[1])
  expect(turned(eye, 1, -9).tilt).toBe(0.15)
  expect(turned(eye, 1, 9, 100)).toEqual({turn: 1.4, tilt: 1.5, zoom: 4})
})

test("a file goes in pieces, all of it once, and an empty one in one", () => {
  for (const [size, count] of [[0, 1], [1, 1], [10, 1], [11, 2], [20, 2], [25, 3]]) {
    const pieces = piecesOf(size, 10)
    expect(pieces.map(({from}) => from)).toEqual(Array.from({length: count}, (_, i) => 10 * i))
    expect(pieces.map(({last}) => last)).toEqual(Array.from({length: count}, (_, i) => i === count - 1))
  }
})

test("what is asked for many times is drawn once a frame", () => {
  /** @type {(() => void)[]} */
  const frames = []
  vi.stubGlobal("requestAnimationFrame", (/** @type {() => void} */ call) => frames.push(call))
  const nextFrame = () => frames.splice(0).forEach((call) => call())
  let drawn = 0
  const draw = onceAFrame(() => { drawn++ })
  for (let i = 0; i < 5; i++) draw()
  expect(drawn).toBe(0)
  nextFrame()
  expect(drawn).toBe(1)
  draw()
  nextFrame()
  expect(drawn).toBe(2)
})

test("a call that is held back is made later, once", () => {
  /** @type {number[]} */
  const called = []
  const start = performance.now(), call = atMost(10, () => called.push(performance.now() - start))
  for (let i = 0; i < 25; i++) {
    call()
    vi.advanceTimersByTime(10)
  }
  vi.advanceTimersByTime(1000)
  expect(called).toEqual([0, 100, 200, 300])
})
