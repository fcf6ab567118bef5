// A row of buttons that is one stop of the Tab key: arrow keys, Home and End go along it.

import {focusedBeside} from "../browser/dom.js"

/**
 * Which button a key leads to; undefined for a key that leads nowhere.
 * @param {string} key
 * @param {number} at
 * @param {number} count
 * @returns {number | undefined}
 */
export function ledAlong(key, at, count) {
  /** @type {Record<string, number>} */
  const ways = {ArrowRight: (at + 1) % count, ArrowLeft: (at - 1 + count) % count, Home: 0, End: count - 1}
  return count > 0 ? ways[key] : undefined
}

/**
 * @param {HTMLElement} row
 * @returns {() => void} To be called when buttons were hidden, shown, disabled or enabled.
 */
export function makeRoving(row) {
  const all = () => /** @type {HTMLButtonElement[]} */ ([...row.querySelectorAll("button")])
  const usable = () => all().filter((one) => !one.disabled && !one.hidden)
  /** @type {HTMLButtonElement | undefined} */
  let stop

  function refresh() {
    const some = usable(), lost = stop && !some.includes(stop)
    const focused = lost && focusedBeside(row) === stop
    if (!stop || lost) stop = some[0]
    for (const one of all()) one.tabIndex = one === stop ? 0 : -1
    if (focused) stop?.focus()
  }
  row.addEventListener("focusin", (event) => {
    stop = /** @type {HTMLButtonElement} */ (event.target)
    refresh()
  })
  row.addEventListener("keydown", (event) => {
    const some = usable(), to = ledAlong(event.key, stop ? some.indexOf(stop) : 0, some.length)
    if (to === undefined) return
    event.preventDefault()
    some[to].focus()
  })
  return refresh
}
