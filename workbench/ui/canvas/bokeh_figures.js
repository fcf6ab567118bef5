// Colours that follow the page's theme: every renderer carries its two colours as a tag, axes follow the page's own.
// None of it goes to the server: what a theme looks like is the browser's business.
const dye = (model, colours) => model.setv(colours, {sync: false})

const paint = () => {
  const dark = document.documentElement.dataset.theme === "dark", style = getComputedStyle(document.documentElement)
  const read = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise
  const ink = read("--wb-ink", "#17202c"), muted = read("--wb-muted", "#5b6472"), line = read("--wb-line", "#dfe4ea"), ground = read("--wb-surface", "#ffffff")
  const font = getComputedStyle(document.body).fontFamily || "sans-serif"
  for (const figure of figures) {
    dye(figure.title, {text_color: ink, text_font: font})
    const places = [...figure.above, ...figure.below, ...figure.left, ...figure.right, ...figure.center]
    for (const one of places) {
      if ("axis_label_text_color" in one) {
        dye(one, {axis_label_text_color: muted, major_label_text_color: muted, axis_label_text_font: font, major_label_text_font: font, axis_line_color: line, major_tick_line_color: line})
      } else if ("label_text_color" in one) {
        dye(one, {label_text_color: ink, label_text_font: font, background_fill_color: ground, inactive_fill_color: ground})
      } else if ("grid_line_color" in one) {
        dye(one, {grid_line_color: line})
      } else if ("major_label_text_color" in one) {
        dye(one, {major_label_text_color: muted, major_label_text_font: font, background_fill_color: ground})
      }
    }
    for (const renderer of figure.renderers) {
      const tag = (renderer.tags || []).find((one) => one && one.light)
      if (!tag) continue
      const colour = dark ? tag.dark : tag.light
      if (Array.isArray(colour)) {
        dye(renderer.glyph.color_mapper, {palette: colour})
        continue
      }
      for (const glyph of [renderer.glyph, renderer.nonselection_glyph, renderer.selection_glyph, renderer.muted_glyph]) {
        if (!glyph || typeof glyph === "string") continue
        const names = ["line_color", "fill_color", "text_color"].filter((name) => name in glyph && glyph[name] && glyph[name].value !== null)
        dye(glyph, Object.fromEntries(names.map((name) => [name, {value: colour}])))
      }
    }
  }
}
paint()
const followed = (window.wbFollowed ||= new WeakSet())
if (!followed.has(figures[0])) {
  followed.add(figures[0])
  // a renderer that gets other colours later (another rule is chosen) is painted when it does
  for (const figure of figures) for (const renderer of figure.renderers) renderer.connect(renderer.properties.tags.change, paint)
  window.addEventListener("wb-theme", paint)
}
