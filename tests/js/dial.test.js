import {expect, test, vi} from "vitest"
import {run} from "../../workbench/ui/pages/budget/dial.js"

test("the dots stand where the track says, and the server hears nothing of it", () => {
  const track = {data: {at: [0, 0.5, 1], value: new Float64Array([0.2, 0.8, 0.1]), wrong: ["a", "b", "c"]}}
  const setv = vi.fn()
  run({slider: {value: 2}, track, dot: {setv}})
  expect(setv).toHaveBeenCalledWith({data: {at: [1], value: [0.1], wrong: ["c"]}}, {sync: false})
  run({slider: {value: 0}, track, dot: {setv}})
  expect(setv.mock.lastCall?.[0].data.at).toEqual([0])
})
