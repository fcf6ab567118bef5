// Beside the stages: the ground with the agent on it, or what the actions really earn; whichever the block holds.

import {unpack} from "./blocks.js"
import {makeRoom} from "./room.js"
import {makeTruth} from "./truth.js"

/** @import {makeGround} from "./ground.js" */
/** @import {Block, Frame, Place, RoomHeader, StagesModel, TruthHeader, View, World} from "./pictures" */

/**
 * @param {HTMLElement} row
 * @param {StagesModel} model
 * @param {() => void} redraw
 * @param {ReturnType<typeof makeGround>} ground
 * @param {() => View} view
 * @param {() => Place | null} peak
 */
export function makeWorld(row, model, redraw, ground, view, peak) {
  /** @type {ReturnType<typeof makeRoom> | ReturnType<typeof makeTruth> | null} */
  let world = null
  let kind = ""
  return {
    /** How many pictures it shows. */
    count: () => (world ? 1 : 0),
    /** Stand behind the stages that have come since. */
    last() {
      if (world) row.appendChild(world.card)
    },
    /** Show what the model holds; true when there is a picture. */
    show() {
      const block = /** @type {World | null} */ (unpack(model.world))
      if (world && kind !== block?.header.kind) {
        world.leave()
        world.card.remove()
        world = null
      }
      if (!block) return false
      kind = block.header.kind
      if (block.header.kind === "room") {
        const room = /** @type {ReturnType<typeof makeRoom>} */ (world ??= makeRoom(row, model, redraw))
        room.show(/** @type {Block<RoomHeader>} */ (block))
      } else {
        const truth = /** @type {ReturnType<typeof makeTruth>} */ (world ??= makeTruth(row, ground, view, peak))
        truth.show(/** @type {Block<TruthHeader>} */ (block))
      }
      return true
    },
    /**
     * @param {number} k
     * @param {Frame} frame
     * @param {number} ratio
     */
    draw(k, frame, ratio) {
      world?.draw(k, frame, ratio)
    },
    /** @param {boolean} line */
    hand(line) {
      world?.hand(line)
    },
  }
}
