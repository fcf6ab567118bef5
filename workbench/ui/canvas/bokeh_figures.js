// Colours of Bokeh figures that follow the page's theme: every renderer carries its two colours as a tag, axes follow the
// page's own. None of it goes to the server: what a theme looks like is the browser's business. Each figure says in words what it
// shows, for those who do not see it.

import {colourOf, isDark, token} from "../browser/dom.js"
import {wordsOf} from "./figure_words.js"

/** @param {any} model @param {object} colours */
const dye = (model, colours) => model.setv(colours, {sync: false})

/** What the page itself wears. */
function pageLook() {
  const page = document.documentElement
  return {
    ink: token(page, "--wb-ink", "#17202c"),
    muted: token(page, "--wb-muted", "#5b6472"),
    line: token(page, "--wb-line", "#dfe4ea"),
    ground: token(page, "--wb-surface", "#ffffff"),
    font: getComputedStyle(document.body).fontFamily || "sans-serif",
  }
}

/**
 * An axis, a grid, a legend or a colour bar.
 * @param {any} part
 * @param {ReturnType<typeof pageLook>} look
 */
function dyePart(part, {ink, muted, line, ground, font}) {
  if ("axis_label_text_color" in part) {
    dye(part, {
      axis_label_text_color: muted, major_label_text_color: muted, axis_label_text_font: font, major_label_text_font: font,
      axis_line_color: line, major_tick_line_color: line,
    })
  } else if ("label_text_color" in part) {
    dye(part, {label_text_color: ink, label_text_font: font, background_fill_color: ground, inactive_fill_color: ground})
  } else if ("grid_line_color" in part) {
    dye(part, {grid_line_color: line})
  } else if ("major_label_text_color" in part) {
    dye(part, {major_label_text_color: muted, major_label_text_font: font, background_fill_color: ground})
  }
}

/** @param {any} renderer */
function dyeRenderer(renderer) {
  const tag = (renderer.tags || []).find((/** @type {any} */ one) => one && one.light)
  if (!tag) return
  if (Array.isArray(tag.light)) return dye(renderer.glyph.color_mapper, {palette: isDark() ? tag.dark : tag.light})
  for (const glyph of [renderer.glyph, renderer.nonselection_glyph, renderer.selection_glyph, renderer.muted_glyph]) {
    if (!glyph || typeof glyph === "string") continue
    const names = ["line_color", "fill_color", "text_color"].filter((name) => glyph[name] && glyph[name].value !== null)
    dye(glyph, Object.fromEntries(names.map((name) => [name, {value: colourOf(tag)}])))
    if (glyph.background_fill_color?.value) dye(glyph, {background_fill_color: {value: pageLook().ground}}) // of words over lines
  }
}

const PAUSE = 400 // milliseconds without a change after which a figure says anew what it shows

/**
 * Give the canvas of a figure its text alternative, and keep it true.
 * @param {any} figure
 */
function describe(figure) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  const tell = () => {
    const view = window.Bokeh.index.find_one_by_id(figure.id)?.canvas_view
    if (!view) return
    view.primary.canvas.setAttribute("role", "img")
    view.primary.canvas.setAttribute("aria-label", wordsOf(figure))
    view.overlays.canvas.setAttribute("aria-hidden", "true") // it lies over the other, and shows what is selected
  }
  const soon = () => {
    clearTimeout(timer)
    timer = setTimeout(tell, PAUSE)
  }
  const hear = (/** @type {any} */ model, /** @type {string[]} */ names) => {
    for (const name of names) if (model?.properties?.[name]) model.connect(model.properties[name].change, soon)
  }
  hear(figure, ["inner_width", "renderers"])
  for (const part of [figure.title, figure.x_range, figure.y_range]) hear(part, ["text", "start", "end"])
  for (const renderer of figure.renderers) {
    hear(renderer, ["visible"])
    hear(renderer.data_source, ["data"])
  }
  soon()
}

/**
 * Dye the figures now and whenever the theme changes.
 * @param {{figures: any[]}} args
 */
export function run({figures}) {
  const paint = () => {
    const look = pageLook()
    for (const figure of figures) {
      dye(figure.title, {text_color: look.ink, text_font: look.font})
      for (const part of [...figure.above, ...figure.below, ...figure.left, ...figure.right, ...figure.center]) dyePart(part, look)
      figure.renderers.forEach(dyeRenderer)
    }
  }
  paint()
  const followed = (window.wbFollowed ||= new WeakSet())
  if (followed.has(figures[0])) return
  followed.add(figures[0])
  figures.forEach(describe)
  // a renderer that gets other colours later (another rule is chosen) is painted when it does
  for (const figure of figures) for (const renderer of figure.renderers) renderer.connect(renderer.properties.tags.change, paint)
  window.addEventListener("wb-theme", paint)
}
