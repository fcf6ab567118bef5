// The header's buttons: an icon, a word beside it where there is room.

import {button, element, vector} from "../browser/dom.js"

const ICONS = {
  undo: "M6 4 2.5 7.5 6 11M3 7.5h6.5a4 4 0 0 1 0 8H7",
  redo: "M12 4l3.5 3.5L12 11M15 7.5H8.5a4 4 0 0 0 0 8H11",
  link: "M7.5 10.5a3.2 3.2 0 0 0 4.6 0l2.4-2.4a3.2 3.2 0 0 0-4.6-4.6l-.9.9M10.5 7.5a3.2 3.2 0 0 0-4.6 0L3.5 9.9a3.2 3.2 0 0 0 4.6 4.6l.9-.9",
  code: "M6 5 2 9l4 4M12 5l4 4-4 4",
  export: "M9 2.5v9M5.5 8 9 11.5 12.5 8M3 12.5v3h12v-3",
  tour: "M9 16.2A7.2 7.2 0 1 0 9 1.8a7.2 7.2 0 0 0 0 14.4M7 7.2a2 2 0 1 1 2.8 1.9c-.6.3-.8.7-.8 1.3M9 12.8v.1",
}

/**
 * @param {Node} parent
 * @param {string} label What it does, for the pointer and for screen readers.
 * @param {{icon?: keyof typeof ICONS, word?: string, className?: string}} look
 * @param {() => void} press
 */
export function tool(parent, label, {icon, word, className = ""}, press) {
  const made = button(parent, className, "", press)
  made.title = label
  made.setAttribute("aria-label", label)
  if (icon) vector("path", {d: ICONS[icon]}, vector("svg", {viewBox: "0 0 18 18", "aria-hidden": "true"}, made))
  if (word) element("span", icon ? "wb-word" : "", made, word)
  return made
}
