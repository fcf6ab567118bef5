// Words about a thing, shown beside it while the pointer or the focus is on it: on a touch screen a tap gives the focus.
// One listener for the whole page: what bears data-tip may stand in any shadow tree.

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

/** Hear for tips on this page, once. */
export function hearTips() {
  if (document.documentElement.dataset.tips) return
  document.documentElement.dataset.tips = "heard"
  /** @type {HTMLElement | null} */
  let tip = null
  /** @type {HTMLElement | undefined} */
  let shown

  function hide() {
    shown = undefined
    if (tip) tip.hidden = true
  }

  /** @param {HTMLElement | undefined} of */
  function show(of) {
    if (!of?.dataset.tip) return hide()
    if (!tip) {
      tip = element("div", "wb-tip", document.body)
      tip.setAttribute("role", "tooltip")
      tip.style.cssText = LOOK
    }
    shown = of
    tip.hidden = false
    tip.textContent = of.dataset.tip
    const {left, top} = placeOfTip(of.getBoundingClientRect(), {width: tip.offsetWidth, height: tip.offsetHeight}, {width: innerWidth, height: innerHeight})
    tip.style.transform = `translate(${left}px, ${top}px)`
  }

  document.addEventListener("pointerover", (event) => {
    if (event.pointerType !== "touch") show(tipped(event))
  })
  document.addEventListener("focusin", (event) => show(tipped(event)))
  document.addEventListener("focusout", hide)
  document.addEventListener("click", (event) => { // a second tap on what has the focus already
    const of = tipped(event)
    if (of && of !== shown) show(of)
  })
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide() })
  window.addEventListener("scroll", () => show(shown), {capture: true, passive: true}) // what gets the focus is scrolled into view
}
