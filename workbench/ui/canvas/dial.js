// The budget dial: a strength moved by hand, and where it then stands between what is promised and what is earned.
// The dot moves here, without the server; the particles follow.

import {atMost, button, element, fit, hearSize, hearWindow, onceAFrame, token} from "../browser/dom.js"
import {unpack} from "./blocks.js"
import {nearestStop, standOf} from "./curve.js"
import {drawDial, linesOf} from "./dial_picture.js"
import {number} from "./lettering.js"
import {glyph} from "./shapes.js"

/** @import {Stand} from "./curve.js" */
/** @import {Framed, Line} from "./dial_picture.js" */
/** @import {CurveBlock, DialModel, DialScale} from "./pictures" */
/** @typedef {{row: HTMLElement, mark: HTMLCanvasElement, label: HTMLLabelElement, input: HTMLInputElement, value: HTMLElement}} Row */

const EXACT = 0.005 // a smaller gap reads 0.00
const SENT = 30 // positions a second, at most

/**
 * What a stand says in one sentence or two.
 * @param {DialScale} scale
 * @param {number} place
 * @param {Stand | null} stand
 * @param {boolean} measured
 * @param {string} best What the best strength earns, in words; empty where that is not known.
 */
export function sentenceOf(scale, place, stand, measured, best = "") {
  const head = `${scale.title} at ${scale.word} ${scale.short[place]}`
  if (!stand) return `${head}: being computed…`
  if (stand.beyond) return `${head} lies beyond what was measured.`
  if (!measured || !Number.isFinite(stand.earned)) return `${head}: the critic promises ${number(stand.promised)} at shift ${number(stand.shift)}; what that earns is not measured.`
  return `${head} earns ${number(stand.earned)} at shift ${number(stand.shift)}; the critic promises ${number(stand.promised)}. ${wrongBy(stand) || "It is right, as far as can be told."}${best && !best.startsWith(`${number(stand.earned)} `) ? ` Best: ${best}.` : ""}`
}

/**
 * By how much the critic is wrong, in words; "" where it is right within the interval.
 * @param {Stand} stand
 */
export function wrongBy(stand) {
  const gap = stand.promised - stand.earned
  return Math.abs(gap) > Math.max(stand.error || 0, EXACT) ? `The critic is wrong by ${number(gap)}.` : ""
}

/**
 * What the best strength of a line earns, in words.
 * @param {Line | null} line
 */
export const bestOf = (line) => (line && line.best >= 0 ? `${number(line.curve.earned[line.best])} at ${line.bestWords}` : "")

/** @param {{model: DialModel}} component */
export function render({model}) {
  const root = element("div", "wb-dial"), head = element("header", "", root)
  element("h3", "", head, "Budget dial")
  const sentence = element("p", "wb-dial-sentence", head), canvas = element("canvas", "", root), rows = element("div", "wb-dial-rows", root)
  const foot = element("div", "wb-dial-foot", root), source = button(foot, "wb-dial-source", ""), words = element("span", "", foot)
  const measure = button(foot, "wb-dial-measure", "", () => model.send_msg({press: "measure"}))
  canvas.setAttribute("role", "img")
  /** @type {Row[]} */
  const made = []
  /** @type {CurveBlock | null} */
  let block = null
  /** @type {(Line | null)[]} */
  let lines = []
  /** @type {Framed | null} */
  let axes = null
  let places = [...model.places], active = 0, held = false

  const stands = () => model.scales.map((scale, i) => (lines[i] ? standOf(lines[i].curve, scale.stops[places[i]]) : null))

  const send = atMost(SENT, () => {
    model.places = [...places]
  })

  /** @param {number} line @param {number} place */
  function move(line, place) {
    active = line
    if (places[line] === place) return
    places[line] = place
    tell()
    send()
  }

  /** @param {boolean} on */
  function hold(on) {
    if (held === on) return
    held = on
    if (!on) model.places = [...places]
    model.dragging = on
  }

  const draw = onceAFrame(() => {
    for (const [i, {mark}] of made.entries()) glyph(mark, model.scales[i].look)
    if (!fit(canvas)) return
    const there = stands(), stand = there[active], ratio = window.devicePixelRatio || 1
    const say = {fresh: model.fresh, across: model.across, up: model.up, words: stand && lines[active]?.measured && !stand.beyond ? wrongBy(stand).slice(0, -1) : ""}
    const inks = {ink: token(root, "--wb-ink"), muted: token(root, "--wb-muted"), rule: token(root, "--wb-line"), surface: token(root, "--wb-surface"), warn: token(root, "--wb-warn")}
    axes = drawDial(canvas, lines, there, active, say, inks, ratio)
  })

  // Everything that is said of where the strengths stand.
  function tell() {
    const there = stands(), all = model.scales.map((scale, i) => sentenceOf(scale, places[i], there[i], lines[i]?.measured ?? false, bestOf(lines[i])))
    for (const [i, {input, value}] of made.entries()) {
      const scale = model.scales[i]
      input.value = String(places[i])
      input.style.setProperty("--wb-part", `${(100 * places[i]) / Math.max(1, scale.stops.length - 1)}%`)
      input.setAttribute("aria-valuetext", `${scale.words[places[i]]}. ${all[i]}`)
      value.textContent = scale.words[places[i]]
    }
    sentence.textContent = all[active] ?? ""
    canvas.setAttribute("aria-label", `Promised and earned against shift. ${all.join(" ")}`)
    draw()
  }

  function addRow() {
    const line = made.length, row = element("div", "wb-dial-row", rows), mark = element("canvas", "wb-glyph", row)
    const label = element("label", "", row), input = element("input", "wb-scrub", row), value = element("span", "wb-dial-value", row)
    mark.setAttribute("aria-hidden", "true")
    input.type = "range"
    label.htmlFor = input.id = `wb-dial-${line}`
    input.addEventListener("input", () => move(line, Number(input.value)))
    input.addEventListener("pointerdown", () => hold(true))
    for (const end of ["pointerup", "pointercancel", "change"]) input.addEventListener(end, () => hold(false))
    made.push({row, mark, label, input, value})
  }

  function showScales() {
    while (made.length < model.scales.length) addRow()
    while (made.length > model.scales.length) made.pop()?.row.remove()
    places = [...model.places]
    active = Math.min(active, model.scales.length - 1)
    for (const [i, {label, input}] of made.entries()) {
      label.textContent = `${model.scales[i].title}: ${model.scales[i].axis}`
      input.max = String(model.scales[i].stops.length - 1)
    }
    showCurves()
  }

  function showCurves() {
    block = unpack(model.curves)
    lines = linesOf(block, model.scales)
    root.dataset.curves = String(lines.filter(Boolean).length)
    tell()
  }

  function showPlaces() {
    if (held || model.places.length !== model.scales.length) return
    const moved = model.places.findIndex((place, i) => place !== places[i])
    if (moved < 0) return
    active = moved
    places = [...model.places]
    tell()
  }

  function showWords() {
    const told = block?.header.lines ?? []
    source.textContent = [...new Set(told.map(({note}) => note))].join(" · ")
    source.hidden = !source.textContent // a button without words would have no name
    source.dataset.tip = [...new Set(told.map(({where}) => where))].join("\n")
    source.setAttribute("aria-description", source.dataset.tip)
    words.textContent = model.words
    Object.assign(measure, {textContent: model.button, hidden: !model.button})
    root.classList.toggle("wb-stale", !model.fresh)
    draw()
  }

  /** @param {PointerEvent} event */
  function follow(event) {
    if (!held || !axes) return
    const box = canvas.getBoundingClientRect(), ratio = canvas.width / box.width
    const px = (event.clientX - box.left) * ratio, py = (event.clientY - box.top) * ratio, {x, y} = axes
    const far = (/** @type {Stand} */ stand) => {
      const heights = [stand.promised, stand.earned].filter(Number.isFinite).map((v) => Math.abs(y(v) - py))
      return Math.hypot(x(stand.shift) - px, 0.15 * Math.min(...heights))
    }
    const line = lines[active]
    if (line) move(active, nearestStop(line.curve, model.scales[active].stops, far))
  }
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button || !axes) return
    canvas.setPointerCapture(event.pointerId)
    hold(true)
    follow(event)
  })
  canvas.addEventListener("pointermove", follow)
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => hold(false))

  model.on("scales", showScales)
  model.on("curves", () => {
    showCurves()
    showWords()
  })
  model.on("places", showPlaces)
  model.on(["fresh", "words", "button"], showWords)
  hearSize(model, root, draw)
  hearWindow(model, {"wb-theme": draw})
  model.dragging = false
  showScales()
  showWords()
  return root
}
