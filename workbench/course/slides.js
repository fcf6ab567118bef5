// Arrow keys, space and Page keys go from slide to slide; a slide that is taller than the window is scrolled through first.
// A slide that is taller than the window is divided at its blocks: paragraphs, code, outputs.

const FRAMES = [
  ".cell", ".inner_cell", ".output_wrapper", ".output", ".output_area", ".rendered_html", ".text_cell", ".jp-Cell",
  ".jp-Cell-inputWrapper", ".jp-Cell-outputWrapper", ".jp-InputArea", ".jp-OutputArea", ".jp-OutputArea-child",
  ".jp-RenderedHTMLCommon.jp-MarkdownOutput", ".jp-Collapser + div",
].join(", ")

/**
 * What a slide may be divided between.
 * @param {Element} node
 * @returns {Element[]}
 */
const blocks = (node) => (node.matches(FRAMES) && node.children.length ? [...node.children].flatMap(blocks) : [node])

/** @param {Element} slide */
const tall = (slide) => slide.getBoundingClientRect().height > innerHeight + 1

/** @param {Element} slide */
function divide(slide) {
  if (!tall(slide)) return
  const parts = [...slide.children].flatMap(blocks)
  let page = slide
  slide.replaceChildren()
  for (const part of parts) {
    page.append(part)
    if (!tall(page) || page.children.length === 1) continue
    const next = /** @type {Element} */ (slide.cloneNode(false)), above = part.previousElementSibling
    const head = page.children.length > 2 && above?.matches("h1, h2, h3, h4") ? above : null
    page.after(next)
    if (head) next.append(head)
    next.append(part)
    page = next
  }
}

for (const slide of document.querySelectorAll("body.slides .slide")) divide(slide)
const slides = [...document.querySelectorAll(".slide")]
const now = () => Math.max(0, slides.findLastIndex((slide) => slide.getBoundingClientRect().top < 0.1 * innerHeight))

/** @type {Record<string, number>} */
const MOVES = {ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1}
addEventListener("keydown", (event) => {
  const move = MOVES[event.key]
  if (!move) return
  event.preventDefault()
  const at = now(), box = slides[at].getBoundingClientRect()
  const rest = move > 0 ? box.bottom - innerHeight : -box.top
  if (rest > 4) scrollBy({top: move * Math.min(rest, 0.85 * innerHeight)})
  else slides[Math.min(slides.length - 1, Math.max(0, at + move))].scrollIntoView()
})
