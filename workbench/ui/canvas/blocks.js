// Numbers on their way from Python: what frames.py packs.

/** @import {Block} from "./pictures" */

/**
 * The header and the arrays of a block; null for an empty one. The arrays are views: nothing is copied.
 * @template Header
 * @param {ArrayBuffer | null | undefined} buffer
 * @returns {Block<Header> | null}
 */
export function unpack(buffer) {
  if (!buffer || !buffer.byteLength) return null
  const size = new DataView(buffer).getUint32(0, true)
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)))
  /** @type {Block<Header>["arrays"]} */
  const arrays = {}
  for (const [name, [first, shape]] of Object.entries(header.arrays)) {
    const count = shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1)
    arrays[name] = {data: new Float32Array(buffer, 4 + size + 4 * first, count), shape}
  }
  return {header, arrays}
}
