// On a phone the controls are a sheet over the foot of the page: presets and one slider to be seen, the rest is pulled up.

import {button, element, onceAFrame} from "../browser/dom.js"
import {peekOf} from "./peek.js"

const PHONE = matchMedia("(max-width: 700px)"), PULL = 20 // pixels that a finger moves to open or close it
const QUICK = [".wb-presets", ".wb-slider"]

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
  const list = /** @type {HTMLElement} */ (sheet.querySelector(".wb-sheet-list"))
  const handle = button(sheet, "wb-sheet-handle", "", () => open(!isOpen())), words = element("span", "", handle)
  let from = NaN, pulled = false
  sheet.prepend(handle)

  const isOpen = () => sheet.dataset.open !== undefined

  const settle = onceAFrame(() => {
    if (!PHONE.matches || isOpen() || sheet.contains(document.activeElement)) return
    const boxes = QUICK.flatMap((name) => boxesOf(name, list).slice(0, 1))
    const start = list.getBoundingClientRect().top - list.scrollTop
    const peek = peekOf(boxes, start, handle.offsetHeight, innerHeight)
    document.documentElement.style.setProperty("--wb-peek", `${peek.height}px`)
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
  const watch = new ResizeObserver(settle)
  watch.observe(list) // while it closes it is too tall to be scrolled as far as it should be
  if (list.firstElementChild) watch.observe(list.firstElementChild)
  PHONE.addEventListener("change", settle)
  window.addEventListener("resize", settle)
  open(false)
}

const sheet = /** @type {HTMLElement | null} */ (document.querySelector(".wb-steers .wb-controls"))
if (sheet) makeSheet(sheet)
