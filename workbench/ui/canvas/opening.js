// The two pictures of the opening: particles over the critic's landscape, and promised and earned against shift.

import {colourOf, isDark, penOf, token} from "../browser/dom.js"
import {rangeOf, ticksOf} from "./axis.js"
import {contours} from "./contours.js"
import {drawBox, drawGrid, paintGrid} from "./landscape.js"
import {lens} from "./lens.js"
import {FONT, number} from "./lettering.js"
import {drawMarks} from "./shapes.js"

/** @import {Grid, Look, Place, Ramps} from "./pictures" */
/** @typedef {[name: string, start: number, frame: number, text: string]} Caption */
/**
 * @typedef {{
 *   title: string, rule: string, words: string[], shift: number[], earned: number[], promised: number[],
 *   places: number[][], ground: number[][], wrong: number[][], extent: number, captions: Caption[],
 *   pace: [number, number][], rule_title: string, look: Look, ramps: Ramps, links: string[],
 * }} Opening
 */

const PART = 0.5 // of the largest error: what is called wrong

/** @param {number[][]} rows @returns {Grid} */
const gridOf = (rows) => ({data: Float32Array.from(rows.flat()), shape: [rows.length, rows[0]?.length ?? 0]})

/**
 * A list's value at a place between two of its numbers.
 * @param {number[]} list
 * @param {number} at
 */
export function between(list, at) {
  const low = Math.floor(at), high = Math.min(low + 1, list.length - 1)
  return list[low] + (at - low) * (list[high] - list[low])
}

/**
 * The frame that is shown so many seconds after the beginning.
 * @param {[number, number][]} pace
 * @param {number} seconds
 */
export function frameAt(pace, seconds) {
  let n = 0
  while (n + 1 < pace.length && pace[n + 1][0] <= seconds) n++
  const [time, frame] = pace[n], [next, there] = pace[Math.min(n + 1, pace.length - 1)]
  return next > time ? frame + ((seconds - time) / (next - time)) * (there - frame) : frame
}

/**
 * What is said at a frame.
 * @param {Caption[]} captions
 * @param {number} frame
 */
export const captionAt = (captions, frame) => captions.filter(([, start], i) => !i || start <= frame).at(-1) ?? captions[0]

/**
 * Draws frames of the plane: what stands still is painted once for each size and theme.
 * @param {Opening} opening
 */
export function makePlane(opening) {
  const ground = gridOf(opening.ground), wrong = gridOf(opening.wrong)
  const edge = wrong.data.length ? contours(wrong, [PART * Math.max(...wrong.data)]) : []
  /** @type {{key: string, image: HTMLCanvasElement} | null} */
  let back = null

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} ratio
   */
  function backdrop(canvas, ratio) {
    const key = `${canvas.width},${canvas.height},${isDark()}`
    if (back?.key === key) return back.image
    const image = document.createElement("canvas"), g = penOf(image), root = document.documentElement
    image.width = canvas.width
    image.height = canvas.height
    const to = lens(image, {x: 0, y: 0, half: opening.extent}), ink = token(root, "--wb-ink"), warn = token(root, "--wb-warn")
    drawGrid(g, paintGrid(ground, opening.extent, opening.ramps[isDark() ? "dark" : "light"]), opening.extent, to, ink, ratio)
    drawBox(g, image, to, ratio, ink)
    if (edge.length) drawWrong(g, edge, wrong.shape[1], opening.extent, to, ratio, warn)
    back = {key, image}
    return image
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} frame
   */
  return (canvas, frame) => {
    const ratio = canvas.width / canvas.getBoundingClientRect().width, g = penOf(canvas), to = lens(canvas, {x: 0, y: 0, half: opening.extent})
    const low = Math.floor(frame), from = opening.places[low], into = opening.places[Math.min(low + 1, opening.places.length - 1)]
    const part = frame - low
    /** @type {Place[]} */
    const places = []
    for (let i = 0; i < from.length; i += 2) {
      places.push([to.x(from[i] + part * (into[i] - from[i])), to.y(from[i + 1] + part * (into[i + 1] - from[i + 1]))])
    }
    g.drawImage(backdrop(canvas, ratio), 0, 0)
    drawMarks(g, places, opening.look, 4 * ratio, 0.9 * ratio, token(document.documentElement, "--wb-surface"))
  }
}

/**
 * Where the critic promises much more than is paid.
 * @param {CanvasRenderingContext2D} g
 * @param {number[]} edge
 * @param {number} columns
 * @param {number} extent
 * @param {import("./pictures").Lens} to
 * @param {number} ratio
 * @param {string} warn
 */
function drawWrong(g, edge, columns, extent, to, ratio, warn) {
  const cell = (2 * extent) / columns, at = (/** @type {number} */ k) => (k + 0.5) * cell - extent, line = new Path2D()
  let left = Infinity, high = -Infinity
  for (let i = 0; i < edge.length; i += 4) {
    line.moveTo(to.x(at(edge[i])), to.y(at(edge[i + 1])))
    line.lineTo(to.x(at(edge[i + 2])), to.y(at(edge[i + 3])))
    left = Math.min(left, at(edge[i]), at(edge[i + 2]))
    high = Math.max(high, at(edge[i + 1]), at(edge[i + 3]))
  }
  g.strokeStyle = g.fillStyle = warn
  g.lineWidth = 1.6 * ratio
  g.setLineDash([5 * ratio, 4 * ratio])
  g.stroke(line)
  g.setLineDash([])
  g.font = `600 ${11.5 * ratio}px ${FONT}`
  g.textAlign = "right"
  g.fillText("the critic is wrong here", to.x(left) - 7 * ratio, to.y(high) + 20 * ratio)
}

/**
 * Draws frames of the chart.
 * @param {Opening} opening
 */
export function makeCurves(opening) {
  const {shift, earned, promised} = opening, [low, high] = rangeOf([...earned, ...promised], false), [near, far] = [0, Math.max(...shift) * 1.04]

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} frame
   */
  return (canvas, frame) => {
    const ratio = canvas.width / canvas.getBoundingClientRect().width, g = penOf(canvas), root = document.documentElement
    const ink = token(root, "--wb-muted"), warn = token(root, "--wb-warn"), colour = colourOf(opening.look), surface = token(root, "--wb-surface")
    const left = 38 * ratio, right = canvas.width - 14 * ratio, top = 26 * ratio, foot = canvas.height - 36 * ratio
    const x = (/** @type {number} */ v) => left + ((right - left) * (v - near)) / (far - near)
    const y = (/** @type {number} */ v) => foot - ((foot - top) * (v - low)) / (high - low)
    g.clearRect(0, 0, canvas.width, canvas.height)
    drawScale(g, {x, y, left, right, foot, near, far, low, high}, ink, token(root, "--wb-line"), ratio)
    const here = between(shift, frame), pays = between(earned, frame), says = between(promised, frame)
    const whole = shift.length - 1
    const area = new Path2D()
    for (let i = 0; i <= frame; i++) area.lineTo(x(shift[i]), y(promised[i]))
    area.lineTo(x(here), y(says))
    area.lineTo(x(here), y(pays))
    for (let i = Math.floor(frame); i >= 0; i--) area.lineTo(x(shift[i]), y(earned[i]))
    g.fillStyle = warn
    g.globalAlpha = 0.13
    g.fill(area)
    for (const [values, hue, dash] of /** @type {[number[], string, number[]][]} */ ([[promised, warn, [6, 4]], [earned, colour, []]])) {
      g.strokeStyle = hue
      g.lineJoin = "round"
      g.setLineDash(dash.map((d) => d * ratio))
      for (const [until, alpha, wide] of [[whole, 0.35, 1.3], [frame, 1, 2.6]]) {
        const line = new Path2D()
        for (let i = 0; i <= until; i++) line.lineTo(x(shift[i]), y(values[i]))
        line.lineTo(x(between(shift, until)), y(between(values, until)))
        g.globalAlpha = alpha
        g.lineWidth = wide * ratio
        g.stroke(line)
      }
    }
    g.setLineDash([])
    drawDot(g, x(here), y(says), 5, surface, warn, ratio)
    drawDot(g, x(here), y(pays), 6.5, colour, surface, ratio)
    drawNames(g, left, 13 * ratio, [["promised by the critic", warn, [6, 4]], ["earned", colour, []]], ratio)
    if (y(pays) - y(says) > 58 * ratio) {
      const words = `wrong by ${number(says - pays)}`, room = x(here) - left > 96 * ratio
      g.fillStyle = warn
      g.font = `600 ${12 * ratio}px ${FONT}`
      g.textAlign = room ? "right" : "left"
      g.fillText(words, x(here) + (room ? -11 : 11) * ratio, (y(pays) + y(says)) / 2 + 4 * ratio)
    }
  }
}

/**
 * @param {CanvasRenderingContext2D} g
 * @param {{x: (v: number) => number, y: (v: number) => number, left: number, right: number, foot: number, near: number, far: number, low: number, high: number}} axes
 * @param {string} ink
 * @param {string} line
 * @param {number} ratio
 */
function drawScale(g, {x, y, left, right, foot, near, far, low, high}, ink, line, ratio) {
  g.font = `${11 * ratio}px ${FONT}`
  g.fillStyle = ink
  g.strokeStyle = line
  g.lineWidth = ratio
  const [ups, digits] = ticksOf(low, high), grid = new Path2D()
  g.textAlign = "right"
  for (const v of ups) {
    grid.moveTo(left, y(v))
    grid.lineTo(right, y(v))
    g.fillText(number(v, digits), left - 6 * ratio, y(v) + 4 * ratio)
  }
  g.stroke(grid)
  const [alongs, places] = ticksOf(near, far)
  g.textAlign = "center"
  for (const v of alongs) g.fillText(number(v, places), x(v), foot + 15 * ratio)
  g.fillText("shift (distance from the data's actions)", (left + right) / 2, foot + 31 * ratio)
}

/**
 * @param {CanvasRenderingContext2D} g
 * @param {number} px
 * @param {number} py
 * @param {number} r
 * @param {string} fill
 * @param {string} edge
 * @param {number} ratio
 */
function drawDot(g, px, py, r, fill, edge, ratio) {
  const dot = new Path2D()
  dot.arc(px, py, r * ratio, 0, 2 * Math.PI)
  g.fillStyle = fill
  g.strokeStyle = edge
  g.lineWidth = 2 * ratio
  g.fill(dot)
  g.stroke(dot)
}

/**
 * @param {CanvasRenderingContext2D} g
 * @param {number} px
 * @param {number} py
 * @param {[string, string, number[]][]} names
 * @param {number} ratio
 */
function drawNames(g, px, py, names, ratio) {
  g.font = `500 ${12 * ratio}px ${FONT}`
  g.textAlign = "left"
  let at = px
  for (const [name, hue, dash] of names) {
    const line = new Path2D()
    line.moveTo(at, py - 4 * ratio)
    line.lineTo(at + 24 * ratio, py - 4 * ratio)
    g.strokeStyle = g.fillStyle = hue
    g.lineWidth = 2.6 * ratio
    g.setLineDash(dash.map((d) => d * ratio))
    g.stroke(line)
    g.setLineDash([])
    g.fillText(name, at + 30 * ratio, py)
    at += 30 * ratio + g.measureText(name).width + 18 * ratio
  }
}
