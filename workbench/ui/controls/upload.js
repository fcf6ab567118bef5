// A button that reads files in the browser and sends them to the server in pieces: {name, data (base64), last}.

import {button, element} from "../browser/dom.js"

/** @import {Model} from "../browser/model" */
/** @typedef {Model<{label: string, accept: string, limit: number, words: string, wrong: boolean}>} UploadModel */

const PIECE = 3 * 2 ** 20 // bytes; a multiple of three, so that only the last piece is padded

/**
 * The pieces of a file: where each begins, and whether it is the last. An empty file has one.
 * @param {number} size
 * @param {number} piece
 */
export function piecesOf(size, piece) {
  return Array.from({length: Math.max(1, Math.ceil(size / piece))}, (_, i) => ({
    from: i * piece,
    last: (i + 1) * piece >= size,
  }))
}

/**
 * @param {Blob} blob
 * @returns {Promise<string>} base64
 */
export function textOf(blob) {
  return new Promise((done, fail) => {
    const reader = new FileReader()
    reader.onload = () => {
      const url = String(reader.result)
      done(url.slice(url.indexOf(",") + 1))
    }
    reader.onerror = () => fail(reader.error)
    reader.readAsDataURL(blob)
  })
}

/** @param {{model: UploadModel}} component */
export function render({model}) {
  const root = element("div", "wb-upload"), input = element("input")
  Object.assign(input, {type: "file", multiple: true, hidden: true, accept: model.accept})
  button(root, "", model.label, () => input.click())
  root.append(input)
  const words = element("p", "", root)
  words.setAttribute("role", "status")
  const say = (/** @type {string} */ text, wrong = false) => {
    words.textContent = text
    words.className = wrong ? "wrong" : ""
  }
  const sayModel = () => say(model.words, model.wrong)
  const send = async () => {
    const files = [...(input.files ?? [])], size = files.reduce((sum, file) => sum + file.size, 0)
    input.value = ""
    if (!files.length) return
    if (size > model.limit) return say(`The files have ${Math.round(size / 2 ** 20)} MiB, this page takes ${model.limit >> 20}.`, true)
    say("Reading…")
    model.send_msg({begin: files.length})
    for (const file of files) {
      for (const {from, last} of piecesOf(file.size, PIECE)) {
        model.send_msg({name: file.name, data: await textOf(file.slice(from, from + PIECE)), last})
      }
    }
  }
  input.addEventListener("change", () => {
    send().catch((error) => say(`A file could not be read: ${error?.message ?? error}. Choose it again.`, true))
  })
  model.on("words", sayModel)
  model.on("wrong", sayModel)
  sayModel()
  return root
}
