// Arrow keys, space and Page keys go from slide to slide; a slide that is taller than the window is scrolled through first.
const slides = [...document.querySelectorAll(".slide")]
const now = () => slides.reduce((best, s, i) => Math.abs(s.getBoundingClientRect().top) < Math.abs(slides[best].getBoundingClientRect().top) ? i : best, 0)
addEventListener("keydown", (event) => {
  const move = {ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1}[event.key]
  if (!move) return
  event.preventDefault()
  slides[Math.min(slides.length - 1, Math.max(0, now() + move))].scrollIntoView()
})
