// The list of runs: sorted and selected in the browser; the server sends rows and hears which are selected.

const STEP = 150 // rows that are drawn at once; more when the reader comes near the end
const number = (value) => value === null ? "" : Math.abs(value) < 1000 ? value.toFixed(3).replace("-", "−") : value.toExponential(1)
const pad = (value) => String(value).padStart(2, "0")
const when = (iso) => {
  if (!iso) return ""
  const at = new Date(iso)
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${pad(at.getHours())}:${pad(at.getMinutes())}`
}
const COLUMNS = [
  {name: "key", head: "Run", show: (row) => row.key.slice(0, 8)},
  {name: "status", head: "Status", show: (row) => row.status},
  {name: "task", head: "Task", show: (row) => row.task},
  {name: "rule", head: "Rule", show: (row) => row.rule},
  {name: "settings", head: "Settings", show: (row) => row.settings},
  {name: "seed", head: "Seed", show: (row) => String(row.seed), number: true},
  {name: "mean", head: "Return", show: (row) => number(row.mean), number: true},
  {name: "low", head: "95% interval", show: (row) => row.low === null ? "" : `${number(row.low)} to ${number(row.high)}`, number: true},
  {name: "shift", head: "Shift", show: (row) => number(row.shift), number: true},
  {name: "gap", head: "Gap", title: "Promised minus earned: the critic is wrong by so much", show: (row) => number(row.gap), number: true},
  {name: "finished", head: "Finished", show: (row) => when(row.finished)},
]

function make(tag, className, parent, text) {
  const made = document.createElement(tag)
  if (className) made.className = className
  if (text !== undefined) made.textContent = text
  parent?.appendChild(made)
  return made
}

function button(parent, className, text, press) {
  const made = make("button", className, parent, text)
  made.type = "button"
  made.addEventListener("click", press)
  return made
}

export function render({model}) {
  const root = make("div", "runs"), bar = make("div", "bar", root), count = make("span", "count", bar)
  count.setAttribute("role", "status")
  const back = button(bar, "back", "", () => model.send_msg({press: "back"}))
  const clear = button(bar, "clear", "Clear selection", () => choose([]))
  const remove = button(bar, "delete", "Delete", () => model.send_msg({press: "delete"}))
  const frame = make("div", "frame", root), table = make("table", "", frame)
  table.setAttribute("role", "grid")
  table.setAttribute("aria-multiselectable", "true")
  table.setAttribute("aria-label", "Runs. Arrow keys move, Space selects, Shift with arrows selects several, Delete deletes.")
  const top = make("tr", "", make("thead", "", table)), body = make("tbody", "", table)
  const words = make("p", "words", frame)
  const all = make("input", "", make("th", "pick", top))
  all.type = "checkbox"
  all.setAttribute("aria-label", "Select all")
  all.addEventListener("change", () => choose(all.checked ? sorted.map((row) => row.key) : []))
  const heads = COLUMNS.map((column) => {
    const head = make("th", `${column.name}${column.number ? " number" : ""}`, top)
    const press = button(head, "", column.head, () => {
      const [name, up] = model.sort
      model.sort = [column.name, name === column.name ? !up : !column.number && column.name !== "finished"]
    })
    press.title = column.title || `Sort by ${column.head.toLowerCase()}`
    return head
  })

  let sorted = [], drawn = 0, current = "", anchor = ""
  const selected = () => new Set(model.selected)
  const choose = (keys) => { model.selected = keys }

  function order() {
    const [name, up] = model.sort, sign = up ? 1 : -1
    const missing = (value) => value === null || value === "" || value === undefined
    sorted = [...model.rows].sort((one, two) => {
      const a = one[name], b = two[name]
      if (missing(a) || missing(b)) return missing(a) - missing(b)
      return sign * (typeof a === "number" ? a - b : String(a).localeCompare(String(b), undefined, {numeric: true}))
    })
    heads.forEach((head, index) => {
      const on = COLUMNS[index].name === name
      head.setAttribute("aria-sort", on ? up ? "ascending" : "descending" : "none")
    })
  }

  function line(row) {
    const made = make("tr", row.status)
    made.dataset.key = row.key
    const tick = make("input", "", make("td", "pick", made))
    tick.type = "checkbox"
    tick.tabIndex = -1
    tick.setAttribute("aria-label", `Select run ${row.key.slice(0, 8)}`)
    COLUMNS.forEach((column) => {
      const cell = make("td", `${column.name}${column.number ? " number" : ""}`, made, column.show(row))
      if (column.name === "settings") cell.title = row.settings
      if (column.name === "status" && row.error) cell.title = row.error
    })
    return made
  }

  function more(until) {
    const end = Math.min(until, sorted.length), some = document.createDocumentFragment()
    for (; drawn < end; drawn++) some.appendChild(line(sorted[drawn]))
    body.appendChild(some)
    mark()
  }

  function mark() {
    const chosen = selected()
    if (!sorted.some((row) => row.key === current)) current = sorted[0]?.key || ""
    for (const row of body.children) {
      const on = chosen.has(row.dataset.key)
      row.setAttribute("aria-selected", on)
      row.tabIndex = row.dataset.key === current ? 0 : -1
      row.querySelector("input").checked = on
    }
    const here = sorted.filter((row) => chosen.has(row.key)).length
    all.checked = here > 0 && here === sorted.length
    all.indeterminate = here > 0 && here < sorted.length
    all.disabled = sorted.length === 0
    count.textContent = model.words + (chosen.size ? `, ${chosen.size} selected` : "")
    clear.hidden = remove.disabled = chosen.size === 0
    remove.textContent = chosen.size > 1 ? `Delete ${chosen.size}` : "Delete"
    back.hidden = model.away === 0
    back.textContent = `Put back ${model.away} deleted`
    words.textContent = model.empty
    words.hidden = sorted.length > 0
    table.hidden = sorted.length === 0 && model.empty !== ""
  }

  function draw() {
    const top = frame.scrollTop, until = Math.max(drawn, STEP), focused = body.contains(root.getRootNode().activeElement)
    order()
    body.replaceChildren()
    drawn = 0
    more(until)
    frame.scrollTop = top
    if (focused) focus(current)
  }

  function focus(key) {
    const index = sorted.findIndex((row) => row.key === key)
    if (index < 0) return
    if (index >= drawn) more(index + STEP)
    current = key
    for (const row of body.children) row.tabIndex = row.dataset.key === key ? 0 : -1
    body.children[index].focus({preventScroll: true})
    reveal(body.children[index])
  }

  function reveal(row) { // inside the frame alone: the page itself must not scroll
    const head = table.tHead.offsetHeight, above = row.offsetTop - head, below = row.offsetTop + row.offsetHeight
    if (frame.scrollTop > above) frame.scrollTop = above
    else if (frame.scrollTop + frame.clientHeight < below) frame.scrollTop = below - frame.clientHeight
  }

  function span(from, to) {
    const one = sorted.findIndex((row) => row.key === from), two = sorted.findIndex((row) => row.key === to)
    return one < 0 ? [to] : sorted.slice(Math.min(one, two), Math.max(one, two) + 1).map((row) => row.key)
  }

  function toggle(key) {
    const chosen = selected()
    if (!chosen.delete(key)) chosen.add(key)
    anchor = key
    choose([...chosen])
  }

  body.addEventListener("click", (event) => {
    const key = event.target.closest("tr")?.dataset.key
    if (!key) return
    if (event.shiftKey) choose(span(anchor, key))
    else if (event.target.type === "checkbox" || event.target.closest(".pick") || event.ctrlKey || event.metaKey) toggle(key)
    else {
      anchor = key
      choose([key])
    }
    focus(key)
  })
  body.addEventListener("keydown", (event) => {
    const at = sorted.findIndex((row) => row.key === current), page = 10
    const to = {ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: sorted.length - 1}[event.key]
    if (to !== undefined) {
      const key = sorted[Math.max(0, Math.min(sorted.length - 1, to))].key
      if (event.shiftKey) {
        anchor ||= current
        choose(span(anchor, key))
      }
      focus(key)
    } else if (event.key === " ") toggle(current)
    else if (event.key === "Enter") choose([anchor = current])
    else if (event.key === "Escape") choose([])
    else if (event.key === "Delete" && model.selected.length) model.send_msg({press: "delete"})
    else if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey)) choose(sorted.map((row) => row.key))
    else return
    event.preventDefault()
  })
  frame.addEventListener("scroll", () => {
    if (drawn < sorted.length && frame.scrollTop + 2 * frame.clientHeight > frame.scrollHeight) more(drawn + STEP)
  }, {passive: true})

  // The toast stays as long as somebody points at it or has it in focus.
  const toast = make("div", "toast", root), said = make("span", "", toast)
  toast.setAttribute("role", "status")
  toast.hidden = true
  let timer = 0
  const hide = () => { toast.hidden = true }
  const start = () => { clearTimeout(timer); timer = setTimeout(hide, 12000) }
  const undo = button(toast, "undo", "Undo", () => {
    model.send_msg({press: "undo"})
    hide()
  })
  for (const name of ["pointerenter", "focusin"]) toast.addEventListener(name, () => clearTimeout(timer))
  for (const name of ["pointerleave", "focusout"]) toast.addEventListener(name, start)
  model.on("msg:custom", (event) => {
    const message = event.data ?? event
    said.textContent = message.text
    undo.hidden = !message.undo
    toast.hidden = false
    start()
  })

  let first = true
  const show = () => {
    draw()
    const chosen = selected(), index = first ? sorted.findIndex((row) => chosen.has(row.key)) : -1
    if (sorted.length) first = false
    if (index >= 0) {
      if (index >= drawn) more(index + STEP)
      current = sorted[index].key
      mark()
      requestAnimationFrame(() => reveal(body.children[index]))
    }
  }
  model.on(["rows", "sort"], show)
  model.on(["selected", "words", "away", "empty"], mark)
  show()
  return root
}
