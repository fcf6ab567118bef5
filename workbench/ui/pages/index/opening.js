// The opening on the index: the strength sweeps from nothing to too far, once; a hand stops it, and can move it.

import {button, element, fit, onceAFrame} from "../../browser/dom.js"
import {captionAt, frameAt, makeCurves, makePlane} from "../../canvas/opening.js"

/** @import {Opening} from "../../canvas/opening.js" */

const SEEN = "wb-opening-seen", PATIENCE = 4000 // milliseconds that a page may take to be ready
const STOPS = ["pointerdown", "touchstart", "keydown", "wheel"]
const root = /** @type {HTMLElement} */ (document.getElementById("wb-opening"))
const data = /** @type {Opening} */ (JSON.parse(document.getElementById("wb-opening-data")?.textContent ?? ""))
const drawPlane = makePlane(data), drawCurves = makeCurves(data), last = data.words.length - 1, pace = data.pace
const calm = matchMedia("(prefers-reduced-motion: reduce)")

function seenBefore() {
  try {
    const before = localStorage.getItem(SEEN) !== null
    localStorage.setItem(SEEN, "1")
    return before
  } catch {
    return false // a page without storage plays it again
  }
}

/**
 * A canvas with the words that stand for it.
 * @param {Node} parent
 * @param {string} className
 * @param {string} words
 */
function picture(parent, className, words) {
  const canvas = element("canvas", className, parent)
  canvas.setAttribute("role", "img")
  canvas.setAttribute("aria-label", words)
  return canvas
}

/** @param {HTMLCanvasElement} plane @param {HTMLCanvasElement} curves @param {number} frame */
function paint(plane, curves, frame) {
  if (fit(plane)) drawPlane(plane, frame)
  if (fit(curves)) drawCurves(curves, frame)
}

/** One still for each caption: what moves on other screens, for those who want nothing to move. */
function showStills() {
  const row = element("div", "wb-stills", root)
  const stills = data.captions.map(([name, , frame, text]) => {
    const figure = element("figure", `wb-still wb-${name}`, row)
    const plane = picture(figure, "wb-plane", `Particles at ${data.words[frame]}`)
    const curves = picture(figure, "wb-curves", `Promised and earned at ${data.words[frame]}`)
    element("figcaption", "wb-caption", figure, text)
    return {plane, curves, frame}
  })
  const draw = onceAFrame(() => {
    for (const {plane, curves, frame} of stills) paint(plane, curves, frame)
  })
  root.dataset.state = "stills"
  new ResizeObserver(draw).observe(row)
  window.addEventListener("wb-theme", draw)
  draw()
}

function showFilm() {
  const row = element("div", "wb-film-row", root)
  const plane = picture(row, "wb-plane", `Particles of ${data.title}, steered by ${data.rule_title}`)
  const curves = picture(row, "wb-curves", "What the critic promises and what is earned, against the shift")
  const caption = element("p", "wb-caption", root), bar = element("div", "wb-film-bar", root)
  const again = button(bar, "wb-again", "Play again", pressed), hand = element("input", "wb-film-hand", bar)
  const words = element("output", "wb-film-strength", bar), steer = element("a", "wb-film-link", bar, "Steer it yourself")
  const seen = seenBefore(), best = data.captions[1][2]
  let frame = seen ? best : 0, time = 0, before = 0, asked = 0, stopping = false
  Object.assign(hand, {type: "range", min: "0", max: String(last), step: "any"})
  hand.setAttribute("aria-label", `Strength: ${data.rule_title}`)
  caption.setAttribute("role", "status")

  function show() {
    const [name, , , text] = captionAt(data.captions, frame), strength = data.words[Math.round(frame)]
    paint(plane, curves, frame)
    if (caption.textContent !== text) caption.textContent = text
    caption.className = `wb-caption wb-${name}`
    hand.value = String(frame)
    hand.style.setProperty("--wb-part", `${(100 * frame) / last}%`)
    if (words.textContent !== strength) {
      words.textContent = strength
      hand.setAttribute("aria-valuetext", strength)
      steer.href = data.links[Math.round(frame)]
    }
    root.dataset.frame = frame.toFixed(3)
  }
  const draw = onceAFrame(show)

  /** @param {number} now */
  function step(now) {
    time += Math.min(0.1, (now - before) / 1000) // a tab that was hidden goes on where it was
    before = now
    frame = frameAt(pace, time)
    show()
    if (time < pace[pace.length - 1][0]) asked = requestAnimationFrame(step)
    else end("ended")
  }

  /** @param {string} state */
  function end(state) {
    cancelAnimationFrame(asked)
    for (const name of STOPS) window.removeEventListener(name, stop, true)
    root.dataset.state = state
    again.textContent = "Play again"
  }

  /** @param {Event} event */
  function stop(event) {
    stopping = event.composedPath().includes(again) // the press of the button itself, whose click comes later
    end("stopped")
  }

  function pressed() {
    if (!stopping) play()
    stopping = false
  }

  function play() {
    time = 0
    before = performance.now()
    root.dataset.state = "playing"
    again.textContent = "Stop"
    for (const name of STOPS) window.addEventListener(name, stop, {capture: true, passive: true})
    asked = requestAnimationFrame(step)
  }

  hand.addEventListener("input", () => {
    frame = Number(hand.value)
    draw()
  })
  new ResizeObserver(draw).observe(row)
  window.addEventListener("wb-theme", draw)
  show()
  root.dataset.state = seen ? "seen" : "waiting"
  if (!seen) whenReady(play)
}

/**
 * Once the page has come, which the first pictures would wait for; a touch before that means: no film.
 * @param {() => void} start
 */
function whenReady(start) {
  const page = document.documentElement
  const stop = () => go(false)
  const watch = new MutationObserver(() => {
    if (page.dataset.ready !== undefined) go(true)
  })
  const timer = setTimeout(() => go(true), PATIENCE)
  /** @param {boolean} on */
  function go(on) {
    watch.disconnect()
    clearTimeout(timer)
    for (const name of STOPS) window.removeEventListener(name, stop, true)
    if (on) requestAnimationFrame(start)
    else root.dataset.state = "stopped"
  }
  for (const name of STOPS) window.addEventListener(name, stop, {capture: true, passive: true})
  watch.observe(page, {attributes: true, attributeFilter: ["data-ready"]})
  if (page.dataset.ready !== undefined) go(true)
}

if (calm.matches) showStills()
else showFilm()
