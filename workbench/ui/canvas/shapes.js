// The shapes of the rules: marks of particles, glyphs beside titles.

import {colourOf, fit, penOf} from "../browser/dom.js"

/** @import {Look, Place} from "./pictures" */

/** @type {(count: number, turn: number, inner?: number) => Place[]} */
const ring = (count, turn, inner = 1) =>
  Array.from({length: count}, (_, i) => {
    const angle = turn + (2 * Math.PI * i) / count, reach = i % 2 ? inner : 1
    return [1.15 * reach * Math.cos(angle), 1.15 * reach * Math.sin(angle)]
  })

const A = 0.42 // half the width of a plus's arm
/** @type {Record<string, Place[]>} */
const POLYGONS = {
  triangle: [[0, -1.25], [1.1, 0.8], [-1.1, 0.8]],
  inverted_triangle: [[0, 1.25], [1.1, -0.8], [-1.1, -0.8]],
  diamond: [[0, -1.3], [1.05, 0], [0, 1.3], [-1.05, 0]],
  hex: ring(6, 0),
  star: ring(10, -Math.PI / 2, 0.5),
  square_pin: ring(8, Math.PI / 4, 0.5),
  plus: [[-A, -1.2], [A, -1.2], [A, -A], [1.2, -A], [1.2, A], [A, A], [A, 1.2], [-A, 1.2], [-A, A], [-1.2, A], [-1.2, -A], [-A, -A]],
}

/**
 * Add a mark of radius ``r`` to a path; a shape that is not known here is a circle.
 * @param {Path2D} path
 * @param {string} shape
 * @param {number} x
 * @param {number} y
 * @param {number} r
 */
export function addShape(path, shape, x, y, r) {
  const points = POLYGONS[shape]
  if (points) {
    for (let i = 0; i < points.length; i++) {
      const px = x + points[i][0] * r, py = y + points[i][1] * r
      if (i) path.lineTo(px, py)
      else path.moveTo(px, py)
    }
    path.closePath()
  } else if (shape === "square") path.rect(x - 0.88 * r, y - 0.88 * r, 1.76 * r, 1.76 * r)
  else {
    path.moveTo(x + r, y)
    path.arc(x, y, r, 0, 2 * Math.PI)
  }
}

/**
 * One mark in the middle of a canvas of its own.
 * @param {HTMLCanvasElement} canvas
 * @param {Look} look
 */
export function glyph(canvas, look) {
  if (!fit(canvas)) return
  const g = penOf(canvas), path = new Path2D()
  g.clearRect(0, 0, canvas.width, canvas.height)
  addShape(path, look.shape, canvas.width / 2, canvas.height / 2, canvas.width * 0.36)
  g.fillStyle = colourOf(look)
  g.fill(path)
}

/**
 * Marks with a halo, in layers: one layer would melt a crowd into a blob, one mark at a time would be slow.
 * @param {CanvasRenderingContext2D} g
 * @param {Place[]} places
 * @param {Look} look
 * @param {number} r
 * @param {number} edge
 * @param {string} ink
 * @param {number} alpha
 */
export function drawMarks(g, places, look, r, edge, ink, alpha = 1) {
  const layer = Math.ceil(places.length / 24)
  g.fillStyle = colourOf(look)
  g.strokeStyle = ink
  g.lineWidth = 2 * edge
  g.globalAlpha = alpha
  for (let first = 0; first < places.length; first += layer) {
    const path = new Path2D()
    for (const [x, y] of places.slice(first, first + layer)) addShape(path, look.shape, x, y, r)
    g.stroke(path)
    g.fill(path)
  }
  g.globalAlpha = 1
}
