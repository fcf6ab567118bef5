// The arrows of one chosen particle: the terms of its movement.

import {colourOf} from "../browser/dom.js"
import {FONT, number} from "./lettering.js"
import {placeAt} from "./particles.js"

/** @import {Arrays, Lens, StageSpec} from "./pictures" */
/** @typedef {{light: string, dark: string, dash: number[]}} TermLook */

/** @type {Record<string, TermLook>} */
const TERM_LOOKS = {
  velocity: {light: "#17202c", dark: "#e8edf3", dash: []},
  guidance: {light: "#b0125b", dark: "#ff7ab0", dash: []},
  attraction: {light: "#b0125b", dark: "#ff7ab0", dash: []},
  repulsion: {light: "#5e3c99", dark: "#b9a3ff", dash: [4, 3]},
}
const SPARE_TERM = {light: "#7a5a00", dark: "#ffd24d", dash: [2, 3]}
const LONGEST = 0.42 // of half the view: the longest arrow of the trace

/**
 * The step that is under way at tick time k; at the end the last one.
 * @param {number} k
 * @param {number} ticks
 */
export const stepAt = (k, ticks) => Math.min(Math.floor(Math.min(k, ticks) + 1e-6), ticks - 1)

/**
 * Arrows of the chosen particle at tick k: during tick i the particle moves by the sum of its terms (of the rule's own
 * units); the longest of the whole way sets their scale.
 * @param {CanvasRenderingContext2D} g
 * @param {StageSpec} spec
 * @param {Arrays} arrays
 * @param {number} selected
 * @param {number} k
 * @param {Lens} to
 * @param {number} ratio
 * @param {number} half
 * @param {string} ink
 * @param {string} ground
 * @returns {string} The lengths in words.
 */
export function drawTerms(g, spec, arrays, selected, k, to, ratio, half, ink, ground) {
  if (selected >= spec.count) return ""
  const [x, y] = placeAt(spec, arrays[`positions${spec.index}`], selected, k), ring = new Path2D()
  ring.arc(to.x(x), to.y(y), 7 * ratio, 0, 2 * Math.PI)
  for (const [width, colour] of /** @type {const} */ ([[4.5, ground], [2, ink]])) {
    g.lineWidth = width * ratio
    g.strokeStyle = colour
    g.stroke(ring)
  }
  const block = arrays[`terms${spec.index}`]
  if (!block || !spec.terms.length) return ""
  const count = spec.terms.length, tick = stepAt(k, spec.ticks)
  let longest = 1e-9
  for (let i = 0; i < block.data.length; i += 2) longest = Math.max(longest, Math.hypot(block.data[i], block.data[i + 1]))
  const scale = (LONGEST * half) / longest
  /** @type {string[]} */
  const words = []
  spec.terms.forEach((name, n) => {
    const at = 2 * (tick * count + n), dx = block.data[at], dy = block.data[at + 1], size = Math.hypot(dx, dy)
    if (!(size > 0)) return
    words.push(`${name} ${size < 0.001 ? "below 0.001" : number(size, size < 0.1 ? 3 : 2)}`)
    drawArrow(g, to.x(x), to.y(y), to.x(x + scale * dx), to.y(y + scale * dy), TERM_LOOKS[name] || SPARE_TERM, name, ratio, ground)
  })
  return words.length ? `step ${tick + 1}: ${words.join(", ")}` : ""
}

/**
 * @param {CanvasRenderingContext2D} g
 * @param {number} x
 * @param {number} y
 * @param {number} tx
 * @param {number} ty
 * @param {TermLook} look
 * @param {string} name
 * @param {number} ratio
 * @param {string} ground
 */
function drawArrow(g, x, y, tx, ty, look, name, ratio, ground) {
  const far = Math.hypot(tx - x, ty - y)
  if (far < 3 * ratio) return
  const ux = (tx - x) / far, uy = (ty - y) / far, head = 7 * ratio, shaft = new Path2D(), tip = new Path2D()
  shaft.moveTo(x, y)
  shaft.lineTo(tx - ux * head * 0.7, ty - uy * head * 0.7)
  tip.moveTo(tx, ty)
  tip.lineTo(tx - ux * head - uy * head * 0.5, ty - uy * head + ux * head * 0.5)
  tip.lineTo(tx - ux * head + uy * head * 0.5, ty - uy * head - ux * head * 0.5)
  tip.closePath()
  g.strokeStyle = ground
  g.lineWidth = 5 * ratio
  g.stroke(shaft)
  g.lineWidth = 3 * ratio
  g.stroke(tip)
  g.strokeStyle = g.fillStyle = colourOf(look)
  g.setLineDash(look.dash.map((d) => d * ratio))
  g.lineWidth = 2.4 * ratio
  g.stroke(shaft)
  g.setLineDash([])
  g.fill(tip)
  g.font = `600 ${11 * ratio}px ${FONT}`
  g.textAlign = ux < -0.2 ? "right" : ux > 0.2 ? "left" : "center"
  const lx = tx + ux * 5 * ratio, ly = ty + uy * 9 * ratio + 4 * ratio
  g.strokeStyle = ground
  g.lineWidth = 3 * ratio
  g.strokeText(name, lx, ly)
  g.fillText(name, lx, ly)
}
