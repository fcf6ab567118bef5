// The page's figures as one picture: rows of Bokeh views (by id) and of canvases (by selector), on the page's ground.

import {find, penOf, token, vector} from "../browser/dom.js"

/** @typedef {{canvas: HTMLCanvasElement | SVGElement, wide: number, tall: number}} Part */
/** @typedef {Part & {x: number, y: number}} Placed */

const GAP = 16

/**
 * Rows of parts one below the other, and the size of the whole.
 * @param {Part[][]} lines
 * @returns {{parts: Placed[], wide: number, tall: number}}
 */
export function laidOut(lines) {
  /** @type {Placed[]} */
  const parts = []
  let y = GAP
  for (const line of lines.filter((one) => one.length)) {
    let x = GAP
    for (const part of line) {
      parts.push({...part, x, y})
      x += part.wide + GAP
    }
    y += Math.max(...line.map((part) => part.tall)) + GAP
  }
  return {parts, wide: Math.max(0, ...parts.map((part) => part.x + part.wide)) + GAP, tall: y}
}

/**
 * A figure as it is on the page; null when it is not drawn.
 * @param {string} name
 * @param {"png" | "svg"} type
 * @returns {Part | null}
 */
function drawn(name, type) {
  if (name.startsWith(".")) {
    const canvas = find(`${name} canvas`) || find(name)?.shadowRoot?.querySelector("canvas")
    if (!canvas) return null
    const box = canvas.getBoundingClientRect()
    return box.width ? {canvas: /** @type {HTMLCanvasElement} */ (canvas), wide: box.width, tall: box.height} : null
  }
  const view = window.Bokeh.index.find_one_by_id(name)
  return view?.bbox?.width ? {canvas: view.export(type).canvas, wide: view.bbox.width, tall: view.bbox.height} : null
}

/**
 * @param {string[][]} rows
 * @param {"png" | "svg"} type
 * @returns {Promise<Blob>}
 */
export async function picture(rows, type) {
  const {parts, wide, tall} = laidOut(rows.map((line) => line.map((name) => drawn(name, type)).filter((part) => part !== null)))
  if (!parts.length) throw new Error("Nothing is drawn yet.")
  const ground = token(document.documentElement, "--wb-surface", "white")
  return type === "png" ? asPixels(parts, wide, tall, ground) : asVectors(parts, wide, tall, ground)
}

/**
 * @param {Placed[]} parts
 * @param {number} wide
 * @param {number} tall
 * @param {string} ground
 * @returns {Promise<Blob>}
 */
function asPixels(parts, wide, tall, ground) {
  const whole = document.createElement("canvas"), ratio = devicePixelRatio, pen = penOf(whole)
  whole.width = wide * ratio
  whole.height = tall * ratio
  pen.scale(ratio, ratio)
  pen.fillStyle = ground
  pen.fillRect(0, 0, wide, tall)
  for (const part of parts) pen.drawImage(/** @type {HTMLCanvasElement} */ (part.canvas), part.x, part.y, part.wide, part.tall)
  return new Promise((done, fail) => {
    whole.toBlob((blob) => (blob ? done(blob) : fail(new Error("It is too large for this browser."))), "image/png")
  })
}

/**
 * @param {Placed[]} parts
 * @param {number} wide
 * @param {number} tall
 * @param {string} ground
 */
function asVectors(parts, wide, tall, ground) {
  const whole = vector("svg", {width: wide, height: tall, viewBox: `0 0 ${wide} ${tall}`})
  vector("rect", {width: wide, height: tall, fill: ground}, whole)
  for (const {canvas, x, y, wide: width, tall: height} of parts) {
    if (canvas instanceof HTMLCanvasElement) vector("image", {x, y, width, height, href: canvas.toDataURL()}, whole)
    else {
      for (const [name, value] of Object.entries({x, y, width, height})) canvas.setAttribute(name, String(value))
      whole.appendChild(canvas)
    }
  }
  return new Blob([new XMLSerializer().serializeToString(whole)], {type: "image/svg+xml"})
}
