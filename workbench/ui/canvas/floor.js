// How the ground is drawn: its map, episodes, where the chosen actions would lead, the agent.

import {colourOf, token} from "../browser/dom.js"
import {handleOf, hasVelocity} from "./agent.js"
import {FONT} from "./lettering.js"
import {placeAt} from "./particles.js"

/** @import {Arrays, Block, Lens, Plan, RoomHeader, StageSpec} from "./pictures" */

const REACH = 0.245 // the longest action of the fan, as a share of half the ground's width
const FAINT = 0.4 // of episodes of the strength before
const FAN = 128 // chosen actions that are drawn

/**
 * @param {CanvasRenderingContext2D} g
 * @param {Plan} plan
 * @param {Element} card
 * @param {Lens} to
 * @param {number} ratio
 * @param {string} ink
 */
export function drawMap(g, {blocks, deadly, labels, goals}, card, to, ratio, ink) {
  const solid = new Path2D()
  for (const [left, right, low, high] of blocks) {
    solid.rect(to.x(left), to.y(high), (right - left) * to.scale, (high - low) * to.scale)
  }
  g.fillStyle = token(card, deadly ? "--wb-lava" : "--wb-track")
  g.fill(solid)
  g.textAlign = "center"
  g.font = `600 ${11 * ratio}px ${FONT}`
  g.fillStyle = token(card, "--wb-on-lava")
  for (const [x, y, text] of labels) g.fillText(text, to.x(x), to.y(y) + 4 * ratio)
  for (const [x, y, radius, pays] of goals) {
    const ring = new Path2D()
    ring.arc(to.x(x), to.y(y), radius * to.scale, 0, 2 * Math.PI)
    g.fillStyle = token(card, "--wb-exit")
    g.globalAlpha = 0.15 + 0.5 * (pays || 1)
    g.fill(ring)
    g.globalAlpha = 1
    g.strokeStyle = token(card, "--wb-exit-edge")
    g.lineWidth = 1.5 * ratio
    g.stroke(ring)
    g.fillStyle = ink
    g.fillText(pays ? String(pays) : "goal", to.x(x), to.y(y) + 4 * ratio)
  }
}

/**
 * @param {CanvasRenderingContext2D} g
 * @param {Block<RoomHeader>} block
 * @param {Lens} to
 * @param {number} ratio
 */
export function drawEpisodes(g, block, to, ratio) {
  block.header.plays.forEach((look, i) => {
    const {data, shape} = block.arrays[`paths${i}`], path = new Path2D()
    for (let e = 0; e < shape[0]; e++) {
      for (let s = 0; s < shape[1]; s++) {
        const at = 2 * (e * shape[1] + s)
        if (s) path.lineTo(to.x(data[at]), to.y(data[at + 1]))
        else path.moveTo(to.x(data[at]), to.y(data[at + 1]))
      }
    }
    g.strokeStyle = colourOf(look)
    g.lineWidth = ratio
    g.globalAlpha = (i ? 0.4 : 0.3) * (block.header.faint ? FAINT : 1)
    g.stroke(path)
  })
  g.globalAlpha = 1
}

/**
 * Where the chosen actions would lead the agent.
 * @param {CanvasRenderingContext2D} g
 * @param {StageSpec} spec
 * @param {Arrays} arrays
 * @param {readonly number[]} agent
 * @param {number} half
 * @param {number} k
 * @param {Lens} to
 * @param {number} ratio
 */
export function drawFan(g, spec, arrays, agent, half, k, to, ratio) {
  const picked = arrays[`picked${spec.index}`].data, positions = arrays[`positions${spec.index}`], path = new Path2D()
  const reach = REACH * half
  for (let p = 0, drawn = 0; p < spec.count && drawn < FAN; p++) {
    if (!picked[p]) continue
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

/**
 * The agent, and the handle of its velocity where it has one.
 * @param {CanvasRenderingContext2D} g
 * @param {readonly number[]} agent
 * @param {number} half
 * @param {Lens} to
 * @param {number} ratio
 * @param {string} ink
 * @param {string} ground
 */
export function drawAgent(g, agent, half, to, ratio, ink, ground) {
  const body = new Path2D(), knob = new Path2D(), arm = new Path2D()
  body.arc(to.x(agent[0]), to.y(agent[1]), 7 * ratio, 0, 2 * Math.PI)
  if (hasVelocity(agent)) {
    const [hx, hy] = handleOf(agent, half)
    arm.moveTo(to.x(agent[0]), to.y(agent[1]))
    arm.lineTo(to.x(hx), to.y(hy))
    knob.arc(to.x(hx), to.y(hy), 4.5 * ratio, 0, 2 * Math.PI)
  }
  g.strokeStyle = ink
  g.lineWidth = 2 * ratio
  g.stroke(arm)
  for (const [path, fill, edge] of /** @type {const} */ ([[knob, ground, ink], [body, ink, ground]])) {
    g.fillStyle = fill
    g.fill(path)
    g.strokeStyle = edge
    g.stroke(path)
  }
}
