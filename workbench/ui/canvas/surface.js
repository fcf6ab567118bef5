// A landscape as a surface that can be turned: drag or arrow keys turn it, the wheel or + and − zoom.

import {colourOf, element, fit, hearSize, hearWindow, isDark, onceAFrame, penOf, token} from "../browser/dom.js"
import {unpack} from "./blocks.js"
import {ramp} from "./landscape.js"
import {FONT, number} from "./lettering.js"
import {addShape} from "./shapes.js"

/** @import {Block, Grid, Look, SurfaceHeader, SurfaceModel} from "./pictures" */
/** @typedef {{turn: number, tilt: number, zoom: number}} Eye */
/** @typedef {(x: number, y: number, z: number) => [number, number, number]} Projection */
/** @typedef {{face: number[]} | {mark: {x: number, y: number, look: Look}}} Piece */

/**
 * Where the eye sees a place: two numbers on the canvas, and how far away it is.
 * @param {Eye} eye
 * @param {{width: number, height: number}} canvas
 * @param {number} extent
 * @returns {Projection}
 */
export function projection({turn, tilt, zoom}, canvas, extent) {
  const size = 0.4 * zoom * Math.min(canvas.width, canvas.height), cx = canvas.width / 2, cy = 0.47 * canvas.height
  const ct = Math.cos(turn), st = Math.sin(turn), ci = Math.cos(tilt), si = Math.sin(tilt)
  return (x, y, z) => {
    const a = (x * ct - y * st) / extent, b = (x * st + y * ct) / extent
    return [cx + size * a, cy - size * (b * ci + z * si), b * si - z * ci]
  }
}

/**
 * The corners of the surface, as the eye sees them, and its faces with how far away they are.
 * @param {Grid} grid
 * @param {number} extent
 * @param {Projection} project
 * @param {(value: number) => number} lift
 */
function meshOf(grid, extent, project, lift) {
  const [rows, columns] = grid.shape, place = (/** @type {number} */ i, /** @type {number} */ n) => -extent + ((i + 0.5) * 2 * extent) / n
  /** @type {[number, number, number][]} */
  const corners = []
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) corners.push(project(place(j, columns), place(i, rows), lift(grid.data[i * columns + j])))
  }
  /** @type {[Piece, number][]} */
  const faces = []
  for (let i = 0; i + 1 < rows; i++) {
    for (let j = 0; j + 1 < columns; j++) {
      const face = [i * columns + j, i * columns + j + 1, (i + 1) * columns + j + 1, (i + 1) * columns + j]
      faces.push([{face}, face.reduce((sum, k) => sum + corners[k][2], 0) / 4])
    }
  }
  return {corners, faces}
}

/**
 * The points that lie on the surface, with how far away they are.
 * @param {Block<SurfaceHeader>} block
 * @param {Projection} project
 * @param {(value: number) => number} lift
 * @returns {[Piece, number][]}
 */
function marksOf(block, project, lift) {
  return block.header.clouds.flatMap((look, n) => {
    const points = block.arrays[`cloud${n}`].data
    /** @type {[Piece, number][]} */
    const out = []
    for (let k = 0; k < points.length; k += 3) {
      const [x, y, depth] = project(points[k], points[k + 1], lift(points[k + 2]) + 0.015)
      out.push([{mark: {x, y, look}}, depth - 0.03])
    }
    return out
  })
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Block<SurfaceHeader>} block
 * @param {Eye} eye
 * @param {string[]} stops
 * @param {string} ink
 */
function paint(canvas, block, eye, stops, ink) {
  const g = penOf(canvas), ratio = window.devicePixelRatio || 1, {header, arrays} = block, values = arrays.values.data
  const {low, extent} = header, gap = header.high - low || 1, colour = ramp(stops), project = projection(eye, canvas, extent)
  const lift = (/** @type {number} */ q) => 0.75 * (Math.min(Math.max((q - low) / gap, -0.15), 1.15) - 0.5)
  g.clearRect(0, 0, canvas.width, canvas.height)
  const {corners, faces} = meshOf(arrays.values, extent, project, lift)
  const edge = isDark() ? "#ffffff14" : "#17202c14", halo = isDark() ? "#131922" : "#ffffff"
  for (const [piece] of [...faces, ...marksOf(block, project, lift)].sort((one, other) => other[1] - one[1])) {
    const path = new Path2D()
    if ("face" in piece) {
      const face = piece.face
      face.forEach((k, n) => (n ? path.lineTo(corners[k][0], corners[k][1]) : path.moveTo(corners[k][0], corners[k][1])))
      path.closePath()
      const mean = face.reduce((sum, k) => sum + values[k], 0) / 4, slope = (values[face[2]] - values[face[0]]) / gap
      const shade = Math.min(Math.max(1 - 1.6 * slope, 0.78), 1.12)
      g.fillStyle = `rgb(${colour((mean - low) / gap, [0, 0, 0]).map((c) => Math.round(Math.min(255, c * shade))).join(",")})`
      g.strokeStyle = edge
      g.lineWidth = 0.5 * ratio
    } else {
      const {x, y, look} = piece.mark
      addShape(path, look.shape, x, y, 3.2 * ratio)
      g.fillStyle = colourOf(look)
      g.strokeStyle = halo
      g.lineWidth = 0.6 * ratio
    }
    g.fill(path)
    g.stroke(path)
  }
  g.fillStyle = ink
  g.font = `${11.5 * ratio}px ${FONT}`
  g.textAlign = "center"
  const foot = lift(low) - 0.1
  for (const [name, x, y] of /** @type {const} */ ([[header.names[0], 0, -1.15 * extent], [header.names[1], 1.15 * extent, 0]])) {
    const [px, py] = project(x, y, foot)
    g.fillText(name, px, py)
  }
}

/** @type {Record<string, [number, number, number]>} */
const KEYS = {
  ArrowLeft: [-0.12, 0, 1], ArrowRight: [0.12, 0, 1], ArrowUp: [0, 0.08, 1], ArrowDown: [0, -0.08, 1],
  "+": [0, 0, 1.15], "-": [0, 0, 1 / 1.15],
}

/**
 * The eye after it has gone round; it never looks from below.
 * @param {Eye} eye
 * @param {number} turn
 * @param {number} tilt
 * @param {number} factor
 * @returns {Eye}
 */
export const turned = (eye, turn, tilt, factor = 1) => ({
  turn: eye.turn + turn,
  tilt: Math.min(Math.max(eye.tilt + tilt, 0.15), 1.5),
  zoom: Math.min(Math.max(eye.zoom * factor, 0.5), 4),
})

/** @param {{model: SurfaceModel}} component */
export function render({model}) {
  const root = element("div", "wb-surface"), canvas = element("canvas", "", root)
  canvas.tabIndex = 0
  canvas.setAttribute("role", "img")
  let eye = {turn: -0.75, tilt: 0.95, zoom: 1}
  /** @type {[number, number] | null} */
  let held = null

  const draw = onceAFrame(() => {
    const block = /** @type {Block<SurfaceHeader> | null} */ (unpack(model.frame))
    if (!block || !fit(canvas)) return
    paint(canvas, block, eye, model.ramps[isDark() ? "dark" : "light"], token(root, "--wb-muted"))
    const {title, names, low, high} = block.header
    const words = `${title} as a surface over ${names.join(" and ")}, from ${number(low)} to ${number(high)}. Arrow keys turn it.`
    canvas.setAttribute("aria-label", words)
  })
  const change = (/** @type {number} */ turn, /** @type {number} */ tilt, factor = 1) => {
    eye = turned(eye, turn, tilt, factor)
    draw()
  }
  canvas.addEventListener("pointerdown", (event) => {
    held = [event.clientX, event.clientY]
    canvas.setPointerCapture(event.pointerId)
  })
  canvas.addEventListener("pointermove", (event) => {
    if (!held) return
    change(0.008 * (event.clientX - held[0]), 0.006 * (event.clientY - held[1]))
    held = [event.clientX, event.clientY]
  })
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { held = null })
  const onWheel = (/** @type {WheelEvent} */ event) => {
    event.preventDefault()
    change(0, 0, Math.exp(-0.0015 * event.deltaY))
  }
  canvas.addEventListener("wheel", onWheel, {passive: false})
  canvas.addEventListener("keydown", (event) => {
    const move = KEYS[event.key]
    if (!move) return
    event.preventDefault()
    change(...move)
  })
  hearSize(model, canvas, draw)
  hearWindow(model, {"wb-theme": draw})
  model.on("frame", draw)
  draw()
  return root
}
