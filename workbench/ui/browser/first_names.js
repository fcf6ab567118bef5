// Before the first widget: every shadow tree is watched from its making on, because Panel makes widgets whenever it likes, each in a
// tree of its own. A slider's title is written anew at every move, and its name with it.

import {nameHandles} from "./slider_names.js"

const attach = Element.prototype.attachShadow
/** @param {ShadowRootInit} how */
Element.prototype.attachShadow = function (how) {
  const root = attach.call(this, how)
  new MutationObserver(() => nameHandles(root)).observe(root, {childList: true, subtree: true})
  return root
}
