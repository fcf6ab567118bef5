// The cards of the scene: a title, a canvas and numbers below it; a stage has a rule's glyph and words over its canvas too.

import {element} from "../browser/dom.js"
import {makeOver} from "./over.js"

/** @import {NumberRow, StageSpec} from "./pictures" */
/** @typedef {ReturnType<typeof makeStage>} Stage */
/** @typedef {ReturnType<typeof makeWorldCard>} WorldCard */

/** @param {Node} parent */
export function makeStage(parent) {
  const card = element("section", "wb-stage", parent), head = element("header", "", card)
  const mark = element("canvas", "wb-glyph", head), heads = element("div", "", head)
  const title = element("h2", "", heads), subtitle = element("p", "", heads)
  mark.setAttribute("aria-hidden", "true")
  const frame = element("div", "wb-frame", card), canvas = element("canvas", "wb-canvas", frame)
  const over = makeOver(frame), readout = element("output", "wb-readout", frame)
  const where = element("p", "wb-where", card), numbers = element("dl", "wb-numbers", card)
  const words = element("output", "wb-words", frame)
  return {card, mark, title, subtitle, frame, canvas, over, readout, where, numbers, words}
}

/**
 * @param {Node} parent
 * @param {string} kind
 */
export function makeWorldCard(parent, kind) {
  const card = element("section", `wb-stage wb-world wb-${kind}`, parent), head = element("header", "", card)
  const words = element("div", "", head), title = element("h2", "", words), subtitle = element("p", "", words)
  const frame = element("div", "wb-frame", card), canvas = element("canvas", "wb-canvas", frame)
  const numbers = element("dl", "wb-numbers", card)
  return {card, title, subtitle, frame, canvas, numbers}
}

/**
 * Show numbers in a list, in the cells that it has already as far as they go.
 * @param {HTMLDListElement} list
 * @param {NumberRow[]} numbers
 */
export function showNumbers(list, numbers) {
  while (list.children.length > numbers.length) list.lastChild?.remove()
  numbers.forEach(([name, value, meaning], i) => {
    let cell = /** @type {HTMLElement | undefined} */ (list.children[i])
    if (!cell) {
      cell = element("div", "", list)
      element("dt", "", cell)
      element("dd", "", cell)
    }
    cell.title = meaning
    cell.children[0].textContent = name
    cell.children[1].textContent = value
  })
}

/**
 * Say on a card whose particles it shows.
 * @param {Stage} stage
 * @param {StageSpec} spec
 * @param {number} index
 * @param {boolean} peaked Whether its task has a peak, which arrow keys move.
 */
export function nameStage(stage, spec, index, peaked) {
  stage.card.dataset.rule = spec.name
  stage.card.dataset.stage = String(index)
  stage.title.textContent = spec.title
  stage.subtitle.textContent = spec.subtitle
  stage.where.textContent = spec.where
  stage.canvas.setAttribute("role", peaked ? "application" : "img")
  if (peaked) stage.canvas.tabIndex = 0
  const numbers = spec.numbers.map(([name, value]) => `${name} ${value}`).join(", ")
  stage.canvas.setAttribute("aria-label", `${spec.title}: ${numbers}${peaked ? ". Arrow keys move the reward's peak" : ""}`)
  showNumbers(stage.numbers, spec.numbers)
}
