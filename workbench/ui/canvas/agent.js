// The agent on the ground, [x, y] or [x, y, vx, vy], and how a hand moves it.

/** @import {Place, View} from "./pictures" */

// Lengths on the ground, as shares of half its width.
const ARROW = 0.15, NEAR = 0.094, GRIP = 0.071, STEP = 0.047

/** @param {readonly number[]} agent */
export const hasVelocity = (agent) => agent.length > 2

/**
 * Where the velocity's handle is: it stays graspable at rest, because it starts a little away from the agent.
 * @param {readonly number[]} agent
 * @param {number} half
 * @returns {[number, number]}
 */
export function handleOf(agent, half) {
  const speed = Math.hypot(agent[2], agent[3]), way = speed > 1e-6 ? [agent[2] / speed, agent[3] / speed] : [0, 1]
  const reach = half * (NEAR + ARROW * speed)
  return [agent[0] + way[0] * reach, agent[1] + way[1] * reach]
}

/**
 * What a hand at a place takes hold of.
 * @param {readonly number[]} agent
 * @param {Place} place
 * @param {number} half
 * @returns {"velocity" | "agent"}
 */
export function gripAt(agent, [x, y], half) {
  if (!hasVelocity(agent)) return "agent"
  const [hx, hy] = handleOf(agent, half)
  return Math.hypot(x - hx, y - hy) < GRIP * half ? "velocity" : "agent"
}

/**
 * The agent after the hand has moved what it holds to a place.
 * @param {readonly number[]} agent
 * @param {"velocity" | "agent"} grip
 * @param {Place} place
 * @param {number} half
 */
export function heldAt(agent, grip, [x, y], half) {
  const [ax, ay, ...rest] = agent
  if (grip === "agent") return [x, y, ...rest]
  const dx = x - ax, dy = y - ay, far = Math.hypot(dx, dy) || 1, speed = Math.max(0, (far / half - NEAR) / ARROW)
  return [ax, ay, (speed * dx) / far, (speed * dy) / far]
}

/**
 * The agent after an arrow key, which moves it, or with shift its velocity.
 * @param {readonly number[]} agent
 * @param {Place} way
 * @param {boolean} shift
 * @param {number} half
 */
export function nudged(agent, way, shift, half) {
  const [x, y, ...rest] = agent, step = Math.round(100 * STEP * half) / 100
  if (shift && hasVelocity(agent)) return [x, y, rest[0] + 0.1 * way[0], rest[1] + 0.1 * way[1]]
  return [x + step * way[0], y + step * way[1], ...rest]
}

/**
 * The nearest state that the ground allows.
 * @param {readonly number[]} agent
 * @param {readonly (readonly [number, number])[]} limits
 */
export const within = (agent, limits) => limits.map(([low, high], i) => Math.min(high, Math.max(low, agent[i])))

/**
 * The view of a plan: left, right, low, high.
 * @param {readonly [number, number, number, number]} plan
 * @returns {View}
 */
export const viewOf = ([left, right, low, high]) => ({x: (left + right) / 2, y: (low + high) / 2, half: (right - left) / 2})
