// A landscape as a surface that can be turned: drag or arrow keys turn it, the wheel or + and − zoom.

export function render({model, el}) {
  const root = element("div", "wb-surface"), canvas = element("canvas", "", root)
  canvas.tabIndex = 0
  canvas.setAttribute("role", "img")
  let turn = -0.75, tilt = 0.95, zoom = 1, held = null

  const draw = onceAFrame(() => {
    const block = unpack(model.frame)
    if (!block || !fit(canvas)) return
    const g = canvas.getContext("2d"), ratio = window.devicePixelRatio || 1, {header, arrays} = block
    const values = arrays.values.data, [rows, columns] = arrays.values.shape, extent = header.extent
    const low = header.low, span = header.high - header.low || 1, colour = ramp(model.ramps[isDark() ? "dark" : "light"])
    const size = 0.4 * zoom * Math.min(canvas.width, canvas.height), cx = canvas.width / 2, cy = 0.47 * canvas.height
    const ct = Math.cos(turn), st = Math.sin(turn), ci = Math.cos(tilt), si = Math.sin(tilt)
    const lift = (q) => 0.75 * (Math.min(Math.max((q - low) / span, -0.15), 1.15) - 0.5)
    const project = (x, y, z) => {
      const a = (x * ct - y * st) / extent, b = (x * st + y * ct) / extent
      return [cx + size * a, cy - size * (b * ci + z * si), b * si - z * ci]  // the third: how far away
    }
    g.clearRect(0, 0, canvas.width, canvas.height)
    const place = (i, n) => -extent + ((i + 0.5) * 2 * extent) / n, corners = []
    for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) corners.push(project(place(j, columns), place(i, rows), lift(values[i * columns + j])))
    const quads = []
    for (let i = 0; i + 1 < rows; i++) for (let j = 0; j + 1 < columns; j++) {
      const at = [i * columns + j, i * columns + j + 1, (i + 1) * columns + j + 1, (i + 1) * columns + j]
      quads.push([at, at.reduce((sum, k) => sum + corners[k][2], 0) / 4])
    }
    const marks = header.clouds.flatMap((look, n) => {
      const points = arrays[`cloud${n}`].data, out = []
      for (let k = 0; k < points.length; k += 3) {
        const [x, y, depth] = project(points[k], points[k + 1], lift(points[k + 2]) + 0.015)
        out.push([{x, y, look}, depth - 0.03])
      }
      return out
    })
    const edge = isDark() ? "#ffffff14" : "#17202c14"
    for (const [what] of [...quads, ...marks].sort((one, other) => other[1] - one[1])) {
      const path = new Path2D()
      if (Array.isArray(what)) {
        what.forEach((k, n) => (n ? path.lineTo(corners[k][0], corners[k][1]) : path.moveTo(corners[k][0], corners[k][1])))
        path.closePath()
        const mean = what.reduce((sum, k) => sum + values[k], 0) / 4, slope = (values[what[2]] - values[what[0]]) / span
        const shade = Math.min(Math.max(1 - 1.6 * slope, 0.78), 1.12)
        g.fillStyle = `rgb(${colour((mean - low) / span).map((c) => Math.round(Math.min(255, c * shade))).join(",")})`
        g.fill(path)
        g.strokeStyle = edge
        g.lineWidth = 0.5 * ratio
        g.stroke(path)
      } else {
        addShape(path, what.look.shape, what.x, what.y, 3.2 * ratio)
        g.fillStyle = colourOf(what.look)
        g.strokeStyle = isDark() ? "#131922" : "#ffffff"
        g.lineWidth = 0.6 * ratio
        g.fill(path)
        g.stroke(path)
      }
    }
    g.fillStyle = token(root, "--wb-muted")
    g.font = `${11.5 * ratio}px ${FONT}`
    g.textAlign = "center"
    const foot = lift(low) - 0.1
    for (const [name, x, y] of [[header.names[0], 0, -1.15 * extent], [header.names[1], 1.15 * extent, 0]]) {
      const [px, py] = project(x, y, foot)
      g.fillText(name, px, py)
    }
    canvas.setAttribute("aria-label", `${header.title} as a surface over ${header.names.join(" and ")}, from ${number(header.low)} to ${number(header.high)}. Arrow keys turn it.`)
  })

  const change = (a, b, factor = 1) => {
    turn += a
    tilt = Math.min(Math.max(tilt + b, 0.15), 1.5)
    zoom = Math.min(Math.max(zoom * factor, 0.5), 4)
    draw()
  }
  canvas.addEventListener("pointerdown", (event) => { held = [event.clientX, event.clientY]; canvas.setPointerCapture(event.pointerId) })
  canvas.addEventListener("pointermove", (event) => {
    if (!held) return
    change(0.008 * (event.clientX - held[0]), 0.006 * (event.clientY - held[1]))
    held = [event.clientX, event.clientY]
  })
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { held = null })
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); change(0, 0, Math.exp(-0.0015 * event.deltaY)) }, {passive: false})
  canvas.addEventListener("keydown", (event) => {
    const moves = {ArrowLeft: [-0.12, 0], ArrowRight: [0.12, 0], ArrowUp: [0, 0.08], ArrowDown: [0, -0.08], "+": [0, 0, 1.15], "-": [0, 0, 1 / 1.15]}
    if (!moves[event.key]) return
    event.preventDefault()
    change(...moves[event.key])
  })
  const resized = new ResizeObserver(draw)
  resized.observe(canvas)
  window.addEventListener("wb-theme", draw)
  model.on("frame", draw)
  model.on("remove", () => { resized.disconnect(); window.removeEventListener("wb-theme", draw) })
  draw()
  return root
}
