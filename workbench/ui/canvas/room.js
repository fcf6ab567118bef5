// The third picture of a task that moves about: the ground with the agent on it (a room, a maze), which a hand can move.

import {fit, onceAFrame, penOf, token, wayOf} from "../browser/dom.js"
import {gripAt, hasVelocity, heldAt, nudged, viewOf, within} from "./agent.js"
import {makeWorldCard, showNumbers} from "./card.js"
import {drawAgent, drawEpisodes, drawFan, drawMap} from "./floor.js"
import {lens, placeOf} from "./lens.js"

/** @import {Block, Frame, RoomHeader, StagesModel, View} from "./pictures" */

/**
 * While the episodes of another strength are being played, those before stay, faintly, where they began at the same place.
 * @param {Block<RoomHeader> | null} before
 * @param {Block<RoomHeader>} next
 * @returns {Block<RoomHeader>}
 */
export function meanwhile(before, next) {
  const place = (/** @type {Block<RoomHeader>} */ {header}) => JSON.stringify([header.title, header.numbers])
  if (!before?.header.plays.length || !next.header.awaited || place(before) !== place(next)) return next
  return {header: {...next.header, plays: before.header.plays, faint: true}, arrays: before.arrays}
}

/**
 * @param {Node} parent
 * @param {StagesModel} model
 * @param {() => void} redraw
 */
export function makeRoom(parent, model, redraw) {
  const made = makeWorldCard(parent, "room"), canvas = made.canvas
  /** @type {Block<RoomHeader> | null} */
  let block = null
  /** @type {"velocity" | "agent" | null} */
  let grip = null
  /** @type {View} */
  let eye = {x: 0, y: 0, half: 1}
  let agent = [...model.agent]
  canvas.tabIndex = 0
  canvas.setAttribute("role", "application")

  const send = onceAFrame(() => {
    model.agent = agent.map((value) => Math.round(value * 1000) / 1000)
  })
  const move = (/** @type {number[]} */ next) => {
    if (!block) return
    agent = within(next, block.header.plan.limits)
    redraw()
    send()
  }
  const follow = (/** @type {PointerEvent} */ event) => {
    if (grip) move(heldAt(agent, grip, placeOf(event, canvas, eye), eye.half))
  }
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button || !block) return
    grip = gripAt(agent, placeOf(event, canvas, eye), eye.half)
    canvas.setPointerCapture(event.pointerId)
    follow(event)
  })
  canvas.addEventListener("pointermove", follow)
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { grip = null })
  canvas.addEventListener("keydown", (event) => {
    const way = wayOf(event.key)
    if (!way || !block) return
    event.preventDefault()
    move(nudged(agent, way, event.shiftKey, eye.half))
  })
  const hearAgent = () => {
    if (grip) return
    agent = [...model.agent]
    redraw()
  }
  model.on("agent", hearAgent)

  return {
    card: made.card,
    leave() {
      model.off("agent", hearAgent)
    },
    hand() {},
    /** @param {Block<RoomHeader>} next */
    show(next) {
      block = meanwhile(block, next)
      made.title.textContent = block.header.title
      made.subtitle.textContent = block.header.subtitle
      showNumbers(made.numbers, block.header.numbers)
      eye = viewOf(block.header.plan.view)
      if (agent.length !== model.agent.length) agent = [...model.agent]
      const more = hasVelocity(agent) ? ", shift and arrow keys change its velocity" : ""
      canvas.setAttribute("aria-label", `${block.header.title}: arrow keys move the agent${more}`)
    },
    /**
     * @param {number} k
     * @param {Frame} frame
     * @param {number} ratio
     */
    draw(k, frame, ratio) {
      if (!block || !fit(canvas)) return
      const g = penOf(canvas), to = lens(canvas, eye), ink = token(made.card, "--wb-ink"), floor = token(made.card, "--wb-floor")
      g.fillStyle = floor
      g.fillRect(0, 0, canvas.width, canvas.height)
      drawMap(g, block.header.plan, made.card, to, ratio, ink)
      drawEpisodes(g, block, to, ratio)
      for (const spec of frame.header.stages) drawFan(g, spec, frame.arrays, agent, eye.half, k, to, ratio)
      drawAgent(g, agent, eye.half, to, ratio, ink, floor)
    },
  }
}
