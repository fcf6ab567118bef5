import {expect, test} from "vitest"
import {chartWords} from "../../workbench/ui/canvas/chart.js"
import {figure, wordsOf} from "../../workbench/ui/canvas/figure_words.js"
import {as} from "./canvas.js"

const line = (/** @type {number[]} */ x, /** @type {(number | string)[]} */ y, more = {}) => ({
  glyph: {type: "Line", x: {field: "x"}, y: {field: "y"}}, data_source: {data: new Map(Object.entries({x, y}))}, visible: true, ...more,
})
const axes = {
  below: [{axis_label: "update"}], left: [{axis_label: "loss"}], right: [], center: [], x_range: {start: 0, end: 4000}, y_range: {start: 0.01, end: 10},
}

test("numbers have the digits that tell something", () => {
  expect([0, 3, -2, 1234567, 0.5, -12.345, 0.01234, 0.00001, NaN].map(figure)).toEqual([
    "0", "3", "−2", "1,200,000", "0.50", "−12.35", "0.012", "0.00001", "–",
  ])
})

test("a figure tells its axes, and what stands under each word of its legend", () => {
  const flow = line([100, 200, 300], [1.5, 2.5, 0.5]), hidden = line([1], [1]), critic = line([100, 200], [NaN, 0.25])
  const items = [
    {label: {value: "flow"}, renderers: [flow]},
    {label: {value: "other"}, renderers: [hidden], visible: false},
    {label: {value: "critic"}, renderers: [critic]},
    {label: {value: "gone"}, renderers: [{...hidden, visible: false}]},
  ]
  expect(wordsOf({...axes, above: [{items}], renderers: [flow, hidden, critic]})).toBe(
    "Chart: loss against update. update from 0 to 4,000, loss from 0.010 to 10. " +
      "flow: from 1.50 at 100 to 0.50 at 300, between 0.50 to 2.50; critic: 0.25 at 200.",
  )
})

test("a figure without anything says so, and one without a legend tells what it draws", () => {
  expect(wordsOf({...axes, above: [], renderers: [line([], [])]})).toMatch(/nothing is drawn yet\.$/)
  const image = {glyph: {type: "Image", color_mapper: {low: -1, high: 2}}, data_source: {data: {image: []}}}
  const cloud = {glyph: {type: "Scatter", x: {field: "x"}, y: {field: "y"}}, data_source: {data: {x: [0.5, -0.5], y: [1, 2]}}}
  expect(wordsOf({title: {text: "the plane"}, renderers: [image, cloud]})).toBe("Chart of the plane. colours from −1 to 2.")
  expect(wordsOf({name: "episodes", renderers: [cloud]})).toBe("Chart of episodes. 2 points, −0.50 to 0.50 across, 1 to 2 up.")
})

test("many things are counted instead of told", () => {
  const renderers = Array.from({length: 11}, (_, i) => line([0, 1], [i, i]))
  expect(wordsOf({renderers})).toMatch(/; and 3 others\.$/)
})

test("lines of several pieces are read whole", () => {
  const pieces = {glyph: {type: "MultiLine", xs: {field: "a"}, ys: {field: "b"}}, data_source: {data: {a: [[0, 1], [2]], b: [[5, 6], [7]]}}}
  expect(wordsOf({renderers: [pieces]})).toBe("Chart. 3 points, 0 to 2 across, 5 to 7 up.")
})

test("a chart over flow time tells where each line begins and ends", () => {
  const block = as({
    header: {lines: [{title: "QGF"}, {title: "Behaviour flow"}]}, arrays: {y0: {data: [0, 0.25, NaN]}, y1: {data: [NaN]}},
  })
  expect(chartWords("Displacement", block)).toBe("Displacement over flow time. QGF: 0 at first, 0.25 at the end; Behaviour flow: nothing.")
})
