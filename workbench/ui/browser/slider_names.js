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
 * Name the handles of a widget by its title.
 * @param {ParentNode} root
 */
export function nameHandles(root) {
  const title = root.querySelector(".bk-slider-title"), handles = root.querySelectorAll(".noUi-handle")
  const name = title ? titleOf(title) : ""
  handles.forEach((handle, i) => {
    const end = handles.length < 2 ? "" : i ? ", upper end" : ", lower end"
    if (name && handle.getAttribute("aria-label") !== name + end) handle.setAttribute("aria-label", name + end)
  })
}
