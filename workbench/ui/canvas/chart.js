// One small chart over flow time with a line per rule; its cursor follows the stages in the browser.

export function render({model, el}) {
  const root = element("div", "wb-chart"), head = element("h3", "", root), note = element("p", "", root)
  const canvas = element("canvas", "", root)
  canvas.setAttribute("role", "img")
  let tick = null

  function ticksOf(low, high) {
    const raw = (high - low) / 4, power = 10 ** Math.floor(Math.log10(raw))
    const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= raw), out = []
    for (let v = Math.ceil(low / step) * step; v <= high + 1e-9 * step; v += step) out.push(Math.abs(v) < 1e-9 * step ? 0 : v)
    return [out, Math.max(0, -Math.floor(Math.log10(step)))]
  }

  const draw = onceAFrame(() => {
    const block = unpack(model.series)
    head.textContent = model.heading
    note.textContent = model.note
    if (!block || !fit(canvas)) return
    const g = canvas.getContext("2d"), ratio = window.devicePixelRatio || 1, {lines, flow} = block.header
    const width = canvas.width, height = canvas.height
    const all = lines.flatMap((_, i) => Array.from(block.arrays[`y${i}`].data)).filter(Number.isFinite)
    g.clearRect(0, 0, width, height)
    if (!all.length) return
    let low = Math.min(...all), high = Math.max(...all)
    if (block.header.zero) low = Math.min(0, low)
    if (high - low < 1e-3) high = low + (block.header.zero ? 0.1 : 1e-3)
    const pad = 0.06 * (high - low)
    high += pad; low -= block.header.zero ? 0 : pad
    const last = Math.max(...lines.map((line) => line.ticks), 1)
    const left = 40 * ratio, right = width - 12 * ratio, top = 6 * ratio, foot = height - 20 * ratio
    const x = (k) => left + ((right - left) * k) / last, y = (v) => foot - ((foot - top) * (v - low)) / (high - low)
    const ink = token(root, "--wb-muted"), rule = token(root, "--wb-line")
    g.font = `${11 * ratio}px ${FONT}`
    g.fillStyle = ink
    g.strokeStyle = rule
    g.lineWidth = ratio
    const [values, digits] = ticksOf(low, high)
    g.textAlign = "right"
    for (const v of values) {
      g.beginPath(); g.moveTo(left, y(v)); g.lineTo(right, y(v)); g.stroke()
      g.fillText(number(v, digits), left - 6 * ratio, y(v) + 4 * ratio)
    }
    g.textAlign = "center"
    const marks = last > flow ? [[0, "t = 0"], [flow, "1"], [last, `+${last - flow}`]] : [[0, "t = 0"], [flow / 2, "0.5"], [flow, "1"]]
    for (const [k, text] of marks) {
      const at = Math.min(Math.max(x(k), left + 10 * ratio), right - 8 * ratio)
      g.fillText(text, at, height - 5 * ratio)
    }
    if (last > flow) {
      g.setLineDash([3 * ratio, 3 * ratio])
      g.strokeStyle = ink
      g.beginPath(); g.moveTo(x(flow), top); g.lineTo(x(flow), foot); g.stroke()
      g.setLineDash([])
    }
    const k = tick === null ? last : Math.min(tick, last)
    g.strokeStyle = ink
    g.beginPath(); g.moveTo(x(k), top); g.lineTo(x(k), foot); g.stroke()
    lines.forEach((line, i) => drawLine(g, line, block.arrays[`y${i}`].data, k, x, y, ratio))
  })

  function drawLine(g, line, data, k, x, y, ratio) {
    const points = Array.from(data, (v, i) => [i, v]).filter(([, v]) => Number.isFinite(v)), path = new Path2D()
    points.forEach(([i, v], n) => (n ? path.lineTo(x(i), y(v)) : path.moveTo(x(i), y(v))))
    g.strokeStyle = g.fillStyle = colourOf(line.look)
    g.lineWidth = 2 * ratio
    g.lineJoin = "round"
    g.stroke(path)
    if (!points.length) return
    const end = Math.min(k, points[points.length - 1][0])
    let n = 0
    while (n + 1 < points.length && points[n + 1][0] <= end) n++
    const [i, v] = points[n], [j, w] = points[Math.min(n + 1, points.length - 1)], u = j > i ? (end - i) / (j - i) : 0
    const mark = new Path2D()
    addShape(mark, line.look.shape, x(end), y(v + u * (w - v)), 4.5 * ratio)
    g.fill(mark)
    g.strokeStyle = token(root, "--wb-surface")
    g.lineWidth = 1.2 * ratio
    g.stroke(mark)
  }

  const follow = (event) => { if (tick !== event.detail.tick) { tick = event.detail.tick; draw() } }
  model.on(["series", "heading", "note"], draw)
  const watch = new ResizeObserver(draw)
  watch.observe(root)
  window.addEventListener("wb-theme", draw)
  window.addEventListener("wb-tick", follow)
  model.on("remove", () => {
    watch.disconnect()
    window.removeEventListener("wb-theme", draw)
    window.removeEventListener("wb-tick", follow)
  })
  draw()
  return root
}
