// A landscape of values as an image with contour lines, its key, and the box of actions around which it lies.

import {penOf} from "../browser/dom.js"
import {contours, insideRange} from "./contours.js"
import {FONT, number} from "./lettering.js"

/** @import {Grid, Lens} from "./pictures" */
/** @typedef {{image: HTMLCanvasElement, lines: number[], low: number, high: number, columns: number}} Painted */

const LEVELS = 9 // contour lines

/**
 * The colour of u in [0, 1], in ``out`` from ``at`` on.
 * @param {string[]} stops
 */
export function ramp(stops) {
  const colours = stops.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)))
  /**
   * @template {number[] | Uint8ClampedArray} Out
   * @param {number} u
   * @param {Out} out
   */
  return (u, out, at = 0) => {
    const place = Math.min(Math.max(u, 0), 1) * (colours.length - 1), i = Math.min(Math.floor(place), colours.length - 2)
    const from = colours[i], to = colours[i + 1], part = place - i
    for (let k = 0; k < 3; k++) out[at + k] = from[k] + part * (to[k] - from[k])
    return out
  }
}

/**
 * A grid of values as an image, and its contour lines; colours part at zero where it shows a difference.
 * @param {Grid} grid
 * @param {number} extent
 * @param {string[]} stops
 * @returns {Painted}
 */
export function paintGrid(grid, extent, stops, difference = false) {
  const [rows, columns] = grid.shape, values = grid.data
  let [low, high] = insideRange(grid, extent)
  if (difference) {
    high = Math.max(Math.abs(low), Math.abs(high))
    low = -high
  }
  const gap = high - low || 1, colour = ramp(stops)
  const image = document.createElement("canvas")
  image.width = columns
  image.height = rows
  const g = penOf(image), pixels = g.createImageData(columns, rows)
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const at = 4 * ((rows - 1 - i) * columns + j)
      colour((values[i * columns + j] - low) / gap, pixels.data, at)
      pixels.data[at + 3] = 255
    }
  }
  g.putImageData(pixels, 0, 0)
  const levels = Array.from({length: LEVELS}, (_, k) => low + (gap * (k + 1)) / (LEVELS + 1))
  return {image, lines: high > low ? contours(grid, levels) : [], low, high, columns}
}

/**
 * @param {CanvasRenderingContext2D} g
 * @param {Painted} painted
 * @param {number} extent
 * @param {Lens} to
 * @param {string} ink
 * @param {number} ratio
 */
export function drawGrid(g, painted, extent, to, ink, ratio) {
  const cell = (2 * extent) / painted.columns
  g.imageSmoothingEnabled = true
  g.imageSmoothingQuality = "high"
  g.drawImage(painted.image, to.x(-extent), to.y(extent), 2 * extent * to.scale, 2 * extent * to.scale)
  const path = new Path2D(), lines = painted.lines, at = (/** @type {number} */ k) => (k + 0.5) * cell - extent
  for (let i = 0; i < lines.length; i += 4) {
    path.moveTo(to.x(at(lines[i])), to.y(at(lines[i + 1])))
    path.lineTo(to.x(at(lines[i + 2])), to.y(at(lines[i + 3])))
  }
  g.strokeStyle = ink
  g.globalAlpha = 0.16
  g.lineWidth = ratio
  g.stroke(path)
  g.globalAlpha = 1
}

/**
 * The key to a landscape's colours, top right: name, low value, ramp, high value.
 * @param {CanvasRenderingContext2D} g
 * @param {HTMLCanvasElement} canvas
 * @param {Painted} painted
 * @param {string[]} stops
 * @param {string} name
 * @param {number} ratio
 * @param {string} ink
 * @param {string} ground
 */
export function drawKey(g, canvas, painted, stops, name, ratio, ink, ground) {
  const low = number(painted.low), high = number(painted.high), bar = 44 * ratio, pad = 7 * ratio, tall = 19 * ratio
  g.font = `500 ${11 * ratio}px ${FONT}`
  const left = `${name} ${low}`, widths = [g.measureText(left).width, g.measureText(high).width]
  const wide = widths[0] + widths[1] + bar + 4 * pad, x = canvas.width - wide - 8 * ratio, y = 8 * ratio
  g.fillStyle = ground
  g.globalAlpha = 0.82
  g.beginPath()
  g.roundRect(x, y, wide, tall, 6 * ratio)
  g.fill()
  g.globalAlpha = 1
  const start = x + widths[0] + 2 * pad, shade = g.createLinearGradient(start, 0, start + bar, 0)
  stops.forEach((stop, i) => shade.addColorStop(i / (stops.length - 1), stop))
  g.fillStyle = shade
  g.fillRect(start, y + tall / 2 - 3.5 * ratio, bar, 7 * ratio)
  g.strokeStyle = ink
  g.globalAlpha = 0.3
  g.lineWidth = ratio
  g.strokeRect(start, y + tall / 2 - 3.5 * ratio, bar, 7 * ratio)
  g.globalAlpha = 1
  g.fillStyle = ink
  g.textAlign = "left"
  g.fillText(left, x + pad, y + 13.5 * ratio)
  g.fillText(high, start + pad + bar, y + 13.5 * ratio)
}

/**
 * The box [-1, 1] of actions and its words; on a line only its two sides.
 * @param {CanvasRenderingContext2D} g
 * @param {HTMLCanvasElement} canvas
 * @param {Lens} to
 * @param {number} ratio
 * @param {string} ink
 */
export function drawBox(g, canvas, to, ratio, ink, line = false) {
  g.strokeStyle = ink
  g.globalAlpha = 0.45
  g.setLineDash([3 * ratio, 3 * ratio])
  g.lineWidth = ratio
  if (line) {
    const edges = new Path2D()
    for (const x of [-1, 1]) {
      edges.moveTo(to.x(x), 0)
      edges.lineTo(to.x(x), canvas.height)
    }
    g.stroke(edges)
  } else g.strokeRect(to.x(-1), to.y(1), 2 * to.scale, 2 * to.scale)
  g.setLineDash([])
  g.globalAlpha = 0.8
  g.fillStyle = ink
  g.font = `${11 * ratio}px ${FONT}`
  const foot = Math.min(canvas.height - 5 * ratio, to.y(-1) + 13 * ratio), side = Math.max(3 * ratio, to.x(-1) - 17 * ratio)
  g.textAlign = "center"
  for (const value of [-1, 0, 1]) {
    g.fillText(number(value, 0), to.x(value), foot)
    if (value && !line) g.fillText(number(value, 0), side + 6 * ratio, to.y(value) + 4 * ratio)
  }
  if (canvas.width >= 230 * ratio) {
    g.fillText(line ? "action" : "action 1", to.x(0.5), foot)
    g.save()
    g.translate(side + 9 * ratio, to.y(0))
    g.rotate(-Math.PI / 2)
    g.fillText(line ? "flow time →" : "action 2", 0, 0)
    g.restore()
  }
  g.globalAlpha = 1
}
