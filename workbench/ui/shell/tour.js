// The guided tour: a ring around one thing at a time and a few words beside it.

import {closedByOutside, element, find, hearWindow} from "../browser/dom.js"
import {tool} from "./icons.js"

/** @import {Model} from "../browser/model" */
/** @typedef {[target: string, title: string, text: string]} Stop */
/** @typedef {{left: number, right: number, top: number, bottom: number}} Box */

const GAP = 16, EDGE = 8, PAD = 5

/**
 * Where the card stands: right of a box, else left of it, else below or above; always on the screen.
 * @param {Box} box
 * @param {number} wide
 * @param {number} tall
 * @param {{width: number, height: number}} screen
 */
export function placeBeside(box, wide, tall, screen) {
  let left = box.right + GAP, top = box.top
  if (left + wide > screen.width - EDGE) left = box.left - GAP - wide
  if (left < EDGE) {
    left = Math.min(Math.max(EDGE, box.left), screen.width - wide - EDGE)
    top = box.bottom + GAP + tall < screen.height ? box.bottom + GAP : box.top - GAP - tall
  }
  return {left, top: Math.min(Math.max(EDGE, top), screen.height - tall - EDGE)}
}

/**
 * @param {HTMLElement} root
 * @param {Model<{tour: Stop[]}>} model
 * @param {() => void} ended
 */
export function makeTour(root, model, ended) {
  let stop = -1
  const ring = element("div", "wb-ring", root), card = element("dialog", "wb-stop", root)
  const heading = element("h2", "", card), text = element("p", "", card), steps = element("div", "wb-row", card)
  const count = element("span", "", steps)
  tool(steps, "End the tour", {word: "End"}, end)
  const next = tool(steps, "Next stop", {word: "Next", className: "wb-main-button"}, () => show(stop + 1))
  card.setAttribute("aria-label", "Guided tour")
  ring.hidden = true
  closedByOutside(card, end)
  card.addEventListener("close", () => {
    stop = -1
    ring.hidden = true
    ended()
  })

  function end() {
    card.close()
  }

  /**
   * @param {number} index
   * @param {number} way Where to go on from a stop that is not on the page's present picture.
   */
  function show(index, way = 1) {
    stop = index
    const found = model.tour[index]
    if (!found) return card.close()
    const target = find(found[0])
    if (!target?.getClientRects().length) return show(index + way, way)
    target.scrollIntoView({block: "nearest"})
    const box = target.getBoundingClientRect()
    ring.hidden = false
    const frame = {left: box.left - PAD, top: box.top - PAD, width: box.width + 2 * PAD, height: box.height + 2 * PAD}
    for (const [name, value] of Object.entries(frame)) ring.style.setProperty(name, `${value}px`)
    heading.textContent = found[1]
    text.textContent = found[2]
    count.textContent = `${index + 1} of ${model.tour.length}`
    if (next.firstChild) next.firstChild.textContent = index + 1 < model.tour.length ? "Next" : "Done"
    if (!card.open) card.showModal() // the keys stay in it, and go back to where they were
    const {left, top} = placeBeside(box, card.offsetWidth, card.offsetHeight, {width: innerWidth, height: innerHeight})
    card.style.left = `${left}px`
    card.style.top = `${top}px`
    next.focus()
  }

  const hearKey = (/** @type {KeyboardEvent} */ event) => {
    if (stop >= 0 && event.key === "ArrowRight") show(stop + 1)
    if (stop > 0 && event.key === "ArrowLeft") show(stop - 1, -1)
  }
  const resized = () => {
    if (stop >= 0) show(stop)
  }
  hearWindow(model, {keydown: hearKey, resize: resized})
  return {start: () => show(0)}
}
