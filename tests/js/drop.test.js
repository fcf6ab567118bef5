// What is dropped: files of folders in each other by their paths, and how much was sent, in words.

import {describe, expect, it} from "vitest"
import {filesBelow, howMuch} from "../../workbench/ui/controls/drop.js"
import {piecesOf} from "../../workbench/ui/controls/upload.js"

/** @param {string} name */
const file = (name) => ({name, isFile: true, file: (/** @type {(file: object) => void} */ done) => done({name})})

/**
 * A folder that hands out two entries at a time, as a browser hands out a hundred.
 * @param {string} name
 * @param {object[]} entries
 */
function folder(name, entries) {
  return {
    name,
    isFile: false,
    createReader() {
      let at = 0
      return {readEntries: (/** @type {(entries: object[]) => void} */ done) => done(entries.slice(at, (at += 2)))}
    },
  }
}

describe("filesBelow", () => {
  it("finds every file, by its path from what was dropped", async () => {
    const dropped = folder("set", [file("a"), folder("data", [file("b"), file("c"), file("d")]), folder("empty", []), file(".zgroup")])
    expect((await filesBelow(dropped)).map((one) => one.name)).toEqual(["set/a", "set/data/b", "set/data/c", "set/data/d", "set/.zgroup"])
  })
  it("takes a file as it is", async () => {
    expect((await filesBelow(file("a.npz"))).map((one) => one.name)).toEqual(["a.npz"])
  })
  it("says what could not be read", async () => {
    const broken = {name: "x", isFile: true, file: (/** @type {unknown} */ _, /** @type {(error: Error) => void} */ fail) => fail(new Error("gone"))}
    await expect(filesBelow(broken)).rejects.toThrow("gone")
  })
})

describe("howMuch", () => {
  it("says it in MiB", () => {
    expect(howMuch(1.5 * 2 ** 20, 20 * 2 ** 20)).toBe("Sending: 1.5 of 20 MiB")
  })
})

describe("piecesOf", () => {
  it("gives an empty file one piece, and others as many as they need", () => {
    expect(piecesOf(0, 10)).toEqual([{from: 0, last: true}])
    expect(piecesOf(21, 10).map((piece) => piece.from)).toEqual([0, 10, 20])
  })
})
