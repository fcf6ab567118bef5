// Before the first paint, so that a dark page never flashes white: the theme that was chosen here, else the system's.

/** @type {string | null} */
let kept = null
try {
  kept = localStorage.getItem("wb-theme")
} catch {
  // a page without storage follows the system
}
document.documentElement.dataset.theme = kept || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")
