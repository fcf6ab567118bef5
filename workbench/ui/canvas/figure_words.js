// What a Bokeh figure shows, in words: the text alternative of its canvas. It is read from the figure's own models, so that it says
// what is drawn now, whichever page drew it.

import {number} from "./lettering.js"

const MOST = 8 // things that are told one by one

/**
 * A number in words: as many digits as tell something, whatever its size.
 * @param {number} value
 */
export function figure(value) {
  if (!Number.isFinite(value)) return "–"
  const size = Math.abs(value)
  if (size && (size < 0.001 || size >= 1e6)) return value.toLocaleString("en-US", {maximumSignificantDigits: 2}).replace("-", "−")
  if (Number.isInteger(value)) return value.toLocaleString("en").replace("-", "−")
  return number(value, size < 0.1 ? 3 : size < 100 ? 2 : 0)
}

/** @param {number} count @param {string} one */
const counted = (count, one) => `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`

/**
 * The finite pairs of two columns, which may hold lists of lists (lines of a multi-line).
 * @param {any} xs
 * @param {any} ys
 * @returns {[any, number][]}
 */
function pairsOf(xs, ys) {
  /** @type {[any, number][]} */
  const pairs = []
  const add = (/** @type {any} */ x, /** @type {any} */ y) => {
    if (typeof y === "number" ? Number.isFinite(y) && !(typeof x === "number" && !Number.isFinite(x)) : y !== undefined) pairs.push([x, y])
  }
  for (let i = 0; i < Math.min(xs?.length ?? 0, ys?.length ?? 0); i++) {
    if (typeof ys[i] === "object" && ys[i] !== null) for (let j = 0; j < ys[i].length; j++) add(xs[i]?.[j], ys[i][j])
    else add(xs[i], ys[i])
  }
  return pairs
}

/** @param {number[]} values */
function rangeOf(values) {
  let low = Infinity, high = -Infinity
  for (const value of values) {
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  return low === high ? figure(low) : `${figure(low)} to ${figure(high)}`
}

/** What a visual or a coordinate names: a column, or nothing. @param {any} spec */
const columnOf = (spec) => (typeof spec === "string" ? spec : spec?.field)

/**
 * What one renderer draws; "" while it draws nothing.
 * @param {any} renderer
 */
export function wordsOfRenderer(renderer) {
  const glyph = renderer.glyph, data = renderer.data_source?.data
  if (!glyph || !data || renderer.visible === false) return ""
  const columns = data instanceof Map ? Object.fromEntries(data) : data, type = glyph.type
  if (type === "Image") {
    const mapper = glyph.color_mapper
    return `colours from ${figure(mapper.low)} to ${figure(mapper.high)}`
  }
  const x = columns[columnOf(glyph.x) ?? columnOf(glyph.xs) ?? columnOf(glyph.x0)]
  const y = columns[columnOf(glyph.y) ?? columnOf(glyph.ys) ?? columnOf(glyph.y1) ?? columnOf(glyph.top) ?? columnOf(glyph.y0)]
  const pairs = pairsOf(x, y)
  if (!pairs.length) return ""
  const heights = pairs.map((pair) => pair[1]), [x0, y0] = pairs[0], [x1, y1] = pairs[pairs.length - 1]
  const at = (/** @type {any} */ place) => (typeof place === "number" ? figure(place) : String(place))
  if (pairs.length === 1) return typeof y0 === "number" ? `${figure(y0)} at ${at(x0)}` : ""
  if (typeof y0 !== "number") return counted(pairs.length, "mark")
  if (type === "Line" && typeof x0 === "number" && x1 > x0) {
    return `from ${figure(y0)} at ${at(x0)} to ${figure(y1)} at ${at(x1)}, between ${rangeOf(heights)}`
  }
  const across = pairs.every((pair) => typeof pair[0] === "number") ? `, ${rangeOf(pairs.map((pair) => pair[0]))} across` : ""
  return `${counted(pairs.length, "point")}${across}, ${rangeOf(heights)} up`
}

/**
 * What a figure shows, in one paragraph: its title or axes, the range of each, and what stands under each word of its legend.
 * @param {any} figureModel
 */
export function wordsOf(figureModel) {
  const axis = (/** @type {any[]} */ axes) => axes?.find((one) => one && "axis_label" in one)
  const across = axis(figureModel.below)?.axis_label ?? "", up = axis(figureModel.left)?.axis_label ?? ""
  const title = figureModel.title?.text || figureModel.name || "", named = up && across ? `${up} against ${across}` : up || across
  const span = (/** @type {string} */ name, /** @type {any} */ range) =>
    name && typeof range?.start === "number" ? `${name} from ${figure(range.start)} to ${figure(range.end)}` : ""
  const ranges = [span(across, figureModel.x_range), span(up, figureModel.y_range)].filter(Boolean).join(", ")

  const parts = [...(figureModel.above ?? []), ...(figureModel.below ?? []), ...(figureModel.left ?? []), ...(figureModel.right ?? []), ...(figureModel.center ?? [])]
  const items = parts.flatMap((/** @type {any} */ part) => (part?.visible !== false && part?.items) || [])
  const told = new Set(), sentences = []
  for (const item of items) {
    if (item.visible === false) continue
    for (const renderer of item.renderers ?? []) told.add(renderer)
    const words = (item.renderers ?? []).map(wordsOfRenderer).find(Boolean), label = item.label?.value ?? item.label
    if (words) sentences.push(`${typeof label === "string" ? label : "marks"}: ${words}`)
  }
  for (const renderer of figureModel.renderers ?? []) {
    const words = !told.has(renderer) && renderer.glyph?.type === "Image" ? wordsOfRenderer(renderer) : ""
    if (words) sentences.unshift(words)
  }
  if (!sentences.length) sentences.push(...(figureModel.renderers ?? []).map(wordsOfRenderer).filter(Boolean))
  const more = sentences.length > MOST ? [`and ${counted(sentences.length - MOST, "other")}`] : []
  const shown = sentences.length ? [...sentences.slice(0, MOST), ...more].join("; ") : "nothing is drawn yet"
  return [`Chart${title ? ` of ${title}` : ""}${named ? `: ${named}` : ""}`, ranges, shown].filter(Boolean).join(". ") + "."
}
