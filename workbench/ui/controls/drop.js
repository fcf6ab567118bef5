// A place where files or a folder are dropped or chosen; they go to the server piece by piece, each once the last was taken.

import {button, element} from "../browser/dom.js"
import {piecesOf, textOf} from "./upload.js"

/** @import {Model} from "../browser/model" */
/** @typedef {{name: string, file: File}} Sent */
/** @typedef {Model<{label: string, note: string, accept: string, limit: number, folders: boolean, words: string, wrong: boolean, busy: boolean, holds: boolean}>} DropModel */

const PIECE = 3 * 2 ** 20 // bytes; a multiple of three, so that only the last piece is padded
const MOST = 20000 // files of a folder

/**
 * The files below an entry that was dropped, each by its path from there on.
 * @param {any} entry
 * @param {string} above
 * @param {Sent[]} found
 * @returns {Promise<Sent[]>}
 */
export async function filesBelow(entry, above = "", found = []) {
  if (found.length > MOST) throw new Error(`more than ${MOST} files`)
  const name = above + entry.name
  if (entry.isFile) {
    found.push({name, file: await new Promise((done, fail) => entry.file(done, fail))})
    return found
  }
  const reader = entry.createReader()
  for (;;) { // a browser hands out a hundred entries at a time
    const entries = await new Promise((done, fail) => reader.readEntries(done, fail))
    if (!entries.length) return found
    for (const one of entries) await filesBelow(one, `${name}/`, found)
  }
}

/**
 * How much of what is to be sent was sent, in words.
 * @param {number} done
 * @param {number} all
 */
export function howMuch(done, all) {
  const mib = (/** @type {number} */ bytes) => (bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)
  return `Sending: ${mib(done)} of ${mib(all)} MiB`
}

/** @param {{model: DropModel}} component */
export function render({model}) {
  const root = element("div", "wb-drop")
  root.setAttribute("role", "group")
  root.setAttribute("aria-label", model.label)
  element("p", "head", root, model.label)
  const row = element("div", "row", root)
  const file = chooser(model, false), folder = chooser(model, true)
  const choose = button(row, "", "Choose files…", () => file.click())
  const pick = button(row, "", "A folder…", () => folder.click())
  pick.hidden = !model.folders
  const stop = button(row, "stop", "Cancel", () => {
    turn += 1
    model.send_msg({cancel: true})
    taken()
  })
  root.append(file, folder)
  const bar = element("progress", "", root)
  bar.setAttribute("aria-label", "how much was sent")
  const words = element("p", "words", root)
  words.setAttribute("role", "status")
  let turn = 0, taken = () => {}
  const say = (/** @type {string} */ text, wrong = false) => {
    words.textContent = text
    words.classList.toggle("wrong", wrong)
  }
  const show = () => {
    say(model.words, model.wrong)
    stop.hidden = !model.busy && !model.holds
    stop.textContent = model.busy ? "Cancel" : "Remove"
    bar.hidden = true
    choose.disabled = pick.disabled = model.busy
  }
  /** @param {Sent[]} files */
  const send = async (files) => {
    const all = files.reduce((sum, one) => sum + one.file.size, 0), mine = (turn += 1)
    if (!files.length) return
    if (all > model.limit) return say(`These files have ${Math.ceil(all / 2 ** 20)} MiB, this page takes ${model.limit >> 20}.`, true)
    stop.hidden = bar.hidden = false
    stop.textContent = "Cancel"
    choose.disabled = pick.disabled = true
    bar.max = Math.max(all, 1)
    let done = 0
    model.send_msg({begin: files.length})
    for (const one of files) {
      for (const {from, last} of piecesOf(one.file.size, PIECE)) {
        const piece = one.file.slice(from, from + PIECE), data = await textOf(piece)
        if (turn !== mine) return
        const answer = new Promise((/** @type {(value?: any) => void} */ go) => (taken = go))
        model.send_msg({name: one.name, data, last})
        await answer
        if (turn !== mine) return
        done += piece.size
        bar.value = done
        say(howMuch(done, all))
      }
    }
  }
  const begin = (/** @type {Promise<Sent[]>} */ files) => {
    if (model.busy) return
    files.then(send).catch((error) => {
      turn += 1
      model.send_msg({cancel: true})
      show()
      say(`This could not be read: ${error?.message ?? error}. Choose it again.`, true)
    })
  }
  for (const input of [file, folder]) {
    input.addEventListener("change", () => {
      const chosen = [...(input.files ?? [])].map((one) => ({name: one.webkitRelativePath || one.name, file: one}))
      input.value = ""
      begin(Promise.resolve(chosen))
    })
  }
  root.addEventListener("dragover", (event) => {
    event.preventDefault()
    root.classList.add("over")
  })
  root.addEventListener("dragleave", () => root.classList.remove("over"))
  root.addEventListener("drop", (event) => {
    event.preventDefault()
    root.classList.remove("over")
    const items = [...(event.dataTransfer?.items ?? [])].filter((item) => item.kind === "file")
    const entries = items.map((item) => item.webkitGetAsEntry()).filter(Boolean)
    const plain = [...(event.dataTransfer?.files ?? [])].map((one) => ({name: one.name, file: one}))
    if (!entries.length) return begin(Promise.resolve(plain))
    begin(Promise.all(entries.map((entry) => filesBelow(entry))).then((found) => found.flat()))
  })
  model.on("msg:custom", (/** @type {any} */ message) => {
    const said = message?.data ?? message
    if (said?.kind === "go") return location.assign(said.to)
    if (said?.kind === "stop") turn += 1
    taken()
  })
  for (const name of ["words", "wrong", "busy", "holds"]) model.on(name, show)
  show()
  return root
}

/**
 * A hidden field for files, or for a folder.
 * @param {DropModel} model
 * @param {boolean} whole
 */
function chooser(model, whole) {
  const input = element("input")
  Object.assign(input, {type: "file", multiple: true, hidden: true, webkitdirectory: whole})
  input.setAttribute("aria-label", whole ? "a folder" : "files")
  input.className = whole ? "folder" : "files"
  if (!whole && model.accept) input.accept = model.accept
  return input
}
