// What lies behind the particles, painted once and kept until the values, the view, the size or the theme changes.

import {isDark, penOf} from "../browser/dom.js"
import {drawBox, drawGrid, paintGrid} from "./landscape.js"

/** @import {Landscape, LandscapeHeader, Block, Lens, StagesModel, TruthHeader} from "./pictures" */
/** @import {Painted} from "./landscape.js" */
/** @typedef {Block<LandscapeHeader> | Block<TruthHeader>} Valued */

/** @param {StagesModel} model */
export function makeGround(model) {
  /** @type {Map<string, {block: Valued, dark: boolean, made: Painted}>} */
  const painted = new Map()
  /** @type {{key: string, ground: Painted | null, image: HTMLCanvasElement} | null} */
  let back = null

  /** @param {Valued} block */
  function ramps(block) {
    const ours = "difference" in block.header && block.header.difference ? model.differences : model.ramps
    return ours[isDark() ? "dark" : "light"]
  }

  return {
    ramps,
    /**
     * A grid as it is painted, one for each name.
     * @param {string} name
     * @param {Valued} block
     */
    painted(name, block) {
      const dark = isDark(), kept = painted.get(name)
      if (kept && kept.block === block && kept.dark === dark) return kept.made
      const difference = "difference" in block.header && block.header.difference
      const made = paintGrid(block.arrays.values, block.header.extent, ramps(block), difference)
      painted.set(name, {block, dark, made})
      return made
    },
    /**
     * The landscape and the box of actions, for all stages.
     * @param {string} key What it depends on beside the landscape.
     * @param {HTMLCanvasElement} canvas
     * @param {Landscape | null} block
     * @param {Painted | null} ground
     * @param {Lens} to
     * @param {string} ink
     * @param {string} edge
     * @param {number} ratio
     * @param {boolean} line
     */
    backdrop(key, canvas, block, ground, to, ink, edge, ratio, line) {
      if (back?.key === key && back.ground === ground) return back.image
      const image = document.createElement("canvas"), g = penOf(image)
      image.width = canvas.width
      image.height = canvas.height
      g.fillStyle = edge
      g.fillRect(0, 0, image.width, image.height)
      if (ground && block) drawGrid(g, ground, block.header.extent, to, ink, ratio)
      drawBox(g, image, to, ratio, ink, line)
      back = {key, ground, image}
      return image
    },
  }
}
