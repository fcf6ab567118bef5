// An image that is replaced without a flicker.

import {element} from "../browser/dom.js"

/** @import {Model} from "../browser/model" */

/** @param {{model: Model<{png: BlobPart}>}} component */
export function render({model}) {
  const image = element("img")
  image.style.maxWidth = "100%"
  let url = ""
  const show = () => {
    URL.revokeObjectURL(url)
    url = URL.createObjectURL(new Blob([model.png], {type: "image/png"}))
    image.src = url
  }
  show()
  model.on("png", show)
  return image
}
