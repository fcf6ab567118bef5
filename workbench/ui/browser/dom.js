// Elements, their sizes and colours, and how often something is called: what every script of the pages needs.

/** @import {Model} from "./model" */

/**
 * A new element, as the last child of ``parent`` where there is one.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [className]
 * @param {Node | null} [parent]
 * @param {string} [text]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, className, parent, text) {
  const made = document.createElement(tag)
  if (className) made.className = className
  if (text !== undefined) made.textContent = text
  if (parent) parent.appendChild(made)
  return made
}

/**
 * A button that submits nothing.
 * @param {Node} parent
 * @param {string} className
 * @param {string} text
 * @param {(event: MouseEvent) => void} [press]
 */
export function button(parent, className, text, press) {
  const made = element("button", className, parent)
  made.type = "button"
  if (text) made.textContent = text
  if (press) made.addEventListener("click", press)
  return made
}

const SVG = "http://www.w3.org/2000/svg"

/**
 * A new SVG element with its attributes.
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number>} fields
 * @param {Node} [parent]
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function vector(tag, fields, parent) {
  const made = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(fields)) made.setAttribute(name, String(value))
  if (parent) parent.appendChild(made)
  return made
}

/**
 * The first element that fits, inside shadow trees too: the pages' components have one each.
 * @param {string} selector
 * @param {ParentNode} root
 * @returns {Element | null}
 */
export function find(selector, root = document) {
  const found = root.querySelector(selector)
  if (found) return found
  for (const el of root.querySelectorAll("*")) {
    const inside = el.shadowRoot && find(selector, el.shadowRoot)
    if (inside) return inside
  }
  return null
}

/**
 * What has the focus in the tree that ``el`` stands in.
 * @param {Element} el
 */
export function focusedBeside(el) {
  return /** @type {Document | ShadowRoot} */ (el.getRootNode()).activeElement
}

/**
 * Close a dialog when somebody presses beside it.
 * @param {HTMLDialogElement} dialog
 * @param {() => void} close
 */
export function closedByOutside(dialog, close) {
  dialog.addEventListener("click", (event) => {
    const box = dialog.getBoundingClientRect(), {clientX: x, clientY: y} = event
    const inside = x >= box.left && x <= box.right && y >= box.top && y <= box.bottom
    if (event.target === dialog && event.detail > 0 && !inside) close()
  })
}

export const isDark = () => document.documentElement.dataset.theme === "dark"

/** Whether the reader's system asks for less motion; it may change while a page is open. */
export const motionReduced = () => matchMedia("(prefers-reduced-motion: reduce)").matches

/** @param {{light: string, dark: string}} look */
export const colourOf = (look) => (isDark() ? look.dark : look.light)

/**
 * The value of a CSS variable where ``el`` stands.
 * @param {Element} el
 * @param {string} name
 * @param {string} otherwise
 */
export const token = (el, name, otherwise = "#888") => getComputedStyle(el).getPropertyValue(name).trim() || otherwise

/**
 * Match the canvas to its box on this screen; false while it has no size.
 * @param {HTMLCanvasElement} canvas
 */
export function fit(canvas) {
  const box = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1
  const width = Math.round(box.width * ratio), height = Math.round(box.height * ratio)
  if (!width || !height) return false
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width
    canvas.height = height
  }
  return true
}

/**
 * What draws on a canvas.
 * @param {HTMLCanvasElement} canvas
 */
export const penOf = (canvas) => /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"))

/**
 * Draw once per frame however often it is asked for.
 * @param {() => void} draw
 */
export function onceAFrame(draw) {
  let waiting = false
  return () => {
    if (waiting) return
    waiting = true
    requestAnimationFrame(() => {
      waiting = false
      draw()
    })
  }
}

/**
 * Call at most so many times a second: at once, and later for what came meanwhile.
 * @param {number} rate
 * @param {() => void} call
 */
export function atMost(rate, call) {
  let last = -Infinity, waiting = false
  return () => {
    if (waiting) return
    const rest = last + 1000 / rate - performance.now()
    const go = () => {
      waiting = false
      last = performance.now()
      call()
    }
    if (rest <= 0) return go()
    waiting = true
    setTimeout(go, rest)
  }
}

/**
 * Hear the window for as long as the component stands on the page.
 * @param {Model<object>} model
 * @param {Record<string, (event: any) => void>} calls
 */
export function hearWindow(model, calls) {
  for (const [name, call] of Object.entries(calls)) window.addEventListener(name, call)
  model.on("remove", () => {
    for (const [name, call] of Object.entries(calls)) window.removeEventListener(name, call)
  })
}

/**
 * Draw again when a component's box has another size, for as long as it stands on the page.
 * @param {Model<object>} model
 * @param {Element} el
 * @param {() => void} draw
 */
export function hearSize(model, el, draw) {
  const watch = new ResizeObserver(draw)
  watch.observe(el)
  model.on("remove", () => watch.disconnect())
}

/** @type {Record<string, readonly [number, number]>} */
const WAYS = {ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}

/**
 * Where an arrow key points; undefined for another key.
 * @param {string} key
 * @returns {readonly [number, number] | undefined}
 */
export const wayOf = (key) => WAYS[key]
