// A saved page: the stages and charts, fed from the data inside the file instead of by a server.

import {element} from "../browser/dom.js"
import {render as renderChart} from "./chart.js"
import {render as renderStages} from "./stage.js"

/** @typedef {{style: string, model: object, stages: Record<string, string>, charts: {heading: string, note: string, series: string}[]}} Saved */

/** @param {string} id */
const place = (id) => /** @type {HTMLElement} */ (document.getElementById(id))
const saved = /** @type {Saved} */ (JSON.parse(place("data").textContent ?? ""))
const bytes = (/** @type {string} */ text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer
const silent = {on() {}, off() {}, send_msg() {}} // nobody changes it from outside

/**
 * @param {HTMLElement} host
 * @param {() => HTMLElement} make
 */
function mount(host, make) {
  const root = host.attachShadow({mode: "open"})
  element("style", "", root, saved.style)
  root.append(make())
}

const blocks = Object.fromEntries(Object.entries(saved.stages).map(([name, text]) => [name, bytes(text)]))
mount(place("stages"), () => renderStages({model: /** @type {any} */ ({...saved.model, ...blocks, ...silent})}))
for (const chart of saved.charts) {
  const inside = element("div", "", element("div", "wb-card", place("charts")))
  inside.style.height = "100%"
  mount(inside, () => renderChart({model: {...chart, series: bytes(chart.series), ...silent}}))
}
