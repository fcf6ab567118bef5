// Reads the browser's secret, or makes one, and tells the server.

import {element} from "../browser/dom.js"

/** @import {Model} from "../browser/model" */

const NAME = "wb-owner"

/** @param {{model: Model<{secret: string}>}} component */
export function render({model}) {
  let secret = ""
  try {
    secret = localStorage.getItem(NAME) || ""
  } catch {
    // then it lasts until the reload
  }
  if (!/^[0-9a-f]{32}$/.test(secret)) {
    secret = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("")
    try {
      localStorage.setItem(NAME, secret)
    } catch {
      // as above
    }
  }
  model.secret = secret
  return element("span")
}
