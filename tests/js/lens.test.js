import {expect, test} from "vitest"
import {dragged, lens, placeOf, zoomed} from "../../workbench/ui/canvas/lens.js"
import {as, Canvas} from "./canvas.js"

const VIEW = {x: 0.3, y: -0.2, half: 1.25}

test("the middle of the view is the middle of the canvas, and up is up", () => {
  const to = lens({width: 400, height: 300}, VIEW)
  expect([to.x(0.3), to.y(-0.2)]).toEqual([200, 150])
  expect(to.y(0.5)).toBeLessThan(to.y(-0.2))
  expect(to.x(0.3 + 1.25)).toBeCloseTo(400)
  expect(to.x(0.3 - 1.25)).toBeCloseTo(0)
})

test("back undoes the way there", () => {
  const to = lens({width: 517, height: 389}, VIEW)
  for (const [x, y] of [[0, 0], [1.1, -0.9], [-1.4, 2.2]]) {
    const [a, b] = to.back(to.x(x), to.y(y))
    expect(a).toBeCloseTo(x)
    expect(b).toBeCloseTo(y)
  }
})

test("a pointer reads the same place on screens of any density", () => {
  for (const ratio of [1, 1.5, 2]) {
    const canvas = new Canvas(40, 60, 200, ratio)
    const [x, y] = placeOf({clientX: 140, clientY: 160}, as(canvas), VIEW)
    expect(x).toBeCloseTo(0.3)
    expect(y).toBeCloseTo(-0.2)
    expect(placeOf({clientX: 240, clientY: 60}, as(canvas), VIEW)[0]).toBeCloseTo(0.3 + 1.25)
  }
})

test("zooming keeps the place under the pointer where it was", () => {
  const canvas = {width: 300, height: 300}
  for (const turn of [-120, 40, 900]) {
    const at = lens(canvas, VIEW).back(70, 210), next = zoomed(VIEW, at, turn), to = lens(canvas, next)
    expect(to.x(at[0])).toBeCloseTo(70)
    expect(to.y(at[1])).toBeCloseTo(210)
    expect(Math.sign(next.half - VIEW.half)).toBe(Math.sign(turn))
  }
})

test("a view has a closest and a widest, at which turning on changes nothing", () => {
  let view = VIEW
  for (let i = 0; i < 20; i++) view = zoomed(view, [1, 1], -300)
  expect(view.half).toBe(0.1)
  const closest = zoomed(view, [-0.4, 0.9], -300)
  expect(closest.half).toBe(0.1)
  expect(closest.x).toBeCloseTo(view.x)
  expect(closest.y).toBeCloseTo(view.y)
  for (let i = 0; i < 20; i++) view = zoomed(view, [1, 1], 300)
  expect(view.half).toBe(3.2)
})

test("a drag shows at its end what was held at its beginning", () => {
  const canvas = {width: 300, height: 300}, from = lens(canvas, VIEW).back(100, 100), to = lens(canvas, VIEW).back(160, 80)
  const next = lens(canvas, dragged(VIEW, from, to))
  expect(next.x(from[0])).toBeCloseTo(160)
  expect(next.y(from[1])).toBeCloseTo(80)
})
