// Words about a thing, shown beside it while the pointer or the focus is on it: on a touch screen a tap gives the focus.
// What bears data-tip may stand in any shadow tree.

import {element} from "./dom.js"

const GAP = 6, EDGE = 8
const LOOK = `position: fixed; z-index: 60; left: 0; top: 0; width: max-content; max-width: min(300px, calc(100vw - ${2 * EDGE}px));
  padding: 7px 10px; border-radius: 8px; font: 400 12px/1.4 var(--wb-font, sans-serif); pointer-events: none; white-space: pre-line;
  color: var(--wb-surface, #fff); background: var(--wb-ink, #17202c); box-shadow: 0 4px 16px #0003;`

/**
 * Where a tip stands: above what it is of, else below; always on the screen.
 * @param {{left: number, top: number, bottom: number}} box
 * @param {{width: number, height: number}} tip
 * @param {{width: number, height: number}} screen
 */
export function placeOfTip(box, tip, screen) {
  const left = Math.max(EDGE, Math.min(box.left, screen.width - tip.width - EDGE))
  const above = box.top - GAP - tip.height
  return {left, top: above >= EDGE ? above : Math.min(box.bottom + GAP, screen.height - tip.height - EDGE)}
}

/** @param {Event} event */
const tipped = (event) => /** @type {HTMLElement | undefined} */ (event.composedPath().find((one) => one instanceof HTMLElement && one.dataset.tip))

/** @type {HTMLElement | null} */
let tip = null
/** @type {{pointed?: HTMLElement, focused?: HTMLElement}} */
let on = {}

// What the pointer is on goes before what has the focus.
function show() {
  const of = on.pointed ?? on.focused
  if (!of?.isConnected) {
    if (tip) tip.hidden = true
    return
  }
  if (!tip) {
    tip = element("div", "wb-tip", document.body)
    tip.setAttribute("role", "tooltip")
    tip.style.cssText = LOOK
  }
  tip.hidden = false
  tip.textContent = of.dataset.tip ?? ""
  const {left, top} = placeOfTip(of.getBoundingClientRect(), {width: tip.offsetWidth, height: tip.offsetHeight}, {width: innerWidth, height: innerHeight})
  tip.style.transform = `translate(${left}px, ${top}px)`
}

/** @param {typeof on} next */
function turn(next) {
  on = next
  show()
}

/**
 * Hear for tips in the document or in a shadow tree: of what happens between two elements of one tree nothing is heard outside.
 * @param {Document | ShadowRoot} root
 */
export function hearTips(root) {
  root.addEventListener("pointerover", (event) => {
    if (/** @type {PointerEvent} */ (event).pointerType !== "touch") turn({...on, pointed: tipped(event)})
  })
  root.addEventListener("focusin", (event) => turn({...on, focused: tipped(event)}))
  root.addEventListener("focusout", () => turn({...on, focused: undefined}))
  if (root !== document) return
  document.addEventListener("click", (event) => { // a second tap on what has the focus already
    const of = tipped(event)
    if (of) turn({...on, focused: of})
  })
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") turn({}) })
  window.addEventListener("scroll", show, {capture: true, passive: true}) // what gets the focus is scrolled into view
}
