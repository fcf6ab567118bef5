// In a notebook: sliders get names and words for their values, Panel's in their shadow trees and Jupyter's own in the page.

import {watchShadows} from "../browser/shadows.js"
import {nameJupyterHandles} from "../browser/slider_names.js"

const page = document.documentElement
watchShadows()
if (!page.dataset.sliders) {
  page.dataset.sliders = "named"
  const name = () => nameJupyterHandles(document)
  new MutationObserver(name).observe(document.body, {childList: true, subtree: true, attributes: true, attributeFilter: ["aria-valuetext"]})
  name()
}
