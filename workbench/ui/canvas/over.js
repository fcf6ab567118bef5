// What follows the hand over a canvas: the pointer's cross and the sign of the reward's peak, which can be dragged.
// They are elements that are only moved, so that nothing below them is painted again.

import {element, vector} from "../browser/dom.js"
import {lens} from "./lens.js"

/** @import {Place, View} from "./pictures" */
/** @typedef {ReturnType<typeof makeOver>} Over */

const PEAK_SIGN = "M8 0A8 8 0 1 1-8 0A8 8 0 1 1 8 0M4.4 0H12.8M-4.4 0H-12.8M0 4.4V12.8M0-4.4V-12.8"

/** @param {Node} parent */
export function makeOver(parent) {
  const over = element("div", "wb-over", parent)
  const upright = element("div", "wb-cross", over), flat = element("div", "wb-cross wb-flat", over)
  const sign = element("div", "wb-peak", over), svg = vector("svg", {viewBox: "-16 -16 32 32", width: 32, height: 32}, sign)
  vector("path", {class: "wb-halo", d: PEAK_SIGN}, svg)
  vector("path", {d: PEAK_SIGN}, svg)
  for (const one of [upright, flat, sign]) one.hidden = true
  const to = (/** @type {HTMLCanvasElement} */ canvas, /** @type {View} */ view) =>
    lens({width: canvas.clientWidth, height: canvas.clientHeight}, view)
  return {
    /**
     * Show the peak at a place, or hide it; on a line it stands on a stem.
     * @param {Place | null} place
     * @param {HTMLCanvasElement} canvas
     * @param {View} view
     * @param {boolean} line
     */
    peak(place, canvas, view, line) {
      sign.hidden = !place
      if (!place) return
      const at = to(canvas, view)
      sign.classList.toggle("wb-stem", line)
      sign.style.setProperty("--wb-stem", `${canvas.clientHeight - 81}px`)
      sign.style.transform = `translate(${at.x(place[0])}px, ${line ? canvas.clientHeight - 34 : at.y(place[1])}px)`
    },
    /**
     * Show the cross at a place, or hide it.
     * @param {Place | null} place
     * @param {HTMLCanvasElement} canvas
     * @param {View} view
     */
    pointer(place, canvas, view) {
      upright.hidden = flat.hidden = !place
      if (!place) return
      const at = to(canvas, view)
      upright.style.transform = `translateX(${at.x(place[0])}px)`
      flat.style.transform = `translateY(${at.y(place[1])}px)`
    },
  }
}
