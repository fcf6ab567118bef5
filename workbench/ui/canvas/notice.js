// What stands above the stages while something loads, waits or has failed: words, how far it is, and a button.

import {button, element} from "../browser/dom.js"

/** @import {StagesModel} from "./pictures" */

/**
 * @param {HTMLElement} root
 * @param {StagesModel} model
 * @returns {() => void} Shows what the model says.
 */
export function makeNotice(root, model) {
  const notice = element("div", "wb-notice", root)
  notice.setAttribute("role", "status")
  return () => {
    const {kind = "", text = "", progress = null, button: label = ""} = model.notice || {}
    const part = progress === null ? "" : `${100 * progress}%`
    if (!notice.hidden && notice.firstChild && label && notice.dataset.button === label && notice.className === `wb-notice ${kind}`) {
      notice.firstChild.textContent = text // the button stays under the finger
      const bar = /** @type {HTMLElement | null} */ (notice.querySelector(".wb-progress"))
      if (part) bar?.style.setProperty("--wb-part", part)
      return
    }
    notice.dataset.button = label
    notice.className = `wb-notice ${kind}`
    notice.hidden = !text
    notice.replaceChildren()
    root.classList.toggle("wb-waiting", kind === "loading")
    if (!text) return
    element("p", "", notice, text)
    if (part) element("div", "wb-progress", notice).style.setProperty("--wb-part", part)
    if (label) button(notice, "wb-notice-button", label, () => model.send_msg({press: "notice"}))
  }
}
