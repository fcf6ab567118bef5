// A field for one line of text; what the server refuses of it stands below it. Arrow keys step through whole numbers.

import {element} from "../browser/dom.js"

/** @import {Model} from "../browser/model" */
/** @typedef {Model<{label: string, text: string, placeholder: string, wrong: string, range: number[]}>} FieldModel */

/**
 * The number after a step, kept between the least and the greatest; the least for a text that is no number.
 * @param {string} text
 * @param {number} by
 * @param {readonly number[]} range Least, greatest and step.
 */
export function stepped(text, by, [least, greatest, step]) {
  const number = Number(text.replaceAll(",", "").replace("−", "-"))
  if (!text.trim() || Number.isNaN(number)) return String(least)
  return String(Math.min(Math.max(Math.round(number) + by * step, least), greatest))
}

/** @param {{model: FieldModel}} component */
export function render({model}) {
  const root = element("div", "wb-field"), label = element("label", "", root, model.label)
  const input = element("input", "", root), words = element("p", "", root)
  label.htmlFor = input.id = "field"
  words.id = "wrong"
  words.setAttribute("role", "alert")
  input.setAttribute("aria-describedby", "wrong")
  input.autocomplete = "off"
  input.spellcheck = false
  if (model.range.length) {
    input.inputMode = "numeric"
    input.setAttribute("role", "spinbutton")
    input.setAttribute("aria-valuemin", String(model.range[0]))
    input.setAttribute("aria-valuemax", String(model.range[1]))
  }

  const say = () => { model.text = input.value }
  input.addEventListener("change", say)
  input.addEventListener("input", () => {
    if (model.wrong) say() // words about what no longer stands there would mislead
  })
  input.addEventListener("keydown", (event) => {
    const by = event.key === "ArrowUp" ? 1 : event.key === "ArrowDown" ? -1 : 0
    if (!by || !model.range.length) return
    event.preventDefault()
    input.value = stepped(input.value, by, model.range)
    say()
  })

  function show() {
    if (input.value !== model.text) input.value = model.text
    input.placeholder = model.placeholder
    if (model.range.length) input.setAttribute("aria-valuetext", model.text || model.placeholder)
  }
  function showWrong() {
    words.textContent = model.wrong
    input.setAttribute("aria-invalid", String(model.wrong !== ""))
  }
  model.on(["text", "placeholder"], show)
  model.on("wrong", showWrong)
  model.on("msg:custom", () => input.focus())
  show()
  showWrong()
  return root
}
