// Shared by the page's components; Python puts this file before theirs, so everything here is one module with them.

// A block from frames.py: {header, arrays by name as {data, shape}}.
function unpack(buffer) {
  if (!buffer || !buffer.byteLength) return null
  const size = new DataView(buffer).getUint32(0, true)
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)))
  const arrays = {}
  for (const [name, [first, shape]] of Object.entries(header.arrays)) {
    const count = shape.reduce((a, b) => a * b, 1)
    arrays[name] = {data: new Float32Array(buffer, 4 + size + 4 * first, count), shape}
  }
  return {header, arrays}
}

const isDark = () => document.documentElement.dataset.theme === "dark"
const colourOf = (look) => (isDark() ? look.dark : look.light)
const token = (el, name) => getComputedStyle(el).getPropertyValue(name).trim() || "#888"

function element(tag, className, parent, text) {
  const made = document.createElement(tag)
  if (className) made.className = className
  if (text !== undefined) made.textContent = text
  if (parent) parent.appendChild(made)
  return made
}

// Match the canvas to its box on this screen; false while it has no size.
function fit(canvas) {
  const box = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1
  const width = Math.round(box.width * ratio), height = Math.round(box.height * ratio)
  if (!width || !height) return false
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height }
  return true
}

// Draw once per frame however often it is asked for.
function onceAFrame(draw) {
  let waiting = false
  return () => {
    if (waiting) return
    waiting = true
    requestAnimationFrame(() => { waiting = false; draw() })
  }
}

// Call at most so many times a second: at once, and later for what came meanwhile.
function atMost(rate, call) {
  let last = -Infinity, waiting = false
  return () => {
    if (waiting) return
    const rest = last + 1000 / rate - performance.now()
    const go = () => { waiting = false; last = performance.now(); call() }
    if (rest <= 0) return go()
    waiting = true
    setTimeout(go, rest)
  }
}

function addShape(path, shape, x, y, r) {
  const polygon = (points) => {
    points.forEach(([a, b], i) => (i ? path.lineTo(x + a * r, y + b * r) : path.moveTo(x + a * r, y + b * r)))
    path.closePath()
  }
  const ring = (count, turn, inner = 1) => Array.from({length: count}, (_, i) => {
    const angle = turn + (2 * Math.PI * i) / count, reach = i % 2 ? inner : 1
    return [1.15 * reach * Math.cos(angle), 1.15 * reach * Math.sin(angle)]
  })
  if (shape === "square") path.rect(x - 0.88 * r, y - 0.88 * r, 1.76 * r, 1.76 * r)
  else if (shape === "triangle") polygon([[0, -1.25], [1.1, 0.8], [-1.1, 0.8]])
  else if (shape === "inverted_triangle") polygon([[0, 1.25], [1.1, -0.8], [-1.1, -0.8]])
  else if (shape === "diamond") polygon([[0, -1.3], [1.05, 0], [0, 1.3], [-1.05, 0]])
  else if (shape === "hex") polygon(ring(6, 0))
  else if (shape === "star") polygon(ring(10, -Math.PI / 2, 0.5))
  else if (shape === "plus") {
    const a = 0.42
    polygon([[-a, -1.2], [a, -1.2], [a, -a], [1.2, -a], [1.2, a], [a, a], [a, 1.2], [-a, 1.2], [-a, a], [-1.2, a], [-1.2, -a], [-a, -a]])
  } else { path.moveTo(x + r, y); path.arc(x, y, r, 0, 2 * Math.PI) }
}

function glyph(canvas, look) {
  if (!fit(canvas)) return
  const g = canvas.getContext("2d"), path = new Path2D()
  g.clearRect(0, 0, canvas.width, canvas.height)
  addShape(path, look.shape, canvas.width / 2, canvas.height / 2, canvas.width * 0.36)
  g.fillStyle = colourOf(look)
  g.fill(path)
}

// The colour of u in [0, 1], in ``out`` from ``at`` on.
function ramp(stops) {
  const colours = stops.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)))
  return (u, out = [], at = 0) => {
    const place = Math.min(Math.max(u, 0), 1) * (colours.length - 1), i = Math.min(Math.floor(place), colours.length - 2)
    const from = colours[i], to = colours[i + 1], part = place - i
    for (let k = 0; k < 3; k++) out[at + k] = from[k] + part * (to[k] - from[k])
    return out
  }
}

// A grid of values over [-extent, extent]² as an image, row 0 at the bottom, and its contour lines in grid units (marching
// squares). Colours span the values inside the box of actions: what a critic dreams of outside would wash out the rest.
function paintGrid(grid, extent, stops, difference = false, levels = 9) {
  const [rows, columns] = grid.shape, values = grid.data, inside = (i, n) => Math.abs(((i + 0.5) / n) * 2 - 1) * extent <= 1
  let low = Infinity, high = -Infinity
  for (let i = 0; i < rows; i++) if (inside(i, rows)) for (let j = 0; j < columns; j++) if (inside(j, columns)) {
    low = Math.min(low, values[i * columns + j]); high = Math.max(high, values[i * columns + j])
  }
  if (difference) { high = Math.max(Math.abs(low), Math.abs(high)); low = -high }
  const span = high - low || 1, colour = ramp(stops)
  const image = document.createElement("canvas")
  image.width = columns; image.height = rows
  const g = image.getContext("2d"), pixels = g.createImageData(columns, rows)
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) {
    const at = 4 * ((rows - 1 - i) * columns + j)
    colour((values[i * columns + j] - low) / span, pixels.data, at)
    pixels.data[at + 3] = 255
  }
  g.putImageData(pixels, 0, 0)
  const lines = []
  if (high > low) contours(values, rows, columns, Array.from({length: levels}, (_, k) => low + (span * (k + 1)) / (levels + 1)), lines)
  return {image, lines, low, high, rows, columns}
}

// The key to a landscape's colours, top right: name, low value, ramp, high value.
function drawKey(g, canvas, painted, stops, name, ratio, ink, ground) {
  const low = number(painted.low), high = number(painted.high), bar = 44 * ratio, pad = 7 * ratio, tall = 19 * ratio
  g.font = `500 ${11 * ratio}px ${FONT}`
  const left = `${name} ${low}`, widths = [g.measureText(left).width, g.measureText(high).width]
  const wide = widths[0] + widths[1] + bar + 4 * pad, x = canvas.width - wide - 8 * ratio, y = 8 * ratio
  g.fillStyle = ground
  g.globalAlpha = 0.82
  g.beginPath(); g.roundRect(x, y, wide, tall, 6 * ratio); g.fill()
  g.globalAlpha = 1
  const shade = g.createLinearGradient(x + widths[0] + 2 * pad, 0, x + widths[0] + 2 * pad + bar, 0)
  stops.forEach((stop, i) => shade.addColorStop(i / (stops.length - 1), stop))
  g.fillStyle = shade
  g.fillRect(x + widths[0] + 2 * pad, y + tall / 2 - 3.5 * ratio, bar, 7 * ratio)
  g.strokeStyle = ink
  g.globalAlpha = 0.3
  g.lineWidth = ratio
  g.strokeRect(x + widths[0] + 2 * pad, y + tall / 2 - 3.5 * ratio, bar, 7 * ratio)
  g.globalAlpha = 1
  g.fillStyle = ink
  g.textAlign = "left"
  g.fillText(left, x + pad, y + 13.5 * ratio)
  g.fillText(high, x + widths[0] + 3 * pad + bar, y + 13.5 * ratio)
}

function contours(values, rows, columns, levels, out) {
  for (let i = 0; i + 1 < rows; i++) for (let j = 0; j + 1 < columns; j++) {
    const a = values[i * columns + j], b = values[i * columns + j + 1]
    const c = values[(i + 1) * columns + j + 1], d = values[(i + 1) * columns + j]
    const least = Math.min(a, b, c, d), most = Math.max(a, b, c, d)
    for (const level of levels) {
      if (least >= level || most < level) continue // most cells: no line passes
      const cut = []
      if (a < level !== b < level) cut.push(j + (level - a) / (b - a), i)
      if (b < level !== c < level) cut.push(j + 1, i + (level - b) / (c - b))
      if (d < level !== c < level) cut.push(j + (level - d) / (c - d), i + 1)
      if (a < level !== d < level) cut.push(j, i + (level - a) / (d - a))
      if (cut.length >= 4) out.push(cut[0], cut[1], cut[2], cut[3])
      if (cut.length === 8) out.push(cut[4], cut[5], cut[6], cut[7])
    }
  }
}

// Maps a square view of the plane (centre and half width) to a canvas.
function lens(canvas, view) {
  const scale = canvas.width / (2 * view.half)
  return {
    scale,
    x: (a) => (a - view.x) * scale + canvas.width / 2,
    y: (a) => canvas.height / 2 - (a - view.y) * scale,
    back: (px, py) => [(px - canvas.width / 2) / scale + view.x, view.y - (py - canvas.height / 2) / scale],
  }
}

function drawGrid(g, painted, extent, to, ink, ratio) {
  const cell = (2 * extent) / painted.columns
  g.imageSmoothingEnabled = true
  g.imageSmoothingQuality = "high"
  g.drawImage(painted.image, to.x(-extent), to.y(extent), 2 * extent * to.scale, 2 * extent * to.scale)
  const path = new Path2D(), lines = painted.lines, at = (k) => (k + 0.5) * cell - extent
  for (let i = 0; i < lines.length; i += 4) {
    path.moveTo(to.x(at(lines[i])), to.y(at(lines[i + 1])))
    path.lineTo(to.x(at(lines[i + 2])), to.y(at(lines[i + 3])))
  }
  g.strokeStyle = ink
  g.globalAlpha = 0.16
  g.lineWidth = ratio
  g.stroke(path)
  g.globalAlpha = 1
}

// Values at a place of a grid over [-extent, extent]², the nearest cell; NaN outside.
function valueAt(grid, extent, [x, y]) {
  const [rows, columns] = grid.shape
  const j = Math.floor(((x + extent) / (2 * extent)) * columns), i = Math.floor(((y + extent) / (2 * extent)) * rows)
  return i < 0 || j < 0 || i >= rows || j >= columns ? NaN : grid.data[i * columns + j]
}

const FONT = "-apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'Liberation Sans', Arial, sans-serif"
const number = (value, digits = 2) => (Number.isFinite(value) ? value.toFixed(digits).replace("-", "−") : "–")
