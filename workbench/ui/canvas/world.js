// The third picture: the ground with the agent on it (a room, a maze), or what the actions of a bandit really earn.

function makeWorld(parent, kind) {
  const card = element("section", `wb-stage wb-world wb-${kind}`, parent), head = element("header", "", card)
  const words = element("div", "", head), title = element("h2", "", words), subtitle = element("p", "", words)
  const frame = element("div", "wb-frame", card), canvas = element("canvas", "wb-canvas", frame)
  const numbers = element("dl", "wb-numbers", card)
  return {card, title, subtitle, frame, canvas, numbers}
}

function makeTruth(parent, model, redraw, shared) {
  const made = makeWorld(parent, "truth"), over = makeOver(made.frame)
  let block = null
  return {
    card: made.card,
    show(next) {
      block = next
      made.title.textContent = block.header.title
      made.subtitle.textContent = block.header.subtitle
      made.canvas.setAttribute("role", "img")
      made.canvas.setAttribute("aria-label", block.header.title)
      showNumbers(made.numbers, block.header.numbers)
    },
    draw(k, frame, ratio) {
      if (!block || !fit(made.canvas)) return
      const g = made.canvas.getContext("2d"), to = lens(made.canvas, shared.view()), ink = token(made.card, "--wb-ink")
      g.fillStyle = token(made.card, "--wb-surface")
      g.fillRect(0, 0, made.canvas.width, made.canvas.height)
      const ground = shared.paintedGrid("truth", block), edge = token(made.card, "--wb-surface")
      drawGrid(g, ground, block.header.extent, to, ink, ratio)
      drawBox(g, made.canvas, to, ratio, ink, frame.header.line)
      for (const spec of frame.header.stages) drawChosen(g, spec, frame.arrays, k, to, ratio, edge)
      drawKey(g, made.canvas, ground, shared.ramps(), "reward", ratio, ink, edge)
    },
    hand(line) { over.peak(shared.peak(), made.canvas, shared.view(), line) },
  }
}

function drawChosen(g, spec, arrays, k, to, ratio, edge) {
  const picked = arrays[`picked${spec.index}`].data, positions = arrays[`positions${spec.index}`], places = []
  for (let p = 0; p < spec.count; p++) if (picked[p]) {
    const [x, y] = placeAt(spec, positions, p, k)
    places.push([to.x(x), to.y(y)])
  }
  drawMarks(g, places, spec.look, 2.8 * ratio, 0.8 * ratio, edge, spec.index ? 1 : 0.6)
}

// Lengths on the ground, as shares of half its width.
const ARROW = 0.15, NEAR = 0.094, GRIP = 0.071, REACH = 0.245, STEP = 0.047

function makeRoom(parent, model, redraw) {
  const made = makeWorld(parent, "room"), canvas = made.canvas
  let block = null, agent = [...model.agent], grip = null, eye = {x: 0, y: 0, half: 1}
  canvas.tabIndex = 0
  canvas.setAttribute("role", "application")
  const moves = () => agent.length > 2

  // The velocity's handle stays graspable at rest: it starts a little away from the agent.
  function handle() {
    const speed = Math.hypot(agent[2], agent[3]), way = speed > 1e-6 ? [agent[2] / speed, agent[3] / speed] : [0, 1]
    const reach = eye.half * (NEAR + ARROW * speed)
    return [agent[0] + way[0] * reach, agent[1] + way[1] * reach]
  }
  const send = onceAFrame(() => { model.agent = agent.map((value) => Math.round(value * 1000) / 1000) })
  function move(next) {
    const limits = block.header.plan.limits
    agent = limits.map(([low, high], i) => Math.min(high, Math.max(low, next[i])))
    redraw(); send()
  }
  const place = (event) => {
    const box = canvas.getBoundingClientRect(), ratio = canvas.width / box.width
    return lens(canvas, eye).back((event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio)
  }
  function follow(event) {
    const [x, y] = place(event), [, , ...rest] = agent
    if (grip === "agent") return move([x, y, ...rest])
    const dx = x - agent[0], dy = y - agent[1], far = Math.hypot(dx, dy) || 1
    const speed = Math.max(0, (far / eye.half - NEAR) / ARROW)
    move([agent[0], agent[1], (speed * dx) / far, (speed * dy) / far])
  }
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button || !block) return
    const [x, y] = place(event), [hx, hy] = moves() ? handle() : [NaN, NaN]
    grip = Math.hypot(x - hx, y - hy) < GRIP * eye.half ? "velocity" : "agent"
    canvas.setPointerCapture(event.pointerId)
    follow(event)
  })
  canvas.addEventListener("pointermove", (event) => { if (grip) follow(event) })
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { grip = null })
  canvas.addEventListener("keydown", (event) => {
    const way = {ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key]
    if (!way || !block) return
    event.preventDefault()
    const [x, y, vx, vy] = agent, step = Math.round(100 * STEP * eye.half) / 100
    if (event.shiftKey && moves()) move([x, y, vx + 0.1 * way[0], vy + 0.1 * way[1]])
    else move([x + step * way[0], y + step * way[1], vx, vy])
  })
  const hearAgent = () => { if (!grip) { agent = [...model.agent]; redraw() } }
  model.on("agent", hearAgent)

  function drawMap(g, to, ratio, ink) {
    const {blocks, deadly, labels, goals} = block.header.plan, solid = new Path2D()
    for (const [left, right, low, high] of blocks) {
      solid.rect(to.x(left), to.y(high), (right - left) * to.scale, (high - low) * to.scale)
    }
    g.fillStyle = token(made.card, deadly ? "--wb-lava" : "--wb-track")
    g.fill(solid)
    g.textAlign = "center"
    g.font = `600 ${11 * ratio}px ${FONT}`
    g.fillStyle = token(made.card, "--wb-on-lava")
    for (const [x, y, text] of labels) g.fillText(text, to.x(x), to.y(y) + 4 * ratio)
    for (const [x, y, radius, pays] of goals) {
      const ring = new Path2D()
      ring.arc(to.x(x), to.y(y), radius * to.scale, 0, 2 * Math.PI)
      g.fillStyle = token(made.card, "--wb-exit")
      g.globalAlpha = 0.15 + 0.5 * (pays || 1)
      g.fill(ring)
      g.globalAlpha = 1
      g.strokeStyle = token(made.card, "--wb-exit-edge")
      g.lineWidth = 1.5 * ratio
      g.stroke(ring)
      g.fillStyle = ink
      g.fillText(pays || "goal", to.x(x), to.y(y) + 4 * ratio)
    }
  }

  function drawEpisodes(g, to, ratio) {
    block.header.plays.forEach((look, i) => {
      const {data, shape} = block.arrays[`paths${i}`], path = new Path2D()
      for (let e = 0; e < shape[0]; e++) for (let s = 0; s < shape[1]; s++) {
        const at = 2 * (e * shape[1] + s)
        if (s) path.lineTo(to.x(data[at]), to.y(data[at + 1]))
        else path.moveTo(to.x(data[at]), to.y(data[at + 1]))
      }
      g.strokeStyle = colourOf(look)
      g.lineWidth = ratio
      g.globalAlpha = i ? 0.4 : 0.3
      g.stroke(path)
    })
    g.globalAlpha = 1
  }

  function drawFan(g, spec, arrays, k, to, ratio) {
    const picked = arrays[`picked${spec.index}`].data, positions = arrays[`positions${spec.index}`], path = new Path2D()
    const reach = REACH * eye.half
    for (let p = 0, drawn = 0; p < spec.count && drawn < 128; p++) if (picked[p]) {
      const [x, y] = placeAt(spec, positions, p, k), long = Math.max(1, Math.hypot(x, y) / 1.5)
      path.moveTo(to.x(agent[0]), to.y(agent[1]))
      path.lineTo(to.x(agent[0] + (reach * x) / long), to.y(agent[1] + (reach * y) / long))
      drawn++
    }
    g.strokeStyle = colourOf(spec.look)
    g.globalAlpha = 0.45
    g.lineWidth = ratio
    g.stroke(path)
    g.globalAlpha = 1
  }

  function drawAgent(g, to, ratio, ink, ground) {
    const body = new Path2D(), knob = new Path2D(), arm = new Path2D()
    body.arc(to.x(agent[0]), to.y(agent[1]), 7 * ratio, 0, 2 * Math.PI)
    if (moves()) {
      const [hx, hy] = handle()
      arm.moveTo(to.x(agent[0]), to.y(agent[1])); arm.lineTo(to.x(hx), to.y(hy))
      knob.arc(to.x(hx), to.y(hy), 4.5 * ratio, 0, 2 * Math.PI)
    }
    g.strokeStyle = ink
    g.lineWidth = 2 * ratio
    g.stroke(arm)
    for (const [path, fill] of [[knob, ground], [body, ink]]) {
      g.fillStyle = fill
      g.fill(path)
      g.strokeStyle = path === body ? ground : ink
      g.stroke(path)
    }
  }

  return {
    card: made.card,
    leave() { model.off("agent", hearAgent) },
    show(next) {
      block = next
      made.title.textContent = block.header.title
      made.subtitle.textContent = block.header.subtitle
      showNumbers(made.numbers, block.header.numbers)
      const [left, right, low, high] = block.header.plan.view
      eye = {x: (left + right) / 2, y: (low + high) / 2, half: (right - left) / 2}
      if (agent.length !== model.agent.length) agent = [...model.agent]
      const more = moves() ? ", shift and arrow keys change its velocity" : ""
      canvas.setAttribute("aria-label", `${block.header.title}: arrow keys move the agent${more}`)
    },
    draw(k, frame, ratio) {
      if (!block || !fit(canvas)) return
      const g = canvas.getContext("2d"), to = lens(canvas, eye), ink = token(made.card, "--wb-ink")
      g.fillStyle = token(made.card, "--wb-floor")
      g.fillRect(0, 0, canvas.width, canvas.height)
      drawMap(g, to, ratio, ink)
      drawEpisodes(g, to, ratio)
      for (const spec of frame.header.stages) drawFan(g, spec, frame.arrays, k, to, ratio)
      drawAgent(g, to, ratio, ink, token(made.card, "--wb-floor"))
    },
  }
}
