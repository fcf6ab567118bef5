import {expect, test} from "vitest"
import {unpack} from "../../workbench/ui/canvas/blocks.js"

/**
 * The layout of frames.py, written anew.
 * @param {object} header
 * @param {Record<string, [number[], number[]]>} arrays Values and shape.
 */
function packed(header, arrays) {
  /** @type {Record<string, [number, number[]]>} */
  const table = {}
  /** @type {number[]} */
  const values = []
  for (const [name, [data, shape]] of Object.entries(arrays)) {
    table[name] = [values.length, shape]
    values.push(...data)
  }
  const bytes = new TextEncoder().encode(JSON.stringify({...header, arrays: table})), size = Math.ceil(bytes.length / 4) * 4
  const out = new ArrayBuffer(4 + size + 4 * values.length)
  new DataView(out).setUint32(0, size, true)
  new Uint8Array(out, 4, size).fill(32)
  new Uint8Array(out, 4, size).set(bytes)
  values.forEach((value, i) => new DataView(out).setFloat32(4 + size + 4 * i, value, true))
  return out
}

test("header and arrays come out as they went in, whatever the header's length", () => {
  for (const title of ["", "a", "ab", "abc", "µ ≥ σ", "x".repeat(1001)]) {
    const block = unpack(packed({title}, {one: [[1.5, -2, 3, 4, 5, 6], [2, 3]], two: [[7], [1]], none: [[], [0, 2]]}))
    expect(block?.header).toMatchObject({title})
    expect([...(block?.arrays.one.data ?? [])]).toEqual([1.5, -2, 3, 4, 5, 6])
    expect(block?.arrays.one.shape).toEqual([2, 3])
    expect([...(block?.arrays.two.data ?? [])]).toEqual([7])
    expect(block?.arrays.none.data.length).toBe(0)
  }
})

test("nothing is copied: a large block is read where it lies", () => {
  const buffer = packed({}, {one: [[1, 2], [2]]}), block = unpack(buffer)
  expect(block?.arrays.one.data.buffer).toBe(buffer)
})

test("an empty block is no block", () => {
  expect(unpack(new ArrayBuffer(0))).toBeNull()
  expect(unpack(null)).toBeNull()
  expect(unpack(undefined)).toBeNull()
})
