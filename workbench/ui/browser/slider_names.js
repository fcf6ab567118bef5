// Names for the handles of sliders, which Panel and Bokeh draw without one: a screen reader would say "slider" and a number.

/**
 * The words of a slider's title without its value: "Weight w" of "Weight w: 0.3".
 * @param {Element} title
 */
export function titleOf(title) {
  const words = [...title.childNodes].filter((node) => !(node instanceof Element && node.classList.contains("bk-slider-value")))
  return words.map((node) => node.textContent).join("").replace(/:\s*$/, "").trim()
}

/**
 * What a slider's value is called, with its unit: "0.3 action² / Q"; "" where it shows none.
 * @param {Element} title
 */
export const valueOf = (title) => title.querySelector(".bk-slider-value")?.textContent?.trim() ?? ""

/**
 * Name the handles of a widget by its title, and say its value in the words that eyes read: the slider itself would say the
 * place of the stop among the stops.
 * @param {ParentNode} root
 */
export function nameHandles(root) {
  const title = root.querySelector(".bk-slider-title"), handles = root.querySelectorAll(".noUi-handle")
  const name = title ? titleOf(title) : "", values = title ? valueOf(title).split(" .. ") : []
  handles.forEach((handle, i) => {
    const end = handles.length < 2 ? "" : i ? ", upper end" : ", lower end"
    if (name && handle.getAttribute("aria-label") !== name + end) handle.setAttribute("aria-label", name + end)
    const value = values[i]
    if (value && handle.getAttribute("aria-valuetext") !== value) handle.setAttribute("aria-valuetext", value)
  })
}

/**
 * Name the handles of Jupyter's own sliders, whose words stand beside them.
 * @param {ParentNode} root
 */
export function nameJupyterHandles(root) {
  for (const slider of root.querySelectorAll(".widget-slider, .widget-hslider, .jupyter-widget-slider")) {
    const words = slider.querySelector(".widget-readout")?.textContent?.trim(), name = slider.querySelector(".widget-label")?.textContent?.trim()
    for (const handle of slider.querySelectorAll(".noUi-handle")) {
      if (words && handle.getAttribute("aria-valuetext") !== words) handle.setAttribute("aria-valuetext", words)
      if (name && handle.getAttribute("aria-label") !== name) handle.setAttribute("aria-label", name)
    }
  }
}
