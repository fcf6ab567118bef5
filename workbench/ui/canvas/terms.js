// The sign of the reward's peak, which can be dragged, and the arrows of one chosen particle: the terms of its movement.

const TERM_LOOKS = {
  velocity: {light: "#17202c", dark: "#e8edf3", dash: []},
  guidance: {light: "#b0125b", dark: "#ff7ab0", dash: []},
  attraction: {light: "#b0125b", dark: "#ff7ab0", dash: []},
  repulsion: {light: "#5e3c99", dark: "#b9a3ff", dash: [4, 3]},
}
const SPARE_TERM = {light: "#7a5a00", dark: "#ffd24d", dash: [2, 3]}
const LONGEST = 0.42 // of half the view: the longest arrow of the trace
const PEAK_REACH = 16 // pixels around the peak that grab it

const PEAK_SIGN = "M8 0A8 8 0 1 1-8 0A8 8 0 1 1 8 0M4.4 0H12.8M-4.4 0H-12.8M0 4.4V12.8M0-4.4V-12.8"

// What follows the hand, over a canvas: elements that are only moved, so that nothing below them is painted again.
function makeOver(parent) {
  const over = element("div", "wb-over", parent), cross = ["wb-cross", "wb-cross wb-flat"].map((name) => element("div", name, over))
  const peak = element("div", "wb-peak", over)
  const svg = '<svg viewBox="-16 -16 32 32" width="32" height="32"><path class="wb-halo" d="SIGN"/><path d="SIGN"/></svg>'
  peak.innerHTML = svg.replaceAll("SIGN", PEAK_SIGN)
  for (const one of [...cross, peak]) one.hidden = true
  const to = (canvas, view) => lens({width: canvas.clientWidth, height: canvas.clientHeight}, view)
  return {
    // ``place`` or null; on a line the peak stands on a stem.
    peak(place, canvas, view, line) {
      peak.hidden = !place
      if (!place) return
      const at = to(canvas, view)
      peak.classList.toggle("wb-stem", line)
      peak.style.setProperty("--wb-stem", `${canvas.clientHeight - 81}px`)
      peak.style.transform = `translate(${at.x(place[0])}px, ${line ? canvas.clientHeight - 34 : at.y(place[1])}px)`
    },
    pointer(place, canvas, view) {
      cross.forEach((one) => (one.hidden = !place))
      if (!place) return
      const at = to(canvas, view)
      cross[0].style.transform = `translateX(${at.x(place[0])}px)`
      cross[1].style.transform = `translateY(${at.y(place[1])}px)`
    },
  }
}

// Nearest particle of a stage to a place, or -1 when none is within 14 pixels.
function particleAt(spec, arrays, k, place, to, ratio) {
  let best = -1, least = 14 * ratio
  for (let p = 0; p < spec.count; p++) {
    const [x, y] = placeAt(spec, arrays[`positions${spec.index}`], p, k)
    const far = Math.hypot(to.x(x) - to.x(place[0]), to.y(y) - to.y(place[1]))
    if (far < least) { best = p; least = far }
  }
  return best
}

// Arrows of the chosen particle at tick k: during tick i the particle moves by the sum of its terms (of the rule's own
// units); the longest of the whole way sets their scale.
function drawTerms(g, spec, arrays, selected, k, to, ratio, half, ink, ground) {
  if (selected >= spec.count) return ""
  const [x, y] = placeAt(spec, arrays[`positions${spec.index}`], selected, k), ring = new Path2D()
  ring.arc(to.x(x), to.y(y), 7 * ratio, 0, 2 * Math.PI)
  for (const [width, colour] of [[4.5, ground], [2, ink]]) { g.lineWidth = width * ratio; g.strokeStyle = colour; g.stroke(ring) }
  const block = arrays[`terms${spec.index}`]
  if (!block || !spec.terms.length) return ""
  const count = spec.terms.length, tick = Math.min(Math.floor(Math.min(k, spec.ticks) + 1e-6), spec.ticks - 1)
  let longest = 1e-9
  for (let i = 0; i < block.data.length; i += 2) longest = Math.max(longest, Math.hypot(block.data[i], block.data[i + 1]))
  const scale = (LONGEST * half) / longest, words = []
  spec.terms.forEach((name, n) => {
    const at = 2 * (tick * count + n), dx = block.data[at], dy = block.data[at + 1], size = Math.hypot(dx, dy)
    if (!(size > 0)) return
    words.push(`${name} ${size < 0.1 ? size.toPrecision(1) : number(size)}`)
    drawArrow(g, to.x(x), to.y(y), to.x(x + scale * dx), to.y(y + scale * dy), TERM_LOOKS[name] || SPARE_TERM, name, ratio, ground)
  })
  return words.length ? `step ${tick + 1}: ${words.join(", ")}` : ""
}

function drawArrow(g, x, y, tx, ty, look, name, ratio, ground) {
  const far = Math.hypot(tx - x, ty - y)
  if (far < 3 * ratio) return
  const ux = (tx - x) / far, uy = (ty - y) / far, head = 7 * ratio, shaft = new Path2D(), tip = new Path2D()
  shaft.moveTo(x, y); shaft.lineTo(tx - ux * head * 0.7, ty - uy * head * 0.7)
  tip.moveTo(tx, ty)
  tip.lineTo(tx - ux * head - uy * head * 0.5, ty - uy * head + ux * head * 0.5)
  tip.lineTo(tx - ux * head + uy * head * 0.5, ty - uy * head - ux * head * 0.5)
  tip.closePath()
  g.strokeStyle = ground; g.lineWidth = 5 * ratio; g.stroke(shaft); g.lineWidth = 3 * ratio; g.stroke(tip)
  g.strokeStyle = g.fillStyle = colourOf(look)
  g.setLineDash(look.dash.map((d) => d * ratio))
  g.lineWidth = 2.4 * ratio
  g.stroke(shaft)
  g.setLineDash([])
  g.fill(tip)
  g.font = `600 ${11 * ratio}px ${FONT}`
  g.textAlign = ux < -0.2 ? "right" : ux > 0.2 ? "left" : "center"
  const lx = tx + ux * 5 * ratio, ly = ty + uy * 9 * ratio + 4 * ratio
  g.strokeStyle = ground; g.lineWidth = 3 * ratio; g.strokeText(name, lx, ly)
  g.fillText(name, lx, ly)
}
