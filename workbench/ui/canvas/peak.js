// The reward's peak in the hand: it follows the hand at once, and the server's answers follow it.

import {atMost} from "../browser/dom.js"

/** @import {Lens, Place, StagesModel} from "./pictures" */

const REACH = 16 // pixels around the peak that grab it
const RATE = 40 // places a second that the server hears

/**
 * A place inside the box of actions, in thousandths, with as many numbers as the action has.
 * @param {readonly number[]} place
 * @param {number} dimensions
 */
export const inBox = (place, dimensions) =>
  place.slice(0, dimensions).map((value) => Math.round(1000 * Math.min(1, Math.max(-1, value))) / 1000)

/**
 * Whether a point of a canvas's box grabs the peak; on a line at any height.
 * @param {Place} peak
 * @param {Place} point From the box's corner, in pixels of the page.
 * @param {Lens} to
 * @param {number} ratio
 * @param {boolean} line
 */
export const grabs = (peak, point, to, ratio, line) =>
  Math.hypot(to.x(peak[0]) / ratio - point[0], line ? 0 : to.y(peak[1]) / ratio - point[1]) < REACH

/**
 * @param {Pick<StagesModel, "peak" | "dragging" | "fixed">} model
 * @param {() => void} moved
 */
export function makePeak(model, moved) {
  /** @type {Place | null} */
  let held = null
  const place = () => held || (model.peak.length ? /** @type {Place} */ ([model.peak[0], model.peak[1] ?? 0]) : null)
  const send = () => {
    if (held) model.peak = inBox(held, model.peak.length)
  }
  const sendSoon = atMost(RATE, send)
  return {
    /** Where it stands; null where the task has none. */
    place,
    movable: () => model.peak.length > 0 && !model.fixed,
    held: () => held !== null,
    grab() {
      held = place()
      model.dragging = true
    },
    /** @param {Place} to */
    drag(to) {
      const at = inBox(to, model.peak.length)
      held = [at[0], at[1] ?? 0]
      sendSoon()
      moved()
    },
    release() {
      if (!held) return
      send()
      held = null
      model.dragging = false
    },
    /**
     * Move it without a hand.
     * @param {Place} way
     */
    nudge(way) {
      const at = place()
      if (!at) return
      model.peak = inBox([at[0] + 0.05 * way[0], at[1] + 0.05 * way[1]], model.peak.length)
      moved()
    },
  }
}
