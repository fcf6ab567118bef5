// After a touch the words over a control go away again: a finger, unlike a pointer, never leaves by itself.

const STAY = 2500 // milliseconds to read them

/** @type {EventTarget[]} */
let touched = []
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer

/** What was touched last hears that the pointer has left it. */
function leave() {
  clearTimeout(timer)
  for (const el of touched) {
    for (const name of ["mouseleave", "pointerleave"]) el.dispatchEvent(new MouseEvent(name))
  }
  touched = []
}

window.addEventListener("pointerdown", leave, true)
window.addEventListener("pointerup", (event) => {
  if (event.pointerType !== "touch") return
  touched = event.composedPath().filter((el) => el instanceof Element)
  timer = setTimeout(leave, STAY)
}, true)
