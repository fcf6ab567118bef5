// The header's buttons: undo and redo, the link, the code, export and the tour. What is pressed goes to the server.

import {element, hearWindow} from "../browser/dom.js"
import {makeAddress} from "./address.js"
import {makeCodeDialog} from "./code_dialog.js"
import {makeExportMenu} from "./export_menu.js"
import {tool} from "./icons.js"
import {picture} from "./picture.js"
import {makeRoving} from "./roving.js"
import {makeToast} from "./toast.js"
import {makeTour} from "./tour.js"

/** @import {Model} from "../browser/model" */
/** @import {Stop} from "./tour.js" */
/**
 * @typedef {Model<{
 *   address: string, can: {undo: boolean, redo: boolean}, exports: string[], tour: Stop[], codes: boolean
 * }>} ToolbarModel
 */
/**
 * @typedef {{kind: "tell", text: string, undo: boolean} | {kind: "code", code: string}
 *   | {kind: "file", name: string, mime: string, data: string}
 *   | {kind: "draw", name: string, type: "png" | "svg", rows: string[][]}} Message
 */

// Whether the keys belong to a field of text.
function inText() {
  let el = document.activeElement
  while (el?.shadowRoot?.activeElement) el = el.shadowRoot.activeElement
  if (el instanceof HTMLInputElement) return /^(text|search|number|password|email|url|)$/.test(el.type)
  return el instanceof HTMLTextAreaElement || (el instanceof HTMLElement && el.isContentEditable)
}

/**
 * What a key asks for: to undo, to redo, or nothing.
 * @param {Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">} event
 * @returns {"undo" | "redo" | null}
 */
export function asked(event) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return null
  const key = event.key.toLowerCase()
  if (key === "z") return event.shiftKey ? "redo" : "undo"
  return key === "y" ? "redo" : null
}

/**
 * @param {HTMLElement} root
 * @param {Blob} blob
 * @param {string} name
 */
function saveAs(root, blob, name) {
  const place = URL.createObjectURL(blob), a = element("a", "", root)
  a.href = place
  a.download = name
  a.click()
  a.remove()
  setTimeout(() => URL.revokeObjectURL(place), 10_000)
}

/** @param {{model: ToolbarModel}} component */
export function render({model}) {
  const root = element("div", "wb-tools"), tools = element("div", "wb-tools", root)
  tools.setAttribute("role", "toolbar")
  tools.setAttribute("aria-label", "Page")
  const press = (/** @type {string} */ what, more = {}) => model.send_msg({press: what, ...more})
  const undo = tool(tools, "Undo (Ctrl+Z)", {icon: "undo", className: "wb-icon"}, () => press("undo"))
  const redo = tool(tools, "Redo (Ctrl+Shift+Z)", {icon: "redo", className: "wb-icon"}, () => press("redo"))
  tool(tools, "Copy link", {icon: "link", word: "Copy link"}, copyLink)
  const code = tool(tools, "Copy as code", {icon: "code", word: "Copy as code"}, () => press("code"))
  const save = tool(tools, "Export", {icon: "export", word: "Export"}, () => menu.toggle())
  const tour = tool(tools, "Guided tour", {icon: "tour", className: "wb-icon"}, () => guide.start())
  const menu = makeExportMenu(root, save, (label, index) => {
    tell(`Making ${label} …`)
    press("export", {index})
  })
  const tell = makeToast(root, () => press("take-back")), showCode = makeCodeDialog(root), guide = makeTour(root, model, () => tour.focus())
  const rove = makeRoving(tools)
  const address = makeAddress(model)

  async function copyLink() {
    address.write()
    try {
      await navigator.clipboard.writeText(location.href)
      tell("Link copied: it reproduces this picture.")
    } catch {
      // Plain http on another machine has no clipboard.
      tell("The browser allows no copying here; the link is in the address bar.")
    }
  }

  function showTools() {
    undo.disabled = !model.can.undo
    redo.disabled = !model.can.redo
    code.hidden = !model.codes
    save.hidden = !model.exports.length
    tour.hidden = !model.tour.length
    menu.fill(model.exports)
    rove()
  }

  const hearKey = (/** @type {KeyboardEvent} */ event) => {
    const what = inText() ? null : asked(event)
    if (!what) return
    event.preventDefault()
    if (model.can[what]) press(what)
  }

  /** @param {Blob} blob @param {string} name */
  function keep(blob, name) {
    saveAs(root, blob, name)
    tell(`${name} is saved.`)
  }

  model.on("msg:custom", (/** @type {Message} */ message) => {
    if (message.kind === "tell") tell(message.text, message.undo)
    else if (message.kind === "code") showCode(message.code)
    else if (message.kind === "file") {
      const bytes = Uint8Array.from(atob(message.data), (c) => c.charCodeAt(0))
      keep(new Blob([bytes], {type: message.mime}), message.name)
    } else if (message.kind === "draw") {
      const failed = (/** @type {Error} */ error) => tell(`The picture could not be drawn. ${error.message}`)
      picture(message.rows, message.type).then((blob) => keep(blob, message.name)).catch(failed)
    }
  })
  model.on(["can", "exports", "tour", "codes"], showTools)
  hearWindow(model, {keydown: hearKey})
  showTools()
  document.documentElement.dataset.ready = ""
  return root
}
