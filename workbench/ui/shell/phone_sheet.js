// On a phone the controls are a sheet over the foot of the page: presets and one slider to be seen, the rest is pulled up.

import {button, element, onceAFrame} from "../browser/dom.js"

const PHONE = matchMedia("(max-width: 700px)"), PULL = 20 // pixels that a finger moves to open or close it
const QUICK = [".wb-presets", ".wb-slider"], MOST = 0.42 // of the screen, while it is closed
const GAP = 8

/**
 * How far the controls are scrolled, and how tall the sheet is, so that presets and the first slider are seen.
 * @param {{top: number, bottom: number}[]} boxes Where those stand.
 * @param {number} start Where the controls begin.
 * @param {number} handle How tall the handle is.
 * @param {number} screen
 */
export function peekOf(boxes, start, handle, screen) {
  const most = Math.round(MOST * screen)
  if (!boxes.length) return {scroll: 0, height: most}
  const top = Math.min(...boxes.map((box) => box.top)), bottom = Math.max(...boxes.map((box) => box.bottom))
  return {scroll: Math.max(0, Math.round(top - start - GAP)), height: Math.min(most, Math.round(bottom - top + handle + 3 * GAP))}
}

/**
 * Where all that fit stand, inside shadow trees too, from the top down; what is not shown is left out.
 * @param {string} selector
 * @param {ParentNode} root
 * @returns {DOMRect[]}
 */
function boxesOf(selector, root) {
  const found = [...root.querySelectorAll("*")].flatMap((el) => [
    ...(el.matches(selector) ? [el.getBoundingClientRect()] : []),
    ...(el.shadowRoot ? boxesOf(selector, el.shadowRoot) : []),
  ])
  return found.filter((box) => box.height > 0).sort((a, b) => a.top - b.top)
}

/** @param {HTMLElement} sheet */
function makeSheet(sheet) {
  const body = /** @type {HTMLElement} */ (sheet.closest(".wb-page")), list = /** @type {HTMLElement} */ (sheet.querySelector(".wb-sheet-list"))
  const handle = button(sheet, "wb-sheet-handle", "", () => open(!isOpen())), words = element("span", "", handle)
  let from = NaN, pulled = false
  sheet.prepend(handle)

  const isOpen = () => sheet.dataset.open !== undefined

  const settle = onceAFrame(() => {
    if (!PHONE.matches || isOpen() || sheet.contains(document.activeElement)) return
    const boxes = QUICK.flatMap((name) => boxesOf(name, list).slice(0, 1))
    const start = list.getBoundingClientRect().top - list.scrollTop
    const peek = peekOf(boxes, start, handle.offsetHeight, innerHeight)
    body.style.setProperty("--wb-peek", `${peek.height}px`)
    list.scrollTop = peek.scroll
  })

  /** @param {boolean} on */
  function open(on) {
    if (on) sheet.dataset.open = ""
    else delete sheet.dataset.open
    handle.setAttribute("aria-expanded", String(on))
    words.textContent = on ? "Fewer settings" : "All settings"
    if (on) list.scrollTop = 0
    else settle()
  }

  handle.addEventListener("pointerdown", (event) => {
    from = event.clientY
    pulled = false
    handle.setPointerCapture(event.pointerId)
  })
  handle.addEventListener("pointermove", (event) => {
    if (pulled || Math.abs(event.clientY - from) < PULL) return
    pulled = true
    open(event.clientY < from)
  })
  handle.addEventListener("click", (event) => {
    if (pulled) event.stopImmediatePropagation() // it was pulled, and is where the finger put it
    pulled = false
  }, true)
  new ResizeObserver(settle).observe(/** @type {Element} */ (list.firstElementChild ?? list))
  PHONE.addEventListener("change", settle)
  window.addEventListener("resize", settle)
  open(false)
}

const sheet = /** @type {HTMLElement | null} */ (document.querySelector(".wb-steers .wb-controls"))
if (sheet) makeSheet(sheet)
