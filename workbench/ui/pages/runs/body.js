// The table's rows on the page: drawn in steps, marked, focused, scrolled to.

import {element, focusedBeside} from "../../browser/dom.js"
import {COLUMNS} from "./rows.js"

/** @import {Row} from "./rows.js" */

const STEP = 150 // rows that are drawn at once; more when the reader comes near the end

/** @param {Row} row */
function lineOf(row) {
  const made = element("tr", row.status)
  made.dataset.key = row.key
  const tick = element("input", "", element("td", "pick", made))
  tick.type = "checkbox"
  tick.tabIndex = -1
  tick.setAttribute("aria-label", `Select run ${row.key.slice(0, 8)}`)
  for (const column of COLUMNS) {
    const cell = element("td", `${column.name}${column.number ? " number" : ""}`, made, column.show(row))
    if (column.name === "settings") cell.title = row.settings
    if (column.name === "status" && row.error) cell.title = row.error
  }
  return made
}

/**
 * @param {HTMLElement} frame What scrolls.
 * @param {HTMLTableElement} table
 * @param {() => ReadonlySet<string>} selected
 */
export function makeBody(frame, table, selected) {
  const body = element("tbody", "", table)
  /** @type {Row[]} */
  let sorted = []
  let drawn = 0, current = ""

  const lines = () => /** @type {HTMLTableRowElement[]} */ ([...body.children])

  /** @param {number} until */
  function more(until) {
    const end = Math.min(until, sorted.length), some = document.createDocumentFragment()
    for (; drawn < end; drawn++) some.appendChild(lineOf(sorted[drawn]))
    body.appendChild(some)
    mark()
  }

  function mark() {
    const chosen = selected()
    if (!sorted.some((row) => row.key === current)) current = sorted[0]?.key || ""
    for (const row of lines()) {
      const key = row.dataset.key ?? "", on = chosen.has(key), box = row.querySelector("input")
      row.setAttribute("aria-selected", String(on))
      row.tabIndex = key === current ? 0 : -1
      if (box) box.checked = on
    }
  }

  /**
   * Inside the frame alone: the page itself must not scroll.
   * @param {HTMLTableRowElement} row
   */
  function reveal(row) {
    const head = table.tHead?.offsetHeight ?? 0, above = row.offsetTop - head, below = row.offsetTop + row.offsetHeight
    if (frame.scrollTop > above) frame.scrollTop = above
    else if (frame.scrollTop + frame.clientHeight < below) frame.scrollTop = below - frame.clientHeight
  }

  /** @param {string} key */
  function focus(key) {
    const index = sorted.findIndex((row) => row.key === key)
    if (index < 0) return
    if (index >= drawn) more(index + STEP)
    current = key
    for (const row of lines()) row.tabIndex = row.dataset.key === key ? 0 : -1
    const line = lines()[index]
    line.focus({preventScroll: true})
    reveal(line)
  }

  const onScroll = () => {
    if (drawn < sorted.length && frame.scrollTop + 2 * frame.clientHeight > frame.scrollHeight) more(drawn + STEP)
  }
  frame.addEventListener("scroll", onScroll, {passive: true})

  return {
    body,
    mark,
    focus,
    current: () => current,
    sorted: () => sorted,
    /**
     * Draw other rows, at the place where the reader is.
     * @param {Row[]} rows
     */
    show(rows) {
      const top = frame.scrollTop, until = Math.max(drawn, STEP), focused = body.contains(focusedBeside(body))
      sorted = rows
      body.replaceChildren()
      drawn = 0
      more(until)
      frame.scrollTop = top
      if (focused) focus(current)
    },
    /** Bring the first selected row into sight. */
    showSelected() {
      const chosen = selected(), index = sorted.findIndex((row) => chosen.has(row.key))
      if (index < 0) return
      if (index >= drawn) more(index + STEP)
      current = sorted[index].key
      mark()
      requestAnimationFrame(() => reveal(lines()[index]))
    },
  }
}
