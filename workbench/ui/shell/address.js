// The address bar holds the server's link and what only the browser knows (flow time), without adding to the history.

import {hearWindow} from "../browser/dom.js"

/** @import {Model} from "../browser/model" */

const PAUSE = 250 // milliseconds

/**
 * The link's query with what the browser adds.
 * @param {string} address
 * @param {Record<string, string>} local
 */
export function whole(address, local) {
  const more = Object.entries(local).map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
  return [address, ...more].filter(Boolean).join("&")
}

/** @param {Model<{address: string}>} model */
export function makeAddress(model) {
  /** @type {Record<string, string>} */
  const local = {}
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  const write = () => history.replaceState(null, "", `?${whole(model.address, local)}`)

  function keep() {
    clearTimeout(timer)
    timer = setTimeout(() => {
      if (model.address) write()
      for (const a of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll("a[data-page]"))) {
        a.href = `./${a.dataset.page}${model.address ? `?${model.address}` : ""}`
      }
    }, PAUSE)
  }

  const hear = (/** @type {CustomEvent<Record<string, string | null>>} */ event) => {
    for (const [name, value] of Object.entries(event.detail)) {
      if (value === null) delete local[name]
      else local[name] = value
    }
    keep()
  }
  model.on("address", keep)
  hearWindow(model, {"wb-local": hear})
  keep()
  return {write}
}
