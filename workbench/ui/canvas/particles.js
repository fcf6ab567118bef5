// The particles of a stage: where each is at a moment, which one lies under the pointer, and how they are drawn.

import {colourOf} from "../browser/dom.js"
import {addShape, drawMarks} from "./shapes.js"

/** @import {Arrays, Grid, Lens, Place, StageSpec} from "./pictures" */

const REACH = 14 // pixels around a particle that hit it
const CROWD = 300 // particles that are drawn smaller and fainter

/**
 * Position of particle p at tick time k (a fraction moves along the straight step, which is where Euler's method is).
 * @param {{ticks: number, count: number}} stage
 * @param {Grid} positions
 * @param {number} p
 * @param {number} k
 * @returns {[number, number]}
 */
export function placeAt(stage, positions, p, k) {
  const last = stage.ticks, at = Math.min(k, last), i = Math.min(Math.floor(at), last), j = Math.min(i + 1, last), u = at - i
  const a = 2 * (i * stage.count + p), b = 2 * (j * stage.count + p), d = positions.data
  return [d[a] + u * (d[b] - d[a]), d[a + 1] + u * (d[b + 1] - d[a + 1])]
}

/**
 * The nearest particle of a stage to a place; -1 when none is within reach.
 * @param {StageSpec} spec
 * @param {Arrays} arrays
 * @param {number} k
 * @param {Place} place
 * @param {Lens} to
 * @param {number} ratio
 */
export function particleAt(spec, arrays, k, place, to, ratio) {
  let best = -1, least = REACH * ratio
  for (let p = 0; p < spec.count; p++) {
    const [x, y] = placeAt(spec, arrays[`positions${spec.index}`], p, k)
    const far = Math.hypot(to.x(x) - to.x(place[0]), to.y(y) - to.y(place[1]))
    if (far < least) {
      best = p
      least = far
    }
  }
  return best
}

/**
 * Paths up to tick time k, and the particles there: the picked ones with a halo.
 * @param {CanvasRenderingContext2D} g
 * @param {StageSpec} stage
 * @param {Arrays} arrays
 * @param {number} k
 * @param {Lens} to
 * @param {number} ratio
 * @param {string} ink
 */
export function drawParticles(g, stage, arrays, k, to, ratio, ink) {
  const positions = arrays[`positions${stage.index}`], picked = arrays[`picked${stage.index}`].data, n = stage.count
  g.strokeStyle = colourOf(stage.look)
  drawPaths(g, stage, positions, picked, k, to, ratio)
  const rest = new Path2D(), r = (n > CROWD ? 2.7 : 3.3) * ratio
  /** @type {Place[]} */
  const chosen = []
  for (let p = 0; p < n; p++) {
    const [x, y] = placeAt(stage, positions, p, k)
    if (picked[p]) chosen.push([to.x(x), to.y(y)])
    else addShape(rest, stage.look.shape, to.x(x), to.y(y), 0.8 * r)
  }
  g.fillStyle = colourOf(stage.look)
  g.globalAlpha = 0.35
  g.fill(rest)
  drawMarks(g, chosen, stage.look, r * (stage.single ? 1 : 1.35), 0.9 * ratio, ink)
}

/**
 * Where the particles came from: faint while they flow, stronger while they are transported.
 * @param {CanvasRenderingContext2D} g
 * @param {StageSpec} stage
 * @param {Grid} positions
 * @param {Float32Array} picked
 * @param {number} k
 * @param {Lens} to
 * @param {number} ratio
 */
function drawPaths(g, stage, positions, picked, k, to, ratio) {
  const d = positions.data, n = stage.count, last = Math.min(k, stage.ticks), whole = Math.floor(last)
  const flow = new Path2D(), after = new Path2D()
  for (let p = 0; p < n; p++) {
    if (!stage.single && !picked[p] && n > 256 && p % 2) continue
    let path = flow
    path.moveTo(to.x(d[2 * p]), to.y(d[2 * p + 1]))
    for (let i = 1; i <= whole; i++) {
      const at = 2 * (i * n + p)
      if (i === stage.flow + 1) {
        path = after
        path.moveTo(to.x(d[at - 2 * n]), to.y(d[at - 2 * n + 1]))
      }
      path.lineTo(to.x(d[at]), to.y(d[at + 1]))
    }
    const [x, y] = placeAt(stage, positions, p, k)
    if (last > stage.flow && whole === stage.flow) {
      path = after
      const at = 2 * (stage.flow * n + p)
      path.moveTo(to.x(d[at]), to.y(d[at + 1]))
    }
    path.lineTo(to.x(x), to.y(y))
  }
  g.lineJoin = "round"
  g.lineWidth = 0.9 * ratio
  g.globalAlpha = n > CROWD ? 0.16 : 0.26
  g.stroke(flow)
  g.lineWidth = ratio // above one pixel a canvas without a GPU strokes ten times slower
  g.globalAlpha = 0.55
  g.stroke(after)
  g.globalAlpha = 1
}
