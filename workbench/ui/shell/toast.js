// Words at the foot for some seconds, with a button where something can be undone; they stay while somebody points at them or has
// them in focus.

import {button, element} from "../browser/dom.js"

const UNDOABLE = 12_000 // milliseconds that words with a button stay
const SHORTEST = 2500, EACH_LETTER = 60 // of words alone

/**
 * @param {HTMLElement} root
 * @param {() => void} undo
 * @returns {(text: string, undoable?: boolean) => void} Says something.
 */
export function makeToast(root, undo) {
  const toast = element("div", "wb-toast", root), said = element("span", "", toast)
  said.setAttribute("role", "status")
  toast.hidden = true
  let stay = SHORTEST
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  const hide = () => { toast.hidden = true }
  const start = () => {
    clearTimeout(timer)
    timer = setTimeout(hide, stay)
  }
  const back = button(toast, "wb-undo", "Undo", () => {
    undo()
    hide()
  })
  for (const name of ["pointerenter", "focusin"]) toast.addEventListener(name, () => clearTimeout(timer))
  for (const name of ["pointerleave", "focusout"]) toast.addEventListener(name, start)
  return (text, undoable = false) => {
    said.textContent = text
    back.hidden = !undoable
    stay = undoable ? UNDOABLE : Math.max(SHORTEST, EACH_LETTER * text.length)
    toast.hidden = false
    start()
  }
}
