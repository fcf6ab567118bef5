// The dialog with the picture as code, which it copies at once.

import {closedByOutside, element} from "../browser/dom.js"
import {tool} from "./icons.js"

/** @param {HTMLElement} root */
export function makeCodeDialog(root) {
  const dialog = element("dialog", "", root)
  dialog.setAttribute("aria-label", "This picture as code")
  element("h2", "", dialog, "This picture as code")
  element("p", "", dialog, "Paste it into a notebook cell, or run it with Python where the workbench is installed.")
  const area = element("textarea", "", dialog), row = element("div", "wb-row", dialog), note = element("span", "", row)
  note.setAttribute("role", "status")
  area.readOnly = true
  area.spellcheck = false
  area.setAttribute("aria-label", "Python code")

  async function copy() {
    try {
      await navigator.clipboard.writeText(area.value)
      note.textContent = "Copied."
    } catch {
      area.select()
      note.textContent = "Selected: copy it with Ctrl+C."
    }
  }
  tool(row, "Close", {word: "Close"}, () => dialog.close())
  tool(row, "Copy the code", {word: "Copy", className: "wb-main-button"}, copy)
  closedByOutside(dialog, () => dialog.close())
  return (/** @type {string} */ code) => {
    area.value = code
    note.textContent = ""
    if (!dialog.open) dialog.showModal()
    copy()
  }
}
