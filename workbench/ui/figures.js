// Colours that follow the page's theme: every renderer carries its two colours as a tag, axes follow the page's own.
const paint = () => {
  const dark = document.documentElement.dataset.theme === "dark", style = getComputedStyle(document.documentElement)
  const read = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise
  const ink = read("--wb-ink", "#17202c"), muted = read("--wb-muted", "#5b6472"), line = read("--wb-line", "#dfe4ea"), ground = read("--wb-surface", "#ffffff")
  const font = getComputedStyle(document.body).fontFamily || "sans-serif"
  for (const figure of figures) {
    figure.title.text_color = ink
    figure.title.text_font = font
    for (const axis of [...figure.above, ...figure.below, ...figure.left, ...figure.right]) {
      if (!("axis_label_text_color" in axis)) continue
      axis.axis_label_text_color = axis.major_label_text_color = muted
      axis.axis_label_text_font = axis.major_label_text_font = font
      axis.axis_line_color = axis.major_tick_line_color = line
      axis.minor_tick_line_color = null
    }
    for (const grid of figure.center) if ("grid_line_color" in grid) grid.grid_line_color = line
    for (const legend of figure.select({type: "Legend"})) {
      legend.label_text_color = ink
      legend.label_text_font = font
      legend.background_fill_color = ground
      legend.border_line_color = line
    }
    for (const renderer of figure.renderers) {
      const tag = (renderer.tags || []).find((one) => one && one.light)
      if (!tag) continue
      const colour = dark ? tag.dark : tag.light
      for (const glyph of [renderer.glyph, renderer.nonselection_glyph, renderer.selection_glyph, renderer.muted_glyph]) {
        if (!glyph) continue
        for (const name of ["line_color", "fill_color", "text_color"]) if (name in glyph && glyph[name] !== null && !glyph[name]?.field) glyph[name] = colour
      }
    }
  }
}
paint()
window.addEventListener("wb-theme", paint)
