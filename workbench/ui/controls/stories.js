// A strip of steps; the present one is marked, and said in a sentence below.

import {button, element} from "../browser/dom.js"

/** @import {Model} from "../browser/model" */
/** @typedef {Model<{steps: [name: string, title: string, meaning: string][], current: string, busy: string}>} StoriesModel */

/** @param {{model: StoriesModel}} component */
export function render({model}) {
  const root = element("div", "wb-stories"), strip = element("ol", "", root), words = element("p", "", root)
  strip.setAttribute("aria-label", "Stories, from a small push to too far")
  words.setAttribute("role", "status")
  let looked = ""

  function show() {
    for (const step of strip.querySelectorAll("button")) {
      const name = step.dataset.name, on = name === model.current
      if (on) step.setAttribute("aria-current", "step")
      else step.removeAttribute("aria-current")
      step.setAttribute("aria-busy", String(name === model.busy))
    }
    const told = model.steps.find(([name]) => name === (model.busy || looked || model.current)), [, title, meaning] = told ?? []
    words.textContent = !told ? "Each step sets how far the rule goes from the data." : model.busy ? `${title}: finding the strength…` : `${title}: ${meaning}.`
  }

  /** @param {string} name Of the step that the pointer or the focus is on. */
  function look(name) {
    looked = name
    show()
  }

  function fill() {
    strip.replaceChildren()
    for (const [name, title, meaning] of model.steps) {
      const step = button(element("li", "", strip), `wb-preset wb-preset-${name}`, title, () => model.send_msg({press: name}))
      step.dataset.name = name
      step.setAttribute("aria-description", meaning)
      for (const [event, now] of /** @type {const} */ ([["pointerenter", name], ["focus", name], ["pointerleave", ""], ["blur", ""]])) step.addEventListener(event, () => look(now))
    }
    show()
  }

  model.on("steps", fill)
  model.on(["current", "busy"], show)
  fill()
  return root
}
