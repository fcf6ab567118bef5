// From the plane of actions to a canvas and back, and how a view is moved and zoomed.

/** @import {Lens, Place, View} from "./pictures" */

const CLOSEST = 0.1, WIDEST = 3.2 // half widths of a view

/**
 * Maps a square view of the plane to a canvas; the plane's second axis points upwards.
 * @param {{width: number, height: number}} canvas
 * @param {View} view
 * @returns {Lens}
 */
export function lens(canvas, view) {
  const scale = canvas.width / (2 * view.half)
  return {
    scale,
    x: (a) => (a - view.x) * scale + canvas.width / 2,
    y: (a) => canvas.height / 2 - (a - view.y) * scale,
    back: (px, py) => [(px - canvas.width / 2) / scale + view.x, view.y - (py - canvas.height / 2) / scale],
  }
}

/**
 * The place of the plane that a pointer points at.
 * @param {{clientX: number, clientY: number}} event
 * @param {HTMLCanvasElement} canvas
 * @param {View} view
 */
export function placeOf(event, canvas, view) {
  const box = canvas.getBoundingClientRect(), ratio = canvas.width / box.width
  return lens(canvas, view).back((event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio)
}

/**
 * The view that shows at a place what it showed at another: the plane was dragged from ``from`` to ``to``.
 * @param {View} view
 * @param {Place} from
 * @param {Place} to
 * @returns {View}
 */
export const dragged = (view, from, to) => ({...view, x: view.x + from[0] - to[0], y: view.y + from[1] - to[1]})

/**
 * The view after a turn of the wheel, with ``at`` where it was.
 * @param {View} view
 * @param {Place} at
 * @param {number} turn
 * @returns {View}
 */
export function zoomed(view, at, turn) {
  const factor = Math.exp(Math.max(-1, Math.min(1, turn / 300)))
  const half = Math.min(WIDEST, Math.max(CLOSEST, view.half * factor)), keep = half / view.half
  return {half, x: at[0] + (view.x - at[0]) * keep, y: at[1] + (view.y - at[1]) * keep}
}
