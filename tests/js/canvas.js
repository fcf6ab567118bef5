// Stand-ins for what a browser has and node has not: a canvas with a box, and a pen that writes down what it is told.

/** @typedef {[name: string, ...numbers: number[]]} Call */

/** A Path2D that remembers its calls. */
export class Path {
  constructor() {
    /** @type {Call[]} */
    this.calls = []
  }
  /** @param {number} x @param {number} y */
  moveTo(x, y) {
    this.calls.push(["moveTo", x, y])
  }
  /** @param {number} x @param {number} y */
  lineTo(x, y) {
    this.calls.push(["lineTo", x, y])
  }
  /** @param {number} x @param {number} y @param {number} r */
  arc(x, y, r) {
    this.calls.push(["arc", x, y, r])
  }
  /** @param {number} x @param {number} y @param {number} wide @param {number} tall */
  rect(x, y, wide, tall) {
    this.calls.push(["rect", x, y, wide, tall])
  }
  closePath() {
    this.calls.push(["closePath"])
  }
}

/** The corners of every line in a path's calls. @param {Path} path */
export const points = (path) => path.calls.filter(([name]) => name !== "closePath").map(([, x, y]) => [x, y])

/** A pen that keeps the paths that it strokes and fills, with its settings at that moment. */
export class Pen {
  constructor() {
    /** @type {{how: "stroke" | "fill", path: Path, alpha: number}[]} */
    this.drawn = []
    this.globalAlpha = 1
    this.strokeStyle = this.fillStyle = this.lineJoin = ""
    this.lineWidth = 1
  }
  /** @param {Path} path */
  stroke(path) {
    this.drawn.push({how: "stroke", path, alpha: this.globalAlpha})
  }
  /** @param {Path} path */
  fill(path) {
    this.drawn.push({how: "fill", path, alpha: this.globalAlpha})
  }
}

/** A canvas whose box lies somewhere on the page, with ``ratio`` pixels of its own to one of the page. */
export class Canvas extends EventTarget {
  /** @param {number} left @param {number} top @param {number} size @param {number} ratio */
  constructor(left, top, size, ratio) {
    super()
    this.box = {left, top, width: size, height: size}
    this.width = this.height = size * ratio
    this.style = {cursor: ""}
    /** @type {number[]} */
    this.captured = []
  }
  getBoundingClientRect() {
    return this.box
  }
  /** @param {number} id */
  setPointerCapture(id) {
    this.captured.push(id)
  }
  /**
   * Fire an event; returns whether something prevented what the browser would do.
   * @param {string} name
   * @param {object} fields
   */
  fire(name, fields = {}) {
    const event = new Event(name, {cancelable: true})
    this.dispatchEvent(Object.assign(event, {button: 0, pointerId: 1, pointerType: "mouse", clientX: 0, clientY: 0, ...fields}))
    return event.defaultPrevented
  }
}

/** What a test hands to a function that wants the browser's own. @param {unknown} stand @returns {any} */
export const as = (stand) => stand
