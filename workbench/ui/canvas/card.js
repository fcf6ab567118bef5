// The cards of the scene: a title, a canvas and numbers below it; a stage has a rule's glyph and words over its canvas too.

import {button, element} from "../browser/dom.js"
import {makeOver} from "./over.js"

/** @import {NumberRow, StageSpec} from "./pictures" */
/** @typedef {ReturnType<typeof makeStage>} Stage */
/** @typedef {ReturnType<typeof makeWorldCard>} WorldCard */

/** @param {Node} parent */
export function makeStage(parent) {
  const card = element("section", "wb-stage", parent), head = element("header", "", card)
  const mark = element("canvas", "wb-glyph", head), titles = element("div", "", head)
  const title = element("h2", "", titles), subtitle = element("p", "", titles)
  mark.setAttribute("aria-hidden", "true")
  const frame = element("div", "wb-frame", card), canvas = element("canvas", "wb-canvas", frame)
  const over = makeOver(frame), readout = element("output", "wb-readout", frame)
  const large = element("div", "wb-large", card), heads = element("dl", "wb-heads", large)
  const warning = element("button", "wb-warning", large)
  warning.type = "button"
  const fold = element("details", "wb-all", card), summary = element("summary", "", fold)
  const where = element("span", "wb-where", summary)
  element("span", "wb-fold", summary, "All numbers")
  const numbers = element("dl", "wb-numbers", fold), words = element("output", "wb-words", frame)
  return {card, mark, title, subtitle, frame, canvas, over, readout, where, heads, warning, fold, numbers, words}
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
      button(element("dt", "", cell), "wb-term", "")
      element("dd", "", cell)
    }
    const [term, number] = cell.children
    explain(/** @type {HTMLElement} */ (term.firstChild), name, meaning)
    showValue(/** @type {HTMLElement} */ (number), value)
  })
}

/**
 * A value; half of its interval, where it has one, is set smaller.
 * @param {HTMLElement} el
 * @param {string} value
 */
function showValue(el, value) {
  if (el.textContent === value) return
  const [mean, half] = value.split(" ± ")
  el.textContent = mean
  if (half !== undefined) element("small", "", el, ` ± ${half}`)
}

/**
 * A word with its meaning, which is shown beside it while the pointer or the focus is there.
 * @param {HTMLElement} el
 * @param {string} word
 * @param {string} meaning
 */
export function explain(el, word, meaning) {
  if (el.textContent !== word) el.textContent = word
  if (el.dataset.tip === meaning) return
  el.dataset.tip = meaning
  el.setAttribute("aria-description", meaning)
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
  stage.canvas.setAttribute("role", peaked ? "application" : "img")
  if (peaked) stage.canvas.tabIndex = 0
  const numbers = spec.heads.map(([name, value]) => `${name} ${value}`).join(", ")
  stage.canvas.setAttribute("aria-label", `${spec.title}: ${numbers}. ${spec.warning[0]}${peaked ? ". Arrow keys move the reward's peak" : ""}`)
  showNumbers(stage.heads, spec.heads)
  explain(stage.warning, spec.warning[0], spec.warning[2])
  stage.warning.classList.toggle("wb-wrong", spec.wrong)
  showNumbers(stage.numbers, spec.numbers)
}

/**
 * Say of which actions the numbers are: always of the final ones, which is said aloud while an earlier moment is shown.
 * @param {Stage} stage
 * @param {StageSpec} spec
 * @param {boolean} ended The last moment is shown.
 */
export function tellMoment(stage, spec, ended) {
  const text = ended ? spec.where : "Of the final actions"
  if (stage.where.textContent !== text) stage.where.textContent = text
  stage.card.classList.toggle("wb-early", !ended)
}
