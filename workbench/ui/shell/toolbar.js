// The header's buttons, the address bar, the code dialog, the export menu and the guided tour.

const ICONS = {
  undo: "M6 4 2.5 7.5 6 11M3 7.5h6.5a4 4 0 0 1 0 8H7",
  redo: "M12 4l3.5 3.5L12 11M15 7.5H8.5a4 4 0 0 0 0 8H11",
  link: "M7.5 10.5a3.2 3.2 0 0 0 4.6 0l2.4-2.4a3.2 3.2 0 0 0-4.6-4.6l-.9.9M10.5 7.5a3.2 3.2 0 0 0-4.6 0L3.5 9.9a3.2 3.2 0 0 0 4.6 4.6l.9-.9",
  code: "M6 5 2 9l4 4M12 5l4 4-4 4",
  export: "M9 2.5v9M5.5 8 9 11.5 12.5 8M3 12.5v3h12v-3",
  tour: "M9 16.2A7.2 7.2 0 1 0 9 1.8a7.2 7.2 0 0 0 0 14.4M7 7.2a2 2 0 1 1 2.8 1.9c-.6.3-.8.7-.8 1.3M9 12.8v.1",
}

function make(tag, className, parent, text) {
  const made = document.createElement(tag)
  if (className) made.className = className
  if (text !== undefined) made.textContent = text
  parent?.appendChild(made)
  return made
}

function button(parent, icon, word, label, className = "") {
  const made = make("button", className, parent)
  made.type = "button"
  made.title = label
  made.setAttribute("aria-label", label)
  if (icon) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), path = document.createElementNS(svg.namespaceURI, "path")
    svg.setAttribute("viewBox", "0 0 18 18")
    svg.setAttribute("aria-hidden", "true")
    path.setAttribute("d", ICONS[icon])
    svg.appendChild(path)
    made.appendChild(svg)
  }
  if (word) make("span", icon ? "wb-word" : "", made, word)
  return made
}

// The first element that fits, inside shadow trees too: the pages' components have one each.
function find(selector, root = document) {
  const found = root.querySelector(selector)
  if (found) return found
  for (const el of root.querySelectorAll("*")) {
    const inside = el.shadowRoot && find(selector, el.shadowRoot)
    if (inside) return inside
  }
  return null
}

// The page's figures as one picture: rows of Bokeh views (by id) and of canvases (by selector), on the page's ground.
const GAP = 16
function drawn(rows, type) {
  const lines = rows.map((line) => line.map((name) => {
    if (name.startsWith(".")) {
      const canvas = find(`${name} canvas`) || find(name)?.shadowRoot?.querySelector("canvas"), box = canvas?.getBoundingClientRect()
      return box && {canvas, wide: box.width, tall: box.height}
    }
    const view = window.Bokeh.index.find_one_by_id(name)
    if (!view?.bbox?.width) return null
    return {canvas: view.export(type).canvas, wide: view.bbox.width, tall: view.bbox.height}
  }).filter((part) => part?.wide)).filter((line) => line.length)
  let y = GAP
  const parts = []
  for (const line of lines) {
    let x = GAP
    for (const part of line) { parts.push({...part, x, y}); x += part.wide + GAP }
    y += Math.max(...line.map((part) => part.tall)) + GAP
  }
  return {parts, wide: Math.max(0, ...parts.map((part) => part.x + part.wide)) + GAP, tall: y}
}

async function picture(rows, type) {
  const {parts, wide, tall} = drawn(rows, type)
  if (!parts.length) throw new Error("Nothing is drawn yet.")
  const ground = getComputedStyle(document.documentElement).getPropertyValue("--wb-surface").trim() || "white"
  if (type === "png") {
    const whole = document.createElement("canvas"), ratio = devicePixelRatio, pen = whole.getContext("2d")
    whole.width = wide * ratio
    whole.height = tall * ratio
    pen.scale(ratio, ratio)
    pen.fillStyle = ground
    pen.fillRect(0, 0, wide, tall)
    for (const part of parts) pen.drawImage(part.canvas, part.x, part.y, part.wide, part.tall)
    return new Promise((done) => whole.toBlob(done, "image/png"))
  }
  const space = "http://www.w3.org/2000/svg", whole = document.createElementNS(space, "svg")
  const add = (tag, fields) => {
    const made = document.createElementNS(space, tag)
    for (const [name, value] of Object.entries(fields)) made.setAttribute(name, value)
    return whole.appendChild(made)
  }
  for (const [name, value] of Object.entries({width: wide, height: tall, viewBox: `0 0 ${wide} ${tall}`})) whole.setAttribute(name, value)
  add("rect", {width: wide, height: tall, fill: ground})
  for (const part of parts) {
    const place = {x: part.x, y: part.y, width: part.wide, height: part.tall}
    if (part.canvas.tagName === "CANVAS") add("image", {...place, href: part.canvas.toDataURL()})
    else { for (const [name, value] of Object.entries(place)) part.canvas.setAttribute(name, value); whole.appendChild(part.canvas) }
  }
  return new Blob([new XMLSerializer().serializeToString(whole)], {type: "image/svg+xml"})
}

function inText() {
  let el = document.activeElement
  while (el?.shadowRoot?.activeElement) el = el.shadowRoot.activeElement
  return Boolean(el) && (el.isContentEditable || el.tagName === "TEXTAREA" || (el.tagName === "INPUT" && /^(text|search|number|password|email|url|)$/.test(el.type)))
}

export function render({model}) {
  const root = make("div", "wb-tools"), tools = make("div", "wb-tools", root)
  tools.setAttribute("role", "toolbar")
  tools.setAttribute("aria-label", "Page")
  const undo = button(tools, "undo", "", "Undo (Ctrl+Z)", "wb-icon"), redo = button(tools, "redo", "", "Redo (Ctrl+Shift+Z)", "wb-icon")
  const link = button(tools, "link", "Copy link", "Copy link"), code = button(tools, "code", "Copy as code", "Copy as code")
  const save = button(tools, "export", "Export", "Export"), tour = button(tools, "tour", "", "Guided tour", "wb-icon")
  const menu = make("div", "wb-menu", root), toast = make("div", "wb-toast", root)
  menu.hidden = toast.hidden = true
  menu.setAttribute("role", "menu")
  menu.setAttribute("aria-label", "Export")
  save.setAttribute("aria-haspopup", "menu")
  toast.setAttribute("role", "status")
  const press = (what, more = {}) => model.send_msg({press: what, ...more})

  let toastTimer = 0
  function tell(text) {
    toast.textContent = text
    toast.hidden = false
    clearTimeout(toastTimer)
    toastTimer = setTimeout(() => { toast.hidden = true }, Math.max(2500, 60 * text.length))
  }

  // The address bar holds the server's link and what only the browser knows (flow time), without adding to the history.
  const local = {}
  let linkTimer = 0
  const whole = () => {
    const more = Object.entries(local).map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    return [model.address, ...more].filter(Boolean).join("&")
  }
  function keepLink() {
    clearTimeout(linkTimer)
    linkTimer = setTimeout(() => {
      if (model.address) history.replaceState(null, "", `?${whole()}`)
      for (const a of document.querySelectorAll("a[data-page]")) a.href = `./${a.dataset.page}${model.address ? `?${model.address}` : ""}`
    }, 250)
  }
  const hearLocal = (event) => {
    for (const [name, value] of Object.entries(event.detail)) { if (value === null) delete local[name]; else local[name] = value }
    keepLink()
  }

  async function copy(text, done, otherwise) {
    // Plain http on another machine has no clipboard.
    try { await navigator.clipboard.writeText(text); tell(done) } catch { tell(otherwise) }
  }
  link.addEventListener("click", () => {
    history.replaceState(null, "", `?${whole()}`)
    copy(location.href, "Link copied: it reproduces this picture.", "The browser allows no copying here; the link is in the address bar.")
  })
  code.addEventListener("click", () => press("code"))
  undo.addEventListener("click", () => press("undo"))
  redo.addEventListener("click", () => press("redo"))

  const dialog = make("dialog", "", root)
  make("h2", "", dialog, "This picture as code")
  make("p", "", dialog, "Paste it into a notebook cell, or run it with Python where the workbench is installed.")
  const area = make("textarea", "", dialog), row = make("div", "wb-row", dialog), note = make("span", "", row)
  area.readOnly = true
  area.spellcheck = false
  area.setAttribute("aria-label", "Python code")
  const close = button(row, "", "Close", "Close"), again = button(row, "", "Copy", "Copy the code", "wb-main-button")
  close.addEventListener("click", () => dialog.close())
  const copyCode = async () => {
    try { await navigator.clipboard.writeText(area.value); note.textContent = "Copied." } catch { area.select(); note.textContent = "Selected: copy it with Ctrl+C." }
  }
  again.addEventListener("click", copyCode)
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close() })

  function openMenu(open) {
    menu.hidden = !open
    save.setAttribute("aria-expanded", String(open))
    if (open) menu.firstChild?.focus()
  }
  save.addEventListener("click", () => openMenu(menu.hidden))
  menu.addEventListener("keydown", (event) => {
    const items = [...menu.children], at = items.indexOf(root.getRootNode().activeElement)
    const move = {ArrowDown: 1, ArrowUp: -1}[event.key]
    if (event.key === "Escape") { openMenu(false); save.focus() }
    if (move) { event.preventDefault(); items[(at + move + items.length) % items.length].focus() }
  })
  root.addEventListener("focusout", (event) => { if (!menu.hidden && !root.contains(event.relatedTarget)) openMenu(false) })

  function showTools() {
    undo.disabled = !model.can.undo
    redo.disabled = !model.can.redo
    code.hidden = !model.codes
    save.hidden = !model.exports.length
    tour.hidden = !model.tour.length
    menu.replaceChildren()
    model.exports.forEach((label, index) => {
      const item = button(menu, "", label, label)
      item.setAttribute("role", "menuitem")
      item.addEventListener("click", () => { openMenu(false); save.focus(); tell(`Making ${label} …`); press("export", {index}) })
    })
  }

  // The tour: a ring around one thing at a time and a few words beside it.
  let stop = -1
  const ring = make("div", "wb-ring", root), card = make("section", "wb-stop", root)
  const heading = make("h2", "", card), text = make("p", "", card), steps = make("div", "wb-row", card)
  const count = make("span", "", steps), leave = button(steps, "", "End", "End the tour"), next = button(steps, "", "Next", "Next stop", "wb-main-button")
  card.setAttribute("role", "dialog")
  card.setAttribute("aria-label", "Guided tour")
  ring.hidden = card.hidden = true
  function showStop(index, way = 1) {
    stop = index
    const found = model.tour[index]
    ring.hidden = card.hidden = !found
    if (!found) return
    const target = find(found[0])
    if (!target?.getClientRects().length) return showStop(index + way, way) // not on this page's present picture
    target.scrollIntoView({block: "nearest"})
    const box = target.getBoundingClientRect(), pad = 5
    Object.assign(ring.style, {left: `${box.left - pad}px`, top: `${box.top - pad}px`, width: `${box.width + 2 * pad}px`, height: `${box.height + 2 * pad}px`})
    heading.textContent = found[1]
    text.textContent = found[2]
    count.textContent = `${index + 1} of ${model.tour.length}`
    next.firstChild.textContent = index + 1 < model.tour.length ? "Next" : "Done"
    const wide = card.offsetWidth, tall = card.offsetHeight, gap = 16
    let left = box.right + gap, top = box.top
    if (left + wide > innerWidth - 8) left = box.left - gap - wide
    if (left < 8) { left = Math.min(Math.max(8, box.left), innerWidth - wide - 8); top = box.bottom + gap + tall < innerHeight ? box.bottom + gap : box.top - gap - tall }
    card.style.left = `${left}px`
    card.style.top = `${Math.min(Math.max(8, top), innerHeight - tall - 8)}px`
    next.focus()
  }
  tour.addEventListener("click", () => showStop(0))
  leave.addEventListener("click", () => { showStop(-1); tour.focus() })
  next.addEventListener("click", () => showStop(stop + 1))
  const resized = () => { if (stop >= 0) showStop(stop) }

  const hearKey = (event) => {
    if (event.key === "Escape" && stop >= 0) { showStop(-1); tour.focus() }
    if (stop >= 0 && event.key === "ArrowRight") showStop(stop + 1)
    if (stop > 0 && event.key === "ArrowLeft") showStop(stop - 1, -1)
    if (!(event.ctrlKey || event.metaKey) || event.altKey || inText()) return
    const key = event.key.toLowerCase(), back = key === "z" && !event.shiftKey, forth = key === "y" || (key === "z" && event.shiftKey)
    if (!back && !forth) return
    event.preventDefault()
    if (back && model.can.undo) press("undo")
    if (forth && model.can.redo) press("redo")
  }

  function saveAs(blob, name) {
    const place = URL.createObjectURL(blob), a = make("a", "", root)
    a.href = place
    a.download = name
    a.click()
    a.remove()
    setTimeout(() => URL.revokeObjectURL(place), 10_000)
    tell(`${name} is saved.`)
  }

  model.on("msg:custom", (message) => {
    if (message.kind === "tell") tell(message.text)
    else if (message.kind === "code") { area.value = message.code; note.textContent = ""; if (!dialog.open) dialog.showModal(); copyCode() }
    else if (message.kind === "file") {
      const bytes = Uint8Array.from(atob(message.data), (c) => c.charCodeAt(0))
      saveAs(new Blob([bytes], {type: message.mime}), message.name)
    } else if (message.kind === "draw") {
      picture(message.rows, message.type).then((blob) => saveAs(blob, message.name)).catch((error) => tell(`The picture could not be drawn. ${error.message}`))
    }
  })
  model.on(["can", "exports", "tour", "codes"], showTools)
  model.on("address", keepLink)
  window.addEventListener("wb-local", hearLocal)
  window.addEventListener("keydown", hearKey)
  window.addEventListener("resize", resized)
  model.on("remove", () => {
    window.removeEventListener("wb-local", hearLocal)
    window.removeEventListener("keydown", hearKey)
    window.removeEventListener("resize", resized)
  })
  showTools(); keepLink()
  document.documentElement.dataset.ready = ""
  return root
}
