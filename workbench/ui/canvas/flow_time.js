// The bar of flow time: play, scrub, the clock. The moment that is shown lives here.

import {button, element, motionReduced} from "../browser/dom.js"
import {number} from "./lettering.js"

const END = 1e-6 // ticks: so close to the end is the end
const WHOLE_MS = 5000 // from noise to actions, at the usual speed
const SPEEDS = /** @type {const} */ ([[0.25, "¼×"], [0.5, "½×"], [1, "1×"], [2, "2×"]])
const MOMENTS = 5 // that are shown one after the other where motion is to be reduced
const MOMENT_MS = 1000

/**
 * The clock's words.
 * @param {number} k
 * @param {number} flow Ticks of flow.
 * @param {number} last Ticks of the longest stage.
 */
export const clockWords = (k, flow, last) =>
  k <= flow + 1e-9 ? `t = ${number(k / flow)}` : `t = 1, step ${Math.ceil(k - flow - 1e-9)} of ${last - flow}`

/**
 * The next whole tick in a direction: 1 or 5 ticks on or back.
 * @param {number} k
 * @param {number} jump
 */
export const stepped = (k, jump) => (jump > 0 ? Math.floor(k + END) + jump : Math.ceil(k - END) + jump)

/**
 * The moments that are shown instead of a movement, and the milliseconds between two of them.
 * @param {number} from
 * @param {number} last
 * @param {number} speed
 */
export function momentsOf(from, last, speed) {
  const at = Array.from({length: MOMENTS}, (_, i) => (last * i) / (MOMENTS - 1)).filter((k) => k > from + END || k === from)
  return {at, wait: MOMENT_MS / speed}
}

/** @type {Record<string, number>} */
const JUMPS = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 5, PageDown: -5}

/**
 * @param {HTMLElement} root
 * @param {() => void} redraw
 */
export function makeFlowTime(root, redraw) {
  const bar = element("div", "wb-transport", root), play = button(bar, "wb-play", "", () => setPlaying(!playing))
  element("span", "wb-bar-label", bar, "Flow time")
  const speed = element("select", "wb-speed", bar), scrub = element("input", "wb-scrub", bar), clock = element("output", "wb-clock", bar)
  bar.hidden = true
  play.setAttribute("aria-label", "Play flow time")
  Object.assign(scrub, {type: "range", min: 0, step: "any"})
  scrub.setAttribute("aria-label", "Flow time")
  for (const [times, word] of SPEEDS) Object.assign(element("option", "", speed, word), {value: times, selected: times === 1})
  speed.setAttribute("aria-label", "Speed of play")
  let last = 1, flow = 1, playing = false
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  /** @type {number | null} null: the end, wherever it will be */
  let tick = asked()

  const now = () => (tick === null ? last : Math.min(tick, last))

  // Flow time stands in the address bar too; the header writes it (shell/address.js).
  function keepLink() {
    window.dispatchEvent(new CustomEvent("wb-local", {detail: {tick: tick === null ? null : tick.toFixed(1)}}))
  }

  /** @param {number} to */
  function seek(to) {
    tick = to >= last - END ? null : Math.max(0, to)
    redraw()
    keepLink()
  }

  /** @param {boolean} on */
  function setPlaying(on) {
    playing = on
    play.classList.toggle("on", on)
    play.setAttribute("aria-label", on ? "Pause" : "Play flow time")
    clearTimeout(timer)
    if (!on) return
    if (now() >= last - END) tick = 0
    if (motionReduced()) return playMoments()
    let before = performance.now()
    const step = (/** @type {number} */ time) => {
      if (!playing) return
      seek(now() + ((time - before) * last * Number(speed.value)) / WHOLE_MS)
      before = time
      if (tick === null) setPlaying(false)
      else requestAnimationFrame(step)
    }
    requestAnimationFrame(step)
  }

  // Nothing glides: some moments, each long enough to be looked at.
  function playMoments() {
    const {at, wait} = momentsOf(now(), last, Number(speed.value))
    let next = 0
    const step = () => {
      if (!playing) return
      seek(at[next++])
      if (next < at.length) timer = setTimeout(step, wait)
      else setPlaying(false)
    }
    step()
  }

  scrub.addEventListener("input", () => {
    setPlaying(false)
    seek(Number(scrub.value))
  })
  scrub.addEventListener("keydown", (event) => {
    const jump = JUMPS[event.key]
    if (!jump) return
    event.preventDefault()
    setPlaying(false)
    seek(stepped(now(), jump))
  })

  return {
    bar,
    now,
    keepLink,
    /** Whether the last moment is shown. */
    ended: () => tick === null || now() >= last - END,
    /**
     * Another picture: how many ticks its longest stage has, and how many of them are flow.
     * @param {number} ticks
     * @param {number} flowing
     */
    reach(ticks, flowing) {
      last = ticks
      flow = flowing
      bar.hidden = false
    },
    /** Say the moment that is shown, here and to the charts. */
    tell() {
      const k = now(), text = clockWords(k, flow, last)
      clock.textContent = text
      scrub.max = String(last)
      scrub.value = String(k)
      scrub.style.setProperty("--wb-part", `${(100 * k) / last}%`)
      scrub.setAttribute("aria-valuetext", text)
      window.dispatchEvent(new CustomEvent("wb-tick", {detail: {tick: k}}))
    },
    stop() {
      playing = false
      clearTimeout(timer)
    },
  }
}

// The moment that the link asks for.
function asked() {
  const text = new URLSearchParams(location.search).get("tick")
  return text !== null && Number.isFinite(Number(text)) ? Math.max(0, Number(text)) : null
}
