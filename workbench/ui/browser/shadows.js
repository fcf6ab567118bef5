// Every shadow tree of a page is watched from its making on, for sliders without words and for things that explain themselves, because Panel makes widgets whenever it likes, each in a tree of its own.

import {nameHandles} from "./slider_names.js"
import {hearTips} from "./tips.js"

/** @param {ShadowRoot} root */
function watch(root) {
  const name = () => nameHandles(root)
  // A slider's title is written anew at every move; its handle says what the slider library wants until this has its turn.
  new MutationObserver(name).observe(root, {childList: true, subtree: true, attributes: true, attributeFilter: ["aria-valuetext"]})
  name()
  hearTips(root)
}

/** @param {ParentNode} root */
function watchInside(root) {
  for (const el of root.querySelectorAll("*")) {
    if (!el.shadowRoot) continue
    watch(el.shadowRoot)
    watchInside(el.shadowRoot)
  }
}

/** Watch the trees that are there, and those that will be; once on a page. */
export function watchShadows() {
  const page = document.documentElement
  if (page.dataset.shadows) return
  page.dataset.shadows = "watched"
  const attach = Element.prototype.attachShadow
  /** @param {ShadowRootInit} how */
  Element.prototype.attachShadow = function (how) {
    const root = attach.call(this, how)
    watch(root)
    return root
  }
  hearTips(document)
  watchInside(document)
}
