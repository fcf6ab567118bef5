// The picture of the budget dial: two curves against shift, what lies between them, and where the strength stands.

import {colourOf, penOf} from "../browser/dom.js"
import {rangeOf, ticksOf} from "./axis.js"
import {columnsOf, spread} from "./curve.js"
import {FONT, number} from "./lettering.js"
import {addShape} from "./shapes.js"

/** @import {Curve, Stand} from "./curve.js" */
/** @import {CurveBlock, DialScale, Look} from "./pictures" */
/** @typedef {{look: Look, curve: Curve, measured: boolean, best: number, bestWords: string}} Line */
/** @typedef {ReturnType<typeof framed>} Framed */
/** @typedef {{ink: string, muted: string, rule: string, surface: string, warn: string}} Inks */

const LEFT = 44, RIGHT = 14, TOP = 22, FOOT = 34

/**
 * The curves that belong to the scales, in their order; those of another rule are not there yet.
 * @param {CurveBlock | null} block
 * @param {DialScale[]} scales
 * @returns {(Line | null)[]}
 */
export function linesOf(block, scales) {
  return scales.map((scale, place) => {
    const line = block?.header.lines[place]
    if (!block || !line || line.rule !== scale.rule) return null
    const curve = columnsOf(block.arrays, place)
    if (!curve.strengths.length) return null
    const word = line.best < 0 ? "" : `${scale.word} ${plain(curve.strengths[line.best])}`
    return {look: scale.look, curve, measured: line.source !== "promised", best: line.best, bestWords: word}
  })
}

/** @param {number} value */
export const plain = (value) => String(Number(value.toPrecision(3)))

/**
 * The axes: where a shift and a value are on a canvas.
 * @param {Line[]} lines
 * @param {{width: number, height: number}} canvas
 * @param {number} ratio
 */
export function framed(lines, {width, height}, ratio) {
  const shifts = lines.flatMap(({curve}) => Array.from(curve.shift)).filter(Number.isFinite)
  const values = lines.flatMap(({curve}) => [...curve.promised, ...curve.earned]).filter(Number.isFinite)
  const {of, ticks} = spread(shifts), most = Math.max(...shifts, 1e-3), [low, high] = rangeOf(values.length ? values : [0, 1], false)
  const left = LEFT * ratio, right = width - RIGHT * ratio, top = TOP * ratio, foot = height - FOOT * ratio
  const end = 1.04 * of(most)
  return {
    x: (/** @type {number} */ shift) => left + ((right - left) * of(Math.max(shift, 0))) / end,
    y: (/** @type {number} */ value) => foot - ((foot - top) * (value - low)) / (high - low),
    left, right, top, foot, low, high, ticks: ticks ?? ticksOf(0, most)[0], digits: ticks ? 1 : ticksOf(0, most)[1],
  }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {(Line | null)[]} lines
 * @param {(Stand | null)[]} stands
 * @param {number} active The rule that is moved.
 * @param {{fresh: boolean, across: string, up: string, words: string}} say
 * @param {Inks} inks
 * @param {number} ratio
 */
export function drawDial(canvas, lines, stands, active, say, inks, ratio) {
  const g = penOf(canvas), there = lines.filter((line) => line !== null)
  g.clearRect(0, 0, canvas.width, canvas.height)
  if (!there.length) return null
  const axes = framed(there, canvas, ratio)
  drawGround(g, axes, say, inks, ratio)
  drawLegend(g, axes, there.some((line) => line.measured), inks, ratio)
  g.globalAlpha = say.fresh ? 1 : 0.35
  for (const line of there) drawArea(g, line, axes, inks)
  const hands = stands.flatMap((stand) => (stand ? [axes.x(stand.shift)] : []))
  for (const line of there) drawCurves(g, line, axes, hands, inks, ratio)
  lines.forEach((line, i) => {
    const stand = stands[i]
    if (line && stand) drawStand(g, line, stand, axes, i === active ? say.words : "", inks, ratio)
  })
  g.globalAlpha = 1
  return axes
}

/**
 * @param {CanvasRenderingContext2D} g
 * @param {Framed} axes
 * @param {{across: string, up: string}} say
 * @param {Inks} inks
 * @param {number} ratio
 */
function drawGround(g, axes, say, inks, ratio) {
  const {x, y, left, right, foot, low, high} = axes
  g.font = `${11 * ratio}px ${FONT}`
  g.lineWidth = ratio
  g.fillStyle = inks.muted
  g.strokeStyle = inks.rule
  const [values, digits] = ticksOf(low, high)
  g.textAlign = "right"
  for (const v of values) {
    stroke(g, [[left, y(v)], [right, y(v)]])
    g.fillText(number(v, digits), left - 6 * ratio, y(v) + 4 * ratio)
  }
  g.textAlign = "center"
  for (const tick of axes.ticks) {
    stroke(g, [[x(tick), foot], [x(tick), foot + 4 * ratio]])
    g.fillText(axes.digits > 1 ? number(tick, axes.digits) : plain(tick), x(tick), foot + 16 * ratio)
  }
  g.textAlign = "right"
  g.fillText(say.across, right, foot + 30 * ratio)
  g.textAlign = "left"
  g.fillText(say.up, 2 * ratio, 9 * ratio)
}

/**
 * What the critic is wrong by: all that lies between the curves.
 * @param {CanvasRenderingContext2D} g
 * @param {Line} line
 * @param {Framed} axes
 * @param {Inks} inks
 */
function drawArea(g, {curve, measured}, {x, y}, inks) {
  if (!measured) return
  const before = g.globalAlpha
  g.fillStyle = inks.warn
  g.globalAlpha = before * 0.16
  // One strip for each pair of strengths: where a curve turns back, an outline of all of it would cross itself.
  const path = new Path2D(), {shift, promised, earned} = curve
  for (let k = 1; k < shift.length; k++) {
    const corners = [[shift[k - 1], promised[k - 1]], [shift[k], promised[k]], [shift[k], earned[k]], [shift[k - 1], earned[k - 1]]]
    if (!corners.flat().every(Number.isFinite)) continue
    corners.forEach(([s, v], n) => (n ? path.lineTo(x(s), y(v)) : path.moveTo(x(s), y(v))))
    path.closePath()
  }
  g.fill(path)
  g.globalAlpha = before
}

/**
 * @param {CanvasRenderingContext2D} g
 * @param {Line} line
 * @param {Framed} axes
 * @param {number[]} hands Where the strengths stand: words there would lie on theirs.
 * @param {Inks} inks
 * @param {number} ratio
 */
function drawCurves(g, {look, curve, measured, best, bestWords}, {x, y, left, right}, hands, inks, ratio) {
  const way = (/** @type {Float32Array} */ values) => Array.from(values, (v, k) => /** @type {[number, number]} */ ([x(curve.shift[k]), y(v)])).filter((point) => point.every(Number.isFinite))
  g.strokeStyle = g.fillStyle = colourOf(look)
  g.lineJoin = "round"
  g.lineWidth = 1.8 * ratio
  g.setLineDash([6 * ratio, 4 * ratio])
  stroke(g, way(curve.promised))
  g.setLineDash([])
  if (!measured) return
  g.lineWidth = 2.4 * ratio
  stroke(g, way(curve.earned))
  if (best < 0) return
  const at = [x(curve.shift[best]), y(curve.earned[best])], star = new Path2D()
  addShape(star, "star", at[0], at[1], 7 * ratio)
  g.fill(star)
  g.lineWidth = 1.2 * ratio
  g.strokeStyle = inks.surface
  g.stroke(star)
  g.font = `600 ${11 * ratio}px ${FONT}`
  const text = `best: ${bestWords}`, wide = g.measureText(text).width
  if (hands.some((hand) => Math.abs(hand - at[0]) < 2 * wide)) return
  g.textAlign = "left"
  write(g, text, Math.max(left, Math.min(at[0] - wide / 2, right - wide)), at[1] + 19 * ratio, inks, ratio, colourOf(look))
}

/**
 * What the lines are, in a row above them.
 * @param {CanvasRenderingContext2D} g
 * @param {Framed} axes
 * @param {boolean} measured
 * @param {Inks} inks
 * @param {number} ratio
 */
function drawLegend(g, {right}, measured, inks, ratio) {
  g.font = `${11 * ratio}px ${FONT}`
  g.textAlign = "right"
  g.fillStyle = g.strokeStyle = inks.ink
  const height = 9 * ratio
  let end = right
  /** @type {[string, number[], number][]} */
  const entries = [["promised by the critic (Q)", [5, 3], 1.8]]
  if (measured) entries.unshift(["earned", [], 2.4])
  for (const [text, dash, wide] of entries) {
    g.fillText(text, end, height)
    end -= g.measureText(text).width + 6 * ratio
    g.lineWidth = wide * ratio
    g.setLineDash(dash.map((one) => one * ratio))
    stroke(g, [[end - 22 * ratio, height - 4 * ratio], [end, height - 4 * ratio]])
    g.setLineDash([])
    end -= 22 * ratio + 14 * ratio
  }
}

/**
 * Where the strength stands: both values, and the error between them.
 * @param {CanvasRenderingContext2D} g
 * @param {Line} line
 * @param {Stand} stand
 * @param {Framed} axes
 * @param {string} words
 * @param {Inks} inks
 * @param {number} ratio
 */
function drawStand(g, {look, measured}, stand, {x, y, left, right, top, foot}, words, inks, ratio) {
  const at = x(stand.shift), promised = y(stand.promised), earned = y(stand.earned)
  g.lineWidth = ratio
  g.strokeStyle = inks.muted
  g.setLineDash([2 * ratio, 3 * ratio])
  stroke(g, [[at, top], [at, foot]])
  g.setLineDash([])
  if (measured && Number.isFinite(earned)) {
    g.lineWidth = 4 * ratio
    g.strokeStyle = inks.warn
    stroke(g, [[at, promised], [at, earned]])
  }
  for (const [height, full] of /** @type {const} */ ([[promised, false], [earned, true]])) {
    if (!Number.isFinite(height)) continue
    const dot = new Path2D()
    addShape(dot, full ? look.shape : "circle", at, height, (full ? 8 : 5.5) * ratio)
    g.fillStyle = full && !stand.beyond ? colourOf(look) : inks.surface
    g.fill(dot)
    g.lineWidth = (full ? 2 : 2.5) * ratio
    g.strokeStyle = full && !stand.beyond ? inks.surface : colourOf(look)
    g.stroke(dot)
  }
  if (!words) return
  g.font = `600 ${12 * ratio}px ${FONT}`
  const wide = g.measureText(words).width, beside = at + 12 * ratio
  g.textAlign = "left"
  const middle = Number.isFinite(earned) ? (promised + earned) / 2 : promised - 16 * ratio
  write(g, words, beside + wide > right ? Math.max(left, at - 12 * ratio - wide) : beside, Math.min(Math.max(middle + 4 * ratio, top + 10 * ratio), foot - 4 * ratio), inks, ratio, inks.warn)
}

/**
 * Words with a halo, so that they are read over lines.
 * @param {CanvasRenderingContext2D} g
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {Inks} inks
 * @param {number} ratio
 * @param {string} colour
 */
function write(g, text, x, y, inks, ratio, colour) {
  g.lineJoin = "round"
  g.lineWidth = 4 * ratio
  g.strokeStyle = inks.surface
  g.strokeText(text, x, y)
  g.fillStyle = colour
  g.fillText(text, x, y)
}

/**
 * @param {CanvasRenderingContext2D} g
 * @param {readonly (readonly number[])[]} points
 */
function stroke(g, points) {
  g.beginPath()
  points.forEach(([x, y], n) => (n ? g.lineTo(x, y) : g.moveTo(x, y)))
  g.stroke()
}
