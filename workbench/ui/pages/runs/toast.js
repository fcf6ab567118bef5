// Words at the foot for some seconds, with a button that undoes; they stay while somebody points at them or has them in focus.

import {button, element} from "../../browser/dom.js"

const STAY = 12_000 // milliseconds

/**
 * @param {HTMLElement} root
 * @param {() => void} undo
 * @returns {(text: string, undoable: boolean) => void} Says something.
 */
export function makeToast(root, undo) {
  const toast = element("div", "toast", root), said = element("span", "", toast)
  toast.setAttribute("role", "status")
  toast.hidden = true
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  const hide = () => { toast.hidden = true }
  const start = () => {
    clearTimeout(timer)
    timer = setTimeout(hide, STAY)
  }
  const back = button(toast, "undo", "Undo", () => {
    undo()
    hide()
  })
  for (const name of ["pointerenter", "focusin"]) toast.addEventListener(name, () => clearTimeout(timer))
  for (const name of ["pointerleave", "focusout"]) toast.addEventListener(name, start)
  return (text, undoable) => {
    said.textContent = text
    back.hidden = !undoable
    toast.hidden = false
    start()
  }
}
