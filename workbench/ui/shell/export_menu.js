// The menu of what the page can be saved as, below its button.

import {element, focusedBeside} from "../browser/dom.js"
import {tool} from "./icons.js"

/**
 * @param {HTMLElement} root
 * @param {HTMLButtonElement} opener
 * @param {(label: string, index: number) => void} chosen
 */
export function makeExportMenu(root, opener, chosen) {
  const menu = element("div", "wb-menu", root)
  menu.hidden = true
  menu.setAttribute("role", "menu")
  menu.setAttribute("aria-label", "Export")
  opener.setAttribute("aria-haspopup", "menu")
  const items = () => /** @type {HTMLButtonElement[]} */ ([...menu.children])

  /** @param {boolean} open */
  function show(open) {
    menu.hidden = !open
    opener.setAttribute("aria-expanded", String(open))
    if (open) items()[0]?.focus()
  }
  menu.addEventListener("keydown", (event) => {
    const all = items(), at = all.findIndex((item) => item === focusedBeside(root))
    const move = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0
    if (event.key === "Escape") {
      show(false)
      opener.focus()
    }
    if (!move) return
    event.preventDefault()
    all[(at + move + all.length) % all.length].focus()
  })
  root.addEventListener("focusout", (event) => {
    if (!menu.hidden && !root.contains(/** @type {Node | null} */ (event.relatedTarget))) show(false)
  })
  return {
    toggle: () => show(menu.hidden === true),
    /** @param {string[]} labels */
    fill(labels) {
      menu.replaceChildren()
      labels.forEach((label, index) => {
        const item = tool(menu, label, {word: label}, () => {
          show(false)
          opener.focus()
          chosen(label, index)
        })
        item.setAttribute("role", "menuitem")
      })
    },
  }
}
