import {beforeEach, expect, test, vi} from "vitest"
import {gripAt, handleOf, heldAt, nudged, viewOf, within} from "../../workbench/ui/canvas/agent.js"
import {listen} from "../../workbench/ui/canvas/hand.js"
import {lens} from "../../workbench/ui/canvas/lens.js"
import {inBox, makePeak} from "../../workbench/ui/canvas/peak.js"
import {as, Canvas} from "./canvas.js"

/** @import {Place, View} from "../../workbench/ui/canvas/pictures" */

const HOME = {x: 0, y: 0, half: 1}

/**
 * A stage with its peak on a canvas of 200 pixels that lies at (10, 20): a unit has 100 pixels.
 * @param {{peak?: number[], fixed?: boolean, line?: boolean}} options
 */
function scene({peak = [0.5, 0.5], fixed = false, line = false} = {}) {
  const canvas = new Canvas(10, 20, 200, 2), model = {peak, dragging: false, fixed}
  /** @type {(Place | null)[]} */
  const pointed = []
  /** @type {Place[]} */
  const chosen = []
  const state = {view: /** @type {View} */ (HOME), moved: 0}
  const held = makePeak(model, () => { state.moved++ })
  listen(as(canvas), {
    view: () => state.view,
    setView: (view) => { state.view = view },
    home: () => HOME,
    line: () => line,
    peak: held,
    point: (place) => pointed.push(place),
    choose: (place) => chosen.push(place),
  })
  const at = (/** @type {number} */ x, /** @type {number} */ y) => {
    const to = lens(canvas, state.view)
    return {clientX: 10 + to.x(x) / 2, clientY: 20 + to.y(y) / 2}
  }
  return {canvas, model, state, pointed, chosen, held, at}
}

beforeEach(() => {
  vi.useFakeTimers()
  return () => vi.useRealTimers()
})

test("the peak goes with the hand at once, and the server hears its last place", () => {
  const {canvas, model, held, state, at} = scene()
  canvas.fire("pointerdown", at(0.52, 0.48))
  expect([model.dragging, canvas.captured]).toEqual([true, [1]])
  for (const x of [0.4, 0.3, 0.2]) canvas.fire("pointermove", at(x, 0.1))
  expect(held.place()).toEqual([0.2, 0.1])
  expect(state.moved).toBe(3)
  canvas.fire("pointerup", at(0.2, 0.1))
  expect([model.peak, model.dragging]).toEqual([[0.2, 0.1], false])
  expect(state.view).toEqual(HOME)
})

test("a drag that is broken off leaves the peak where it was last", () => {
  const {canvas, model, at} = scene()
  canvas.fire("pointerdown", at(0.5, 0.5))
  canvas.fire("pointermove", at(-0.3, 0))
  canvas.fire("pointercancel")
  expect([model.peak, model.dragging]).toEqual([[-0.3, 0], false])
})

test("the server hears of a drag at most forty times a second", () => {
  const {canvas, model, at} = scene()
  /** @type {number[][]} */
  const heard = []
  let peak = model.peak
  Object.defineProperty(model, "peak", {get: () => peak, set: (next) => { peak = next; heard.push(next) }})
  canvas.fire("pointerdown", at(0.5, 0.5))
  for (let i = 0; i < 100; i++) {
    canvas.fire("pointermove", at(0.5 - i / 200, 0.5))
    vi.advanceTimersByTime(10)
  }
  expect(heard.length).toBeGreaterThan(30)
  expect(heard.length).toBeLessThanOrEqual(41)
})

test("the peak stays in the box of actions", () => {
  const {canvas, model, at} = scene()
  canvas.fire("pointerdown", at(0.5, 0.5))
  canvas.fire("pointermove", at(7, -0.25))
  canvas.fire("pointerup", at(7, -0.25))
  expect(model.peak).toEqual([1, -0.25])
  expect(inBox([0.12345, -9, 4], 2)).toEqual([0.123, -1])
})

test("on a line the peak is grabbed at any height and has one number", () => {
  const {canvas, model, at} = scene({peak: [0.5], line: true})
  canvas.fire("pointerdown", at(0.5, -0.9))
  canvas.fire("pointermove", at(-0.5, 0.9))
  canvas.fire("pointerup", at(-0.5, 0.9))
  expect(model.peak).toEqual([-0.5])
})

test("a hand beside the peak moves the view, by as much as it moves", () => {
  for (const options of [{peak: [0.5, 0.5]}, {peak: []}, {peak: [-0.5, 0], fixed: true}]) {
    const {canvas, model, state, at} = scene(options), before = [...model.peak]
    canvas.fire("pointerdown", at(-0.5, 0))
    canvas.fire("pointermove", at(-0.2, 0.4))
    expect(state.view.x).toBeCloseTo(-0.3)
    expect(state.view.y).toBeCloseTo(-0.4)
    canvas.fire("pointerup", at(0, 0))
    expect([model.peak, model.dragging]).toEqual([before, false])
    canvas.fire("pointermove", at(0.9, 0.9))
    expect(state.view.x).toBeCloseTo(-0.3)
  }
})

test("a click that stays still chooses; the end of a drag does not", () => {
  const {canvas, chosen, at} = scene()
  canvas.fire("pointerdown", at(-0.5, -0.5))
  canvas.fire("pointerup", at(-0.49, -0.5))
  canvas.fire("pointerdown", at(-0.5, -0.5))
  canvas.fire("pointerup", at(0, -0.5))
  canvas.fire("pointerdown", at(0.5, 0.5))
  canvas.fire("pointerup", at(0.5, 0.5))
  expect(chosen.length).toBe(1)
  expect(chosen[0][0]).toBeCloseTo(-0.49)
})

test("a finger scrolls the page unless it is on the peak", () => {
  const {canvas, state, at} = scene()
  canvas.fire("pointerdown", {...at(-0.5, 0), pointerType: "touch"})
  canvas.fire("pointermove", {...at(0.2, 0), pointerType: "touch"})
  expect(state.view).toEqual(HOME)
  expect(canvas.fire("touchstart", {touches: [at(-0.5, 0)]})).toBe(false)
  expect(canvas.fire("touchstart", {touches: [at(0.5, 0.5)]})).toBe(true)
  expect(canvas.fire("touchstart", {touches: [at(0.5, 0.5), at(0, 0)]})).toBe(false)
})

test("the right button moves nothing", () => {
  const {canvas, model, state, at} = scene()
  canvas.fire("pointerdown", {...at(0.5, 0.5), button: 2})
  canvas.fire("pointermove", at(0, 0))
  expect([model.peak, state.view]).toEqual([[0.5, 0.5], HOME])
})

test("arrow keys move the peak; other keys are the page's", () => {
  const {canvas, model} = scene()
  expect(canvas.fire("keydown", {key: "ArrowLeft"})).toBe(true)
  expect(canvas.fire("keydown", {key: "ArrowUp"})).toBe(true)
  expect(model.peak).toEqual([0.45, 0.55])
  expect(canvas.fire("keydown", {key: "Tab"})).toBe(false)
  expect(scene({peak: []}).canvas.fire("keydown", {key: "ArrowLeft"})).toBe(false)
})

test("the wheel zooms about the pointer, a double click goes home", () => {
  const {canvas, state, at} = scene(), where = at(0.3, 0.6)
  expect(canvas.fire("wheel", {...where, deltaY: -90})).toBe(true)
  expect(state.view.half).toBeLessThan(1)
  expect(at(0.3, 0.6).clientX).toBeCloseTo(where.clientX)
  canvas.fire("dblclick")
  expect(state.view).toEqual(HOME)
})

test("the velocity's handle can be grasped at rest, and follows the hand", () => {
  const resting = [1, 2, 0, 0], [hx, hy] = handleOf(resting, 10)
  expect(Math.hypot(hx - 1, hy - 2)).toBeGreaterThan(0.71)
  expect(gripAt(resting, [hx, hy], 10)).toBe("velocity")
  expect(gripAt(resting, [1, 2], 10)).toBe("agent")
  expect(gripAt([1, 2], [hx, hy], 10)).toBe("agent")
  for (const hand of /** @type {Place[]} */ ([[4, 3], [-2, 1.5], [1, -1]])) {
    const moving = heldAt(resting, "velocity", hand, 10), [x, y] = handleOf(moving, 10)
    expect(moving.slice(0, 2)).toEqual([1, 2])
    expect(x).toBeCloseTo(hand[0])
    expect(y).toBeCloseTo(hand[1])
  }
})

test("the agent goes where the hand is and keeps its velocity, within what the ground allows", () => {
  expect(heldAt([1, 2, 0.5, -0.5], "agent", [3, 4], 10)).toEqual([3, 4, 0.5, -0.5])
  expect(heldAt([1, 2], "agent", [3, 4], 10)).toEqual([3, 4])
  expect(within([9, -9, 0.5, 3], [[0, 5], [0, 5], [-1, 1], [-1, 1]])).toEqual([5, 0, 0.5, 1])
})

test("arrow keys move the agent, with shift its velocity", () => {
  expect(nudged([0, 0, 0.2, 0.2], [1, 0], false, 10)).toEqual([0.47, 0, 0.2, 0.2])
  expect(nudged([0, 0, 0.2, 0.2], [0, -1], true, 10)).toEqual([0, 0, 0.2, 0.1])
  expect(nudged([0, 0], [0, 1], true, 10)).toEqual([0, 0.47])
})

test("a plan is seen whole", () => {
  expect(viewOf([-1, 7, 2, 4])).toEqual({x: 3, y: 3, half: 4})
})
