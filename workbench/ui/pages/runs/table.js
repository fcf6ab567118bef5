// The list of runs: sorted and selected in the browser; the server sends rows and hears which are selected.

import {button, element} from "../../browser/dom.js"
import {makeBody} from "./body.js"
import {between, COLUMNS, inOrder, ledTo, pressed} from "./rows.js"

/** @import {Model} from "../../browser/model" */
/** @import {Row} from "./rows.js" */
/**
 * @typedef {Model<{
 *   rows: Row[], selected: string[], sort: [keyof Row, boolean], words: string, empty: string, away: number
 * }>} TableModel
 */

/**
 * The head of every column, which sorts; shows the order.
 * @param {HTMLTableRowElement} top
 * @param {TableModel} model
 */
function makeHeads(top, model) {
  const heads = COLUMNS.map((column) => {
    const head = element("th", `${column.name}${column.number ? " number" : ""}`, top)
    const press = button(head, "", column.head, () => { model.sort = pressed(model.sort, column) })
    press.title = column.title || `Sort by ${column.head.toLowerCase()}`
    return head
  })
  return () => {
    const [name, up] = model.sort
    heads.forEach((head, index) => {
      const on = COLUMNS[index].name === name
      head.setAttribute("aria-sort", on ? (up ? "ascending" : "descending") : "none")
    })
  }
}

/**
 * Rows are selected by pointer and keys.
 * @param {ReturnType<typeof makeBody>} list
 * @param {TableModel} model
 * @param {(keys: string[]) => void} choose
 */
function selectable(list, model, choose) {
  let anchor = ""
  const span = (/** @type {string} */ key) => choose(between(list.sorted(), anchor, key))

  /** @param {string} key */
  function toggle(key) {
    const chosen = new Set(model.selected)
    if (!chosen.delete(key)) chosen.add(key)
    anchor = key
    choose([...chosen])
  }

  /** @param {string} key */
  function only(key) {
    anchor = key
    choose([key])
  }

  list.body.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target), key = target.closest("tr")?.dataset.key
    if (!key) return
    if (event.shiftKey) span(key)
    else if (target.closest(".pick") || event.ctrlKey || event.metaKey) toggle(key)
    else only(key)
    list.focus(key)
  })
  list.body.addEventListener("keydown", (event) => {
    const sorted = list.sorted(), current = list.current()
    const to = ledTo(event.key, sorted.findIndex((row) => row.key === current), sorted.length)
    if (to !== undefined) {
      const key = sorted[to].key
      if (event.shiftKey) {
        anchor ||= current
        span(key)
      }
      list.focus(key)
    } else if (event.key === " ") toggle(current)
    else if (event.key === "Enter") only(current)
    else if (event.key === "Escape") choose([])
    else if (event.key === "Delete" && model.selected.length) model.send_msg({press: "delete"})
    else if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey)) choose(sorted.map((row) => row.key))
    else return
    event.preventDefault()
  })
}

/** @param {{model: TableModel}} component */
export function render({model}) {
  const choose = (/** @type {string[]} */ keys) => { model.selected = keys }
  const root = element("div", "runs"), bar = element("div", "bar", root), count = element("span", "count", bar)
  count.setAttribute("role", "status")
  const back = button(bar, "back", "", () => model.send_msg({press: "back"}))
  const clear = button(bar, "clear", "Clear selection", () => choose([]))
  const remove = button(bar, "delete", "Delete", () => model.send_msg({press: "delete"}))
  const frame = element("div", "frame", root), table = element("table", "", frame)
  table.setAttribute("role", "grid")
  table.setAttribute("aria-multiselectable", "true")
  table.setAttribute("aria-label", "Runs. Arrow keys move, Space selects, Shift with arrows selects several, Delete deletes.")
  const top = element("tr", "", element("thead", "", table)), all = element("input", "", element("th", "pick", top))
  all.type = "checkbox"
  all.setAttribute("aria-label", "Select all")
  const showOrder = makeHeads(top, model), list = makeBody(frame, table, () => new Set(model.selected))
  const words = element("p", "words", frame)
  all.addEventListener("change", () => choose(all.checked ? list.sorted().map((row) => row.key) : []))
  selectable(list, model, choose)

  function mark() {
    list.mark()
    const chosen = new Set(model.selected), rows = list.sorted(), here = rows.filter((row) => chosen.has(row.key)).length
    all.checked = here > 0 && here === rows.length
    all.indeterminate = here > 0 && here < rows.length
    all.disabled = rows.length === 0
    count.textContent = model.words + (chosen.size ? `, ${chosen.size} selected` : "")
    clear.hidden = remove.disabled = chosen.size === 0
    remove.textContent = chosen.size > 1 ? `Delete ${chosen.size}` : "Delete"
    back.hidden = model.away === 0
    back.textContent = `Put back ${model.away} deleted`
    words.textContent = model.empty
    words.hidden = rows.length > 0
    table.hidden = rows.length === 0 && model.empty !== ""
  }

  let first = true
  function show() {
    showOrder()
    list.show(inOrder(model.rows, model.sort))
    mark()
    if (!first || !model.rows.length) return
    first = false
    list.showSelected()
  }
  model.on(["rows", "sort"], show)
  model.on(["selected", "words", "away", "empty"], mark)
  show()
  return root
}
