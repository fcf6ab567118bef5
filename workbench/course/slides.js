// Arrow keys, space and Page keys go from slide to slide; a slide that is taller than the window is scrolled through first.
const slides = [...document.querySelectorAll(".slide")]
const now = () => Math.max(0, slides.findLastIndex((slide) => slide.getBoundingClientRect().top < 0.1 * innerHeight))
addEventListener("keydown", (event) => {
  const move = {ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1}[event.key]
  if (!move) return
  event.preventDefault()
  const at = now(), box = slides[at].getBoundingClientRect()
  const rest = move > 0 ? box.bottom - innerHeight : -box.top
  if (rest > 4) scrollBy({top: move * Math.min(rest, 0.85 * innerHeight)})
  else slides[Math.min(slides.length - 1, Math.max(0, at + move))].scrollIntoView()
})
