// The hand on a stage: pan, zoom, drag the peak, point, choose a particle.

import {wayOf} from "../browser/dom.js"
import {dragged, lens, placeOf, zoomed} from "./lens.js"
import {grabs} from "./peak.js"

/** @import {makePeak} from "./peak.js" */
/** @import {Place, View} from "./pictures" */

const STILL = 4 // pixels: who moves less has clicked

/**
 * Listen to the pointer and the arrow keys on one canvas.
 * @param {HTMLCanvasElement} canvas
 * @param {object} scene
 * @param {() => View} scene.view
 * @param {(view: View) => void} scene.setView
 * @param {() => View} scene.home
 * @param {() => boolean} scene.line
 * @param {ReturnType<typeof makePeak>} scene.peak
 * @param {(place: Place | null) => void} scene.point
 * @param {(place: Place) => void} scene.choose
 */
export function listen(canvas, {view, setView, home, line, peak, point, choose}) {
  /** @type {Place | null} the place of the plane that is held */
  let grip = null
  /** @type {Place | null} where the button went down */
  let from = null

  const onPeak = (/** @type {{clientX: number, clientY: number}} */ event) => {
    const at = peak.place()
    if (!at || !peak.movable()) return false
    const box = canvas.getBoundingClientRect(), ratio = canvas.width / box.width
    return grabs(at, [event.clientX - box.left, event.clientY - box.top], lens(canvas, view()), ratio, line())
  }
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return
    from = [event.clientX, event.clientY]
    if (onPeak(event)) peak.grab()
    else if (event.pointerType === "touch") return
    grip = placeOf(event, canvas, view())
    canvas.setPointerCapture(event.pointerId)
  })
  const onTouch = (/** @type {TouchEvent} */ event) => {
    if (event.touches.length === 1 && onPeak(event.touches[0])) event.preventDefault()
  }
  canvas.addEventListener("touchstart", onTouch, {passive: false})
  canvas.addEventListener("pointermove", (event) => {
    const at = placeOf(event, canvas, view())
    if (peak.held()) {
      point(null)
      return peak.drag(at)
    }
    if (grip) setView(dragged(view(), grip, at))
    canvas.style.cursor = onPeak(event) ? "grab" : ""
    point(at)
  })
  const letGo = () => {
    grip = from = null
    peak.release()
  }
  canvas.addEventListener("pointerup", (event) => {
    const still = from && Math.hypot(event.clientX - from[0], event.clientY - from[1]) < STILL
    if (still && !peak.held()) choose(placeOf(event, canvas, view()))
    letGo()
  })
  canvas.addEventListener("pointercancel", letGo)
  canvas.addEventListener("pointerleave", () => point(null))
  canvas.addEventListener("keydown", (event) => {
    const way = wayOf(event.key)
    if (!way || !peak.movable()) return
    event.preventDefault()
    peak.nudge(way)
  })
  const onWheel = (/** @type {WheelEvent} */ event) => {
    event.preventDefault()
    setView(zoomed(view(), placeOf(event, canvas, view()), event.deltaY))
  }
  canvas.addEventListener("wheel", onWheel, {passive: false})
  canvas.addEventListener("dblclick", () => setView(home()))
}
