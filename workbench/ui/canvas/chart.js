// One small chart over flow time with a line per rule; its cursor follows the stages in the browser.

import {colourOf, element, fit, hearSize, hearWindow, onceAFrame, penOf, token} from "../browser/dom.js"
import {rangeOf, ticksOf} from "./axis.js"
import {unpack} from "./blocks.js"
import {figure} from "./figure_words.js"
import {FONT, number} from "./lettering.js"
import {addShape} from "./shapes.js"

/** @import {Block, ChartHeader, ChartModel, Look} from "./pictures" */
/** @typedef {{x: (k: number) => number, y: (v: number) => number, left: number, right: number, top: number, foot: number}} Axes */

/**
 * Lines of the vertical axis and the words on both.
 * @param {CanvasRenderingContext2D} g
 * @param {Axes} axes
 * @param {readonly [number, number]} range
 * @param {number} flow
 * @param {number} last
 * @param {string} ink
 * @param {string} rule
 * @param {number} ratio
 */
function drawAxes(g, {x, y, left, right, top, foot}, [low, high], flow, last, ink, rule, ratio) {
  g.font = `${11 * ratio}px ${FONT}`
  g.fillStyle = ink
  g.strokeStyle = rule
  g.lineWidth = ratio
  const [values, digits] = ticksOf(low, high)
  g.textAlign = "right"
  for (const v of values) {
    drawStroke(g, left, y(v), right, y(v))
    g.fillText(number(v, digits), left - 6 * ratio, y(v) + 4 * ratio)
  }
  g.textAlign = "center"
  /** @type {[number, string][]} */
  const marks = [[0, "t = 0"], [flow, "1"]]
  marks.push(last > flow ? [last, `+${last - flow}`] : [flow / 2, "0.5"])
  for (const [k, text] of marks) {
    const at = Math.min(Math.max(x(k), left + 10 * ratio), right - 8 * ratio)
    g.fillText(text, at, foot + 15 * ratio)
  }
  if (last <= flow) return
  g.setLineDash([3 * ratio, 3 * ratio])
  g.strokeStyle = ink
  drawStroke(g, x(flow), top, x(flow), foot)
  g.setLineDash([])
}

/**
 * @param {CanvasRenderingContext2D} g
 * @param {number} x
 * @param {number} y
 * @param {number} tx
 * @param {number} ty
 */
function drawStroke(g, x, y, tx, ty) {
  g.beginPath()
  g.moveTo(x, y)
  g.lineTo(tx, ty)
  g.stroke()
}

/**
 * One rule's line, and its mark at tick k.
 * @param {CanvasRenderingContext2D} g
 * @param {Look} look
 * @param {Float32Array} data
 * @param {number} k
 * @param {Axes} axes
 * @param {string} surface
 * @param {number} ratio
 */
function drawLine(g, look, data, k, {x, y}, surface, ratio) {
  const points = Array.from(data, (v, i) => /** @type {const} */ ([i, v])).filter(([, v]) => Number.isFinite(v)), path = new Path2D()
  points.forEach(([i, v], n) => (n ? path.lineTo(x(i), y(v)) : path.moveTo(x(i), y(v))))
  g.strokeStyle = g.fillStyle = colourOf(look)
  g.lineWidth = 2 * ratio
  g.lineJoin = "round"
  g.stroke(path)
  if (!points.length) return
  const end = Math.min(k, points[points.length - 1][0]), mark = new Path2D()
  addShape(mark, look.shape, x(end), y(heightAt(points, end)), 4.5 * ratio)
  g.fill(mark)
  g.strokeStyle = surface
  g.lineWidth = 1.2 * ratio
  g.stroke(mark)
}

/**
 * The height of a line through points at ``end``.
 * @param {readonly (readonly [number, number])[]} points
 * @param {number} end
 */
export function heightAt(points, end) {
  let n = 0
  while (n + 1 < points.length && points[n + 1][0] <= end) n++
  const [i, v] = points[n], [j, w] = points[Math.min(n + 1, points.length - 1)], u = j > i ? (end - i) / (j - i) : 0
  return v + u * (w - v)
}

/**
 * What the chart shows, in words.
 * @param {string} heading
 * @param {Block<ChartHeader>} block
 */
export function chartWords(heading, block) {
  const lines = block.header.lines.map(({title}, i) => {
    const values = [...block.arrays[`y${i}`].data].filter(Number.isFinite)
    return values.length ? `${title}: ${figure(values[0])} at first, ${figure(values[values.length - 1])} at the end` : `${title}: nothing`
  })
  return `${heading} over flow time. ${lines.join("; ")}.`
}

/** @param {{model: ChartModel}} component */
export function render({model}) {
  const root = element("div", "wb-chart"), head = element("h3", "", root), note = element("p", "", root)
  const canvas = element("canvas", "", root)
  canvas.setAttribute("role", "img")
  canvas.setAttribute("aria-label", "A chart over flow time")
  /** @type {number | null} */
  let tick = null

  const describe = () => {
    const block = /** @type {Block<ChartHeader> | null} */ (unpack(model.series))
    if (block) canvas.setAttribute("aria-label", chartWords(model.heading, block))
  }
  const draw = onceAFrame(() => {
    const block = /** @type {Block<ChartHeader> | null} */ (unpack(model.series))
    head.textContent = model.heading
    note.textContent = model.note
    if (!block || !fit(canvas)) return
    const g = penOf(canvas), ratio = window.devicePixelRatio || 1, {lines, flow, zero} = block.header
    const width = canvas.width, height = canvas.height
    const all = lines.flatMap((_, i) => Array.from(block.arrays[`y${i}`].data)).filter(Number.isFinite)
    g.clearRect(0, 0, width, height)
    if (!all.length) return
    const range = rangeOf(all, zero), [low, high] = range
    const last = Math.max(...lines.map((line) => line.ticks), 1)
    const left = 40 * ratio, right = width - 12 * ratio, top = 6 * ratio, foot = height - 20 * ratio
    /** @type {Axes} */
    const axes = {
      x: (k) => left + ((right - left) * k) / last,
      y: (v) => foot - ((foot - top) * (v - low)) / (high - low),
      left, right, top, foot,
    }
    const ink = token(root, "--wb-muted"), surface = token(root, "--wb-surface")
    drawAxes(g, axes, range, flow, last, ink, token(root, "--wb-line"), ratio)
    const k = tick === null ? last : Math.min(tick, last)
    g.strokeStyle = ink
    drawStroke(g, axes.x(k), top, axes.x(k), foot)
    lines.forEach((line, i) => drawLine(g, line.look, block.arrays[`y${i}`].data, k, axes, surface, ratio))
  })

  const follow = (/** @type {CustomEvent<{tick: number}>} */ event) => {
    if (tick === event.detail.tick) return
    tick = event.detail.tick
    draw()
  }
  model.on(["series", "heading", "note"], draw)
  model.on(["series", "heading"], describe)
  hearSize(model, root, draw)
  hearWindow(model, {"wb-theme": draw, "wb-tick": follow})
  describe()
  draw()
  return root
}
