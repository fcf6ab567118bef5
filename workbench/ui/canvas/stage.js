// The stages: value landscape, paths, particles; play and scrub of flow time, pan and zoom, all without the server.

function makeStage(parent) {
  const card = element("section", "wb-stage", parent), head = element("header", "", card)
  const mark = element("canvas", "wb-glyph", head), heads = element("div", "", head)
  const title = element("h2", "", heads), subtitle = element("p", "", heads)
  const frame = element("div", "wb-frame", card), canvas = element("canvas", "wb-canvas", frame)
  const over = makeOver(frame), readout = element("output", "wb-readout", frame)
  const where = element("p", "wb-where", card), numbers = element("dl", "wb-numbers", card)
  const words = element("output", "wb-words", frame)
  return {card, mark, title, subtitle, frame, canvas, over, readout, where, numbers, words}
}

function showNumbers(list, numbers) {
  while (list.children.length > numbers.length) list.lastChild.remove()
  numbers.forEach(([name, value, meaning], i) => {
    let cell = list.children[i]
    if (!cell) { cell = element("div", "", list); element("dt", "", cell); element("dd", "", cell) }
    cell.title = meaning
    cell.children[0].textContent = name
    cell.children[1].textContent = value
  })
}

// Position of particle p at tick time k (a fraction moves along the straight step, which is where Euler's method is).
function placeAt(stage, positions, p, k) {
  const last = stage.ticks, at = Math.min(k, last), i = Math.min(Math.floor(at), last), j = Math.min(i + 1, last), u = at - i
  const a = 2 * (i * stage.count + p), b = 2 * (j * stage.count + p), d = positions.data
  return [d[a] + u * (d[b] - d[a]), d[a + 1] + u * (d[b + 1] - d[a + 1])]
}

function drawParticles(g, stage, arrays, k, to, ratio, ink) {
  const positions = arrays[`positions${stage.index}`], picked = arrays[`picked${stage.index}`].data, d = positions.data
  const colour = colourOf(stage.look), n = stage.count, last = Math.min(k, stage.ticks)
  const flow = new Path2D(), after = new Path2D()
  for (let p = 0; p < n; p++) {
    if (!stage.single && !picked[p] && n > 256 && p % 2) continue
    let path = flow
    path.moveTo(to.x(d[2 * p]), to.y(d[2 * p + 1]))
    for (let i = 1; i <= Math.floor(last); i++) {
      const at = 2 * (i * n + p)
      if (i === stage.flow + 1) { path = after; path.moveTo(to.x(d[at - 2 * n]), to.y(d[at - 2 * n + 1])) }
      path.lineTo(to.x(d[at]), to.y(d[at + 1]))
    }
    const [x, y] = placeAt(stage, positions, p, k)
    if (last > stage.flow && Math.floor(last) === stage.flow) {
      path = after
      const at = 2 * (stage.flow * n + p)
      path.moveTo(to.x(d[at]), to.y(d[at + 1]))
    }
    path.lineTo(to.x(x), to.y(y))
  }
  g.strokeStyle = colour
  g.lineJoin = "round"
  g.lineWidth = 0.9 * ratio
  g.globalAlpha = n > 300 ? 0.16 : 0.26
  g.stroke(flow)
  g.lineWidth = ratio // above one pixel a canvas without a GPU strokes ten times slower
  g.globalAlpha = 0.55
  g.stroke(after)
  g.globalAlpha = 1
  const rest = new Path2D(), r = (n > 300 ? 2.7 : 3.3) * ratio, chosen = []
  for (let p = 0; p < n; p++) {
    const [x, y] = placeAt(stage, positions, p, k)
    if (picked[p]) chosen.push([to.x(x), to.y(y)])
    else addShape(rest, stage.look.shape, to.x(x), to.y(y), 0.8 * r)
  }
  g.fillStyle = colour
  g.globalAlpha = 0.35
  g.fill(rest)
  drawMarks(g, chosen, stage.look, r * (stage.single ? 1 : 1.35), 0.9 * ratio, ink)
}

// Marks with a halo, in layers: one layer would melt a crowd into a blob, one mark at a time would be slow.
function drawMarks(g, places, look, r, edge, ink, alpha = 1) {
  const layer = Math.ceil(places.length / 24)
  g.fillStyle = colourOf(look)
  g.strokeStyle = ink
  g.lineWidth = 2 * edge
  g.globalAlpha = alpha
  for (let first = 0; first < places.length; first += layer) {
    const path = new Path2D()
    for (const [x, y] of places.slice(first, first + layer)) addShape(path, look.shape, x, y, r)
    g.stroke(path)
    g.fill(path)
  }
  g.globalAlpha = 1
}

function drawBox(g, canvas, to, ratio, ink, line = false) {
  g.strokeStyle = ink
  g.globalAlpha = 0.45
  g.setLineDash([3 * ratio, 3 * ratio])
  g.lineWidth = ratio
  if (line) {
    const edges = new Path2D()
    for (const x of [-1, 1]) { edges.moveTo(to.x(x), 0); edges.lineTo(to.x(x), canvas.height) }
    g.stroke(edges)
  } else g.strokeRect(to.x(-1), to.y(1), 2 * to.scale, 2 * to.scale)
  g.setLineDash([])
  g.globalAlpha = 0.8
  g.fillStyle = ink
  g.font = `${11 * ratio}px ${FONT}`
  const foot = Math.min(canvas.height - 5 * ratio, to.y(-1) + 13 * ratio), side = Math.max(3 * ratio, to.x(-1) - 17 * ratio)
  g.textAlign = "center"
  for (const value of [-1, 0, 1]) {
    g.fillText(number(value, 0), to.x(value), foot)
    if (value && !line) g.fillText(number(value, 0), side + 6 * ratio, to.y(value) + 4 * ratio)
  }
  if (canvas.width < 230 * ratio) { g.globalAlpha = 1; return }
  g.fillText(line ? "action" : "action 1", to.x(0.5), foot)
  g.save()
  g.translate(side + 9 * ratio, to.y(0))
  g.rotate(-Math.PI / 2)
  g.fillText(line ? "flow time →" : "action 2", 0, 0)
  g.restore()
  g.globalAlpha = 1
}

export function render({model, el}) {
  const root = element("div", "wb-scene"), notice = element("div", "wb-notice", root)
  notice.setAttribute("role", "status")
  const row = element("div", "wb-stages", root), bar = element("div", "wb-transport", root)
  const play = element("button", "wb-play", bar), label = element("span", "wb-bar-label", bar, "Flow time")
  const scrub = element("input", "wb-scrub", bar), clock = element("output", "wb-clock", bar)
  const reset = element("button", "wb-reset", bar, "Reset view")
  reset.hidden = bar.hidden = true
  play.type = reset.type = "button"
  play.setAttribute("aria-label", "Play flow time")
  Object.assign(scrub, {type: "range", min: 0, step: "any"})
  scrub.setAttribute("aria-label", "Flow time")
  const stages = [], state = {view: {...model.view}, tick: null, playing: false, pointer: null, grid: null, painted: {}, drag: null}
  let frame = null, world = null
  const home = () => ({...model.view})
  const longest = () => (frame ? Math.max(...frame.header.stages.map((s) => s.ticks)) : 1)
  const now = () => (state.tick === null ? longest() : Math.min(state.tick, longest()))

  const draw = onceAFrame(() => {
    if (!frame) return
    const ink = token(root, "--wb-ink"), edge = token(root, "--wb-surface"), ratio = window.devicePixelRatio || 1
    frame.header.stages.forEach((spec, i) => {
      const stage = stages[i]
      if (!fit(stage.canvas)) return
      glyph(stage.mark, spec.look)
      paint(stage, spec, ink, edge, ratio)
    })
    if (world) world.draw(now(), frame, ratio)
    showHand()
    tellTime()
  })

  // Only when it would look different.
  function paint(stage, spec, ink, edge, ratio) {
    const canvas = stage.canvas, ground = state.grid && paintedGrid("grid", state.grid)
    const key = [...lookOf(canvas, ink), now(), edge].join(), kept = stage.kept
    if (kept?.key === key && kept.frame === frame && kept.ground === ground) return
    stage.kept = {key, frame, ground}
    const g = canvas.getContext("2d"), to = lens(canvas, state.view), chosen = frame.header.selected
    g.drawImage(backdrop(canvas, ground, to, ink, edge, ratio), 0, 0)
    drawParticles(g, spec, frame.arrays, now(), to, ratio, edge)
    const words = chosen < 0 ? "" : drawTerms(g, spec, frame.arrays, chosen, now(), to, ratio, state.view.half, ink, edge)
    if (stage.words.textContent !== words) stage.words.textContent = words
    if (ground) drawKey(g, canvas, ground, rampsOf(state.grid), state.grid.header.name, ratio, ink, edge)
  }

  // What follows the pointer and the dragged peak.
  function showHand() {
    if (!frame) return
    const place = state.pointer, q = place && state.grid ? valueAt(state.grid.arrays.values, state.grid.header.extent, place) : NaN
    const text = place ? `a = ${frame.header.line ? number(place[0]) : `(${number(place[0])}, ${number(place[1])})`}   ${state.grid?.header.name ?? "Q"} ${number(q)}` : ""
    for (const stage of stages) {
      stage.over.pointer(place, stage.canvas, state.view)
      stage.over.peak(peak(), stage.canvas, state.view, frame.header.line)
    }
    world?.hand?.(frame.header.line)
    for (const stage of stages) if (stage.readout.textContent !== text) stage.readout.textContent = text
  }
  const follow = onceAFrame(showHand)

  const lookOf = (canvas, ink) => [canvas.width, canvas.height, state.view.x, state.view.y, state.view.half, ink, frame.header.line]

  // What lies behind the particles, kept until the landscape, the view, the size or the theme changes.
  function backdrop(canvas, ground, to, ink, edge, ratio) {
    const key = lookOf(canvas, ink).join()
    if (state.back?.key === key && state.back.ground === ground) return state.back.image
    const image = document.createElement("canvas"), g = image.getContext("2d")
    image.width = canvas.width
    image.height = canvas.height
    g.fillStyle = edge
    g.fillRect(0, 0, image.width, image.height)
    if (ground) drawGrid(g, ground, state.grid.header.extent, to, ink, ratio)
    drawBox(g, image, to, ratio, ink, frame.header.line)
    state.back = {key, ground, image}
    return image
  }

  const ramps = () => model.ramps[isDark() ? "dark" : "light"]
  const rampsOf = (block) => (block.header.difference ? model.differences[isDark() ? "dark" : "light"] : ramps())
  const peak = () => state.drag?.peak || (model.peak.length ? [model.peak[0], model.peak[1] ?? 0] : null)

  function paintedGrid(name, block) {
    const dark = isDark(), kept = state.painted[name]
    if (!kept || kept.block !== block || kept.dark !== dark) {
      state.painted[name] = {block, dark, made: paintGrid(block.arrays.values, block.header.extent, rampsOf(block), block.header.difference)}
    }
    return state.painted[name].made
  }

  function tellTime() {
    const k = now(), flow = frame.header.stages[0].flow, last = longest()
    const text = k <= flow + 1e-9 ? `t = ${number(k / flow)}` : `t = 1, step ${Math.ceil(k - flow - 1e-9)} of ${last - flow}`
    clock.textContent = text
    scrub.max = last
    scrub.value = k
    scrub.style.setProperty("--wb-part", `${(100 * k) / last}%`)
    scrub.setAttribute("aria-valuetext", text)
    window.dispatchEvent(new CustomEvent("wb-tick", {detail: {tick: k}}))
  }

  function showFrame() {
    const next = unpack(model.frame)
    if (!next) return
    frame = next
    bar.hidden = false
    while (stages.length < frame.header.stages.length) listen(stages[stages.push(makeStage(row)) - 1])
    while (stages.length > frame.header.stages.length) stages.pop().card.remove()
    if (world) row.appendChild(world.card)
    columns()
    frame.header.stages.forEach((spec, i) => {
      const stage = stages[i]
      stage.card.dataset.rule = spec.name
      stage.title.textContent = spec.title
      stage.subtitle.textContent = spec.subtitle
      stage.card.dataset.stage = i
      stage.canvas.setAttribute("role", model.peak.length ? "application" : "img")
      if (model.peak.length) stage.canvas.tabIndex = 0
      stage.canvas.setAttribute("aria-label", `${spec.title}: ${spec.numbers.map(([name, value]) => `${name} ${value}`).join(", ")}${model.peak.length ? ". Arrow keys move the reward's peak" : ""}`)
      stage.where.textContent = spec.where
      showNumbers(stage.numbers, spec.numbers)
    })
    root.dataset.version = frame.header.version
    draw()
  }

  // Flow time stands in the address bar too; the header writes it (toolbar.js).
  function keepLink() {
    const tick = state.tick === null ? null : state.tick.toFixed(1)
    window.dispatchEvent(new CustomEvent("wb-local", {detail: {tick}}))
  }

  function columns() {
    root.style.setProperty("--wb-columns", stages.length + (world ? 1 : 0))
    root.classList.toggle("wb-four", stages.length + (world ? 1 : 0) > 3)
  }

  function showNotice() {
    const {kind = "", text = "", progress = null, button = ""} = model.notice || {}
    if (!notice.hidden && notice.dataset.button === button && button && notice.className === `wb-notice ${kind}`) {
      notice.firstChild.textContent = text // the button stays under the finger
      if (progress !== null) notice.querySelector(".wb-progress")?.style.setProperty("--wb-part", `${100 * progress}%`)
      return
    }
    notice.dataset.button = button
    notice.className = `wb-notice ${kind}`
    notice.hidden = !text
    notice.replaceChildren()
    root.classList.toggle("wb-waiting", kind === "loading")
    if (!text) return
    element("p", "", notice, text)
    if (progress !== null) element("div", "wb-progress", notice).style.setProperty("--wb-part", `${100 * progress}%`)
    if (!button) return
    const press = element("button", "wb-notice-button", notice, button)
    press.type = "button"
    press.addEventListener("click", () => model.send_msg({press: "notice"}))
  }

  function seek(tick) {
    state.tick = tick >= longest() - 1e-6 ? null : Math.max(0, tick)
    draw()
    keepLink()
  }

  function setPlaying(playing) {
    state.playing = playing
    play.classList.toggle("on", playing)
    play.setAttribute("aria-label", playing ? "Pause" : "Play flow time")
    if (!playing) return
    if (now() >= longest() - 1e-6) state.tick = 0
    const ticksPerMs = longest() / Math.min(6000, 1400 + 90 * longest())
    let before = performance.now()
    const step = (time) => {
      if (!state.playing || !frame) return
      seek(now() + (time - before) * ticksPerMs)
      before = time
      if (state.tick === null) setPlaying(false)
      else requestAnimationFrame(step)
    }
    requestAnimationFrame(step)
  }
  play.addEventListener("click", () => setPlaying(!state.playing))
  scrub.addEventListener("input", () => { setPlaying(false); seek(Number(scrub.value)) })
  scrub.addEventListener("keydown", (event) => {
    const jump = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 5, PageDown: -5}[event.key]
    if (!jump) return
    event.preventDefault()
    setPlaying(false)
    seek(jump > 0 ? Math.floor(now() + 1e-6) + jump : Math.ceil(now() - 1e-6) + jump)
  })

  function setView(view) {
    state.view = view
    reset.hidden = view.half === home().half && view.x === home().x && view.y === home().y
    draw()
  }
  reset.addEventListener("click", () => setView(home()))

  // The peak follows the hand at once; the server's answers follow it.
  const rounded = (place) => place.slice(0, model.peak.length).map((v) => Math.round(1000 * Math.min(1, Math.max(-1, v))) / 1000)
  const sendPeak = () => { if (state.drag) model.peak = rounded(state.drag.peak) }
  const sendSoon = atMost(40, sendPeak)
  function movePeak(place, now = false) {
    const at = rounded(place)
    if (now) model.peak = at
    else { state.drag = {peak: [at[0], at[1] ?? 0]}; sendSoon() }
    follow()
  }

  // One view for all stages: their axes are linked because they are the same object.
  function listen(stage) {
    const canvas = stage.canvas
    const place = (event) => {
      const box = canvas.getBoundingClientRect(), ratio = canvas.width / box.width
      return lens(canvas, state.view).back((event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio)
    }
    let grip = null, from = null
    const onPeak = (event) => {
      if (!peak() || model.fixed) return false
      const box = canvas.getBoundingClientRect(), ratio = canvas.width / box.width, to = lens(canvas, state.view)
      const dx = to.x(peak()[0]) / ratio - (event.clientX - box.left)
      const dy = frame.header.line ? 0 : to.y(peak()[1]) / ratio - (event.clientY - box.top)
      return Math.hypot(dx, dy) < PEAK_REACH
    }
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return
      from = [event.clientX, event.clientY]
      if (onPeak(event)) { state.drag = {peak: peak()}; model.dragging = true }
      else if (event.pointerType === "touch") return
      grip = place(event)
      canvas.setPointerCapture(event.pointerId)
    })
    canvas.addEventListener("touchstart", (event) => { if (event.touches.length === 1 && onPeak(event.touches[0])) event.preventDefault() }, {passive: false})
    canvas.addEventListener("pointermove", (event) => {
      const at = place(event)
      state.pointer = state.drag ? null : at
      if (state.drag) return movePeak(at)
      if (grip) setView({...state.view, x: state.view.x + grip[0] - at[0], y: state.view.y + grip[1] - at[1]})
      canvas.style.cursor = onPeak(event) ? "grab" : ""
      follow()
    })
    canvas.addEventListener("pointerup", (event) => {
      const still = from && Math.hypot(event.clientX - from[0], event.clientY - from[1]) < 4
      if (still && !state.drag) {
        const ratio = canvas.width / canvas.getBoundingClientRect().width, to = lens(canvas, state.view)
        const spec = frame.header.stages[stages.indexOf(stage)]
        model.selected = particleAt(spec, frame.arrays, now(), place(event), to, ratio)
      }
    })
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { grip = from = null; if (state.drag) { sendPeak(); state.drag = null; model.dragging = false } })
    canvas.addEventListener("keydown", (event) => {
      const way = {ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key]
      if (!way || !peak() || model.fixed) return
      event.preventDefault()
      movePeak([peak()[0] + 0.05 * way[0], peak()[1] + 0.05 * way[1]], true)
    })
    canvas.addEventListener("pointerleave", () => { state.pointer = null; follow() })
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault()
      const at = place(event), factor = Math.exp(Math.max(-1, Math.min(1, event.deltaY / 300)))
      const half = Math.min(3.2, Math.max(0.1, state.view.half * factor)), keep = half / state.view.half
      setView({half, x: at[0] + (state.view.x - at[0]) * keep, y: at[1] + (state.view.y - at[1]) * keep})
    }, {passive: false})
    canvas.addEventListener("dblclick", () => setView(home()))
  }

  function showWorld() {
    const block = unpack(model.world)
    const kind = block?.header.kind
    if (world && world.kind !== kind) { world.leave?.(); world.card.remove(); world = null; columns() }
    if (!block) return
    if (!world) {
      world = (kind === "room" ? makeRoom : makeTruth)(row, model, draw, {paintedGrid, ramps, peak, view: () => state.view})
      world.kind = kind
      columns()
    }
    world.show(block)
    draw()
  }

  const showGrid = () => { state.grid = unpack(model.landscape); draw() }
  const asked = new URLSearchParams(location.search).get("tick")
  if (asked !== null && Number.isFinite(Number(asked))) state.tick = Math.max(0, Number(asked))
  model.on("frame", showFrame)
  model.on("landscape", showGrid)
  model.on("world", showWorld)
  model.on("notice", showNotice)
  model.on("view", () => setView(home()))
  model.on("peak", follow)
  const watch = new ResizeObserver(draw)
  watch.observe(root)
  window.addEventListener("wb-theme", draw)
  model.on("remove", () => { watch.disconnect(); window.removeEventListener("wb-theme", draw); state.playing = false })
  model.dragging = false // a page that was made anew in the middle of a drag
  showGrid(); showWorld(); showFrame(); showNotice(); keepLink()
  return root
}
