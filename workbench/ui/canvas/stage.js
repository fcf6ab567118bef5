// The scene: stages with landscape, paths and particles, a picture of the world, flow time; all without the server.

import {button, element, fit, hearSize, hearWindow, onceAFrame, penOf, token} from "../browser/dom.js"
import {watchShadows} from "../browser/shadows.js"
import {unpack} from "./blocks.js"
import {makeStage, nameStage, tellMoment} from "./card.js"
import {valueAt} from "./contours.js"
import {makeFlowTime} from "./flow_time.js"
import {makeGround} from "./ground.js"
import {listen} from "./hand.js"
import {drawKey} from "./landscape.js"
import {lens} from "./lens.js"
import {number} from "./lettering.js"
import {makeNotice} from "./notice.js"
import {drawParticles, particleAt} from "./particles.js"
import {makePeak} from "./peak.js"
import {glyph} from "./shapes.js"
import {drawTerms} from "./terms.js"
import {makeWorld} from "./world.js"

/** @import {Stage} from "./card.js" */
/** @import {Painted} from "./landscape.js" */
/** @import {Frame, Landscape, Place, StagesModel, StageSpec, View} from "./pictures" */

/**
 * What the pointer reads.
 * @param {Place | null} place
 * @param {Landscape | null} landscape
 * @param {boolean} line
 */
export function readoutOf(place, landscape, line) {
  if (!place) return ""
  const value = landscape ? valueAt(landscape.arrays.values, landscape.header.extent, place) : NaN
  const at = line ? number(place[0]) : `(${number(place[0])}, ${number(place[1])})`
  return `a = ${at}   ${landscape?.header.name ?? "Q"} ${number(value)}`
}

/**
 * How a stage is painted, and that it is not painted again while it would look the same.
 * @param {ReturnType<typeof makeGround>} ground
 */
function makePainter(ground) {
  /** @type {WeakMap<Stage, {key: string, frame: Frame, painted: Painted | null}>} */
  const kept = new WeakMap()
  /**
   * @param {Stage} stage
   * @param {StageSpec} spec
   * @param {Frame} frame
   * @param {Landscape | null} landscape
   * @param {View} view
   * @param {number} k
   * @param {string} ink
   * @param {string} edge
   * @param {number} ratio
   */
  return (stage, spec, frame, landscape, view, k, ink, edge, ratio) => {
    const canvas = stage.canvas, painted = landscape && ground.painted("landscape", landscape), {line, selected} = frame.header
    const look = [canvas.width, canvas.height, view.x, view.y, view.half, ink, edge, line].join(), key = `${look},${k}`
    const before = kept.get(stage)
    if (before?.key === key && before.frame === frame && before.painted === painted) return
    kept.set(stage, {key, frame, painted})
    const g = penOf(canvas), to = lens(canvas, view)
    g.drawImage(ground.backdrop(look, canvas, landscape, painted, to, ink, edge, ratio, line), 0, 0)
    drawParticles(g, spec, frame.arrays, k, to, ratio, edge)
    const words = selected < 0 ? "" : drawTerms(g, spec, frame.arrays, selected, k, to, ratio, view.half, ink, edge)
    if (stage.words.textContent !== words) stage.words.textContent = words
    if (landscape && painted) drawKey(g, canvas, painted, ground.ramps(landscape), landscape.header.name, ratio, ink, edge)
  }
}

/** @param {{model: StagesModel}} component */
export function render({model}) {
  const root = element("div", "wb-scene"), showNotice = makeNotice(root, model), row = element("div", "wb-stages", root)
  const draw = onceAFrame(drawAll), follow = onceAFrame(showHand)
  const time = makeFlowTime(root, draw), ground = makeGround(model), paint = makePainter(ground), peak = makePeak(model, follow)
  const home = () => ({...model.view}), reset = button(time.bar, "wb-reset", "Reset view", () => setView(home()))
  reset.hidden = true
  let view = home() // one view for all stages: their axes are linked because they are the same object
  const world = makeWorld(row, model, draw, ground, () => view, peak.place)
  /** @type {Stage[]} */
  const stages = []
  /** @type {Place | null} */
  let pointer = null
  let unfolded = false
  /** @type {Frame | null} */
  let frame = null
  /** @type {Landscape | null} */
  let landscape = null

  function drawAll() {
    if (!frame) return
    const ink = token(root, "--wb-ink"), edge = token(root, "--wb-surface"), ratio = window.devicePixelRatio || 1, k = time.now()
    for (const [i, spec] of frame.header.stages.entries()) {
      const stage = stages[i]
      tellMoment(stage, spec, time.ended())
      if (!fit(stage.canvas)) continue
      glyph(stage.mark, spec.look)
      paint(stage, spec, frame, landscape, view, k, ink, edge, ratio)
    }
    world.draw(k, frame, ratio)
    showHand()
    time.tell()
  }

  // What follows the pointer and the dragged peak.
  function showHand() {
    if (!frame) return
    const line = frame.header.line, text = readoutOf(pointer, landscape, line)
    for (const stage of stages) {
      stage.over.pointer(pointer, stage.canvas, view)
      stage.over.peak(peak.place(), stage.canvas, view, line)
    }
    world.hand(line)
    for (const stage of stages) if (stage.readout.textContent !== text) stage.readout.textContent = text
  }

  /** @param {View} next */
  function setView(next) {
    view = next
    const {x, y, half} = home()
    reset.hidden = view.half === half && view.x === x && view.y === y
    draw()
  }

  function addStage() {
    const stage = makeStage(row), index = stages.push(stage) - 1
    stage.fold.open = unfolded
    stage.fold.addEventListener("toggle", () => {
      unfolded = stage.fold.open // of all stages, so that their numbers can be compared
      for (const one of stages) one.fold.open = unfolded
    })
    listen(stage.canvas, {
      view: () => view,
      setView,
      home,
      peak,
      line: () => Boolean(frame?.header.line),
      point: (place) => {
        pointer = place
        follow()
      },
      choose: (place) => {
        if (!frame) return
        const ratio = stage.canvas.width / stage.canvas.getBoundingClientRect().width, to = lens(stage.canvas, view)
        model.selected = particleAt(frame.header.stages[index], frame.arrays, time.now(), place, to, ratio)
      },
    })
  }

  function showColumns() {
    const count = stages.length + world.count()
    root.style.setProperty("--wb-columns", String(count))
    root.classList.toggle("wb-four", count > 3)
  }

  function showFrame() {
    const next = /** @type {Frame | null} */ (unpack(model.frame))
    if (!next) return
    frame = next
    const specs = frame.header.stages
    time.reach(Math.max(...specs.map((spec) => spec.ticks)), specs[0].flow)
    while (stages.length < specs.length) addStage()
    while (stages.length > specs.length) stages.pop()?.card.remove()
    world.last()
    showColumns()
    specs.forEach((spec, i) => nameStage(stages[i], spec, i, model.peak.length > 0))
    root.dataset.version = String(frame.header.version)
    draw()
  }

  function showWorld() {
    const shown = world.show()
    showColumns()
    if (shown) draw()
  }

  function showLandscape() {
    landscape = unpack(model.landscape)
    draw()
  }

  watchShadows() // in a notebook, and in a saved figure, no shell has done it
  model.on("frame", showFrame)
  model.on("landscape", showLandscape)
  model.on("world", showWorld)
  model.on("notice", showNotice)
  model.on("view", () => setView(home()))
  model.on("peak", follow)
  hearSize(model, root, draw)
  hearWindow(model, {"wb-theme": draw})
  model.on("remove", time.stop)
  model.dragging = false // a page that was made anew in the middle of a drag
  showLandscape()
  showWorld()
  showFrame()
  showNotice()
  time.keepLink()
  return root
}
