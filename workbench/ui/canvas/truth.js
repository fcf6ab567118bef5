// The third picture of a bandit: what its actions really earn.

import {fit, penOf, token} from "../browser/dom.js"
import {makeWorldCard, showNumbers} from "./card.js"
import {drawBox, drawGrid, drawKey} from "./landscape.js"
import {lens} from "./lens.js"
import {makeOver} from "./over.js"
import {placeAt} from "./particles.js"
import {drawMarks} from "./shapes.js"

/** @import {Arrays, Block, Frame, Lens, Place, StageSpec, TruthHeader, View} from "./pictures" */
/** @import {makeGround} from "./ground.js" */

/**
 * @param {Node} parent
 * @param {ReturnType<typeof makeGround>} ground
 * @param {() => View} view
 * @param {() => Place | null} peak
 */
export function makeTruth(parent, ground, view, peak) {
  const made = makeWorldCard(parent, "truth"), over = makeOver(made.frame), canvas = made.canvas
  /** @type {Block<TruthHeader> | null} */
  let block = null
  return {
    card: made.card,
    /** @param {Block<TruthHeader>} next */
    show(next) {
      block = next
      made.title.textContent = block.header.title
      made.subtitle.textContent = block.header.subtitle
      canvas.setAttribute("role", "img")
      canvas.setAttribute("aria-label", `${block.header.title}: ${block.header.subtitle}, with the chosen actions on it`)
      showNumbers(made.numbers, block.header.numbers)
    },
    /**
     * @param {number} k
     * @param {Frame} frame
     * @param {number} ratio
     */
    draw(k, frame, ratio) {
      if (!block || !fit(canvas)) return
      const g = penOf(canvas), to = lens(canvas, view()), ink = token(made.card, "--wb-ink"), edge = token(made.card, "--wb-surface")
      g.fillStyle = edge
      g.fillRect(0, 0, canvas.width, canvas.height)
      const painted = ground.painted("truth", block)
      drawGrid(g, painted, block.header.extent, to, ink, ratio)
      drawBox(g, canvas, to, ratio, ink, frame.header.line)
      for (const spec of frame.header.stages) drawChosen(g, spec, frame.arrays, k, to, ratio, edge)
      drawKey(g, canvas, painted, ground.ramps(block), "reward", ratio, ink, edge)
    },
    /** @param {boolean} line */
    hand(line) {
      over.peak(peak(), canvas, view(), line)
    },
    leave() {},
  }
}

/**
 * @param {CanvasRenderingContext2D} g
 * @param {StageSpec} spec
 * @param {Arrays} arrays
 * @param {number} k
 * @param {Lens} to
 * @param {number} ratio
 * @param {string} edge
 */
function drawChosen(g, spec, arrays, k, to, ratio, edge) {
  const picked = arrays[`picked${spec.index}`].data, positions = arrays[`positions${spec.index}`]
  /** @type {Place[]} */
  const places = []
  for (let p = 0; p < spec.count; p++) {
    if (!picked[p]) continue
    const [x, y] = placeAt(spec, positions, p, k)
    places.push([to.x(x), to.y(y)])
  }
  drawMarks(g, places, spec.look, 2.8 * ratio, 0.8 * ratio, edge, spec.index ? 1 : 0.6)
}
