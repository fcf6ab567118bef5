// The button that changes the theme, and paper, which is light whatever the screen is.

import {vector} from "../browser/dom.js"

const SUN =
  "M9 5.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7M9 1.5v1.6M9 14.9v1.6M1.5 9h1.6M14.9 9h1.6M3.7 3.7l1.1 1.1M13.2 13.2l1.1 1.1M14.3 3.7l-1.1 1.1M4.8 13.2l-1.1 1.1"
const MOON = "M15.5 11A7 7 0 0 1 7 2.5 7 7 0 1 0 15.5 11"

const page = document.documentElement
const themeButton = /** @type {HTMLButtonElement} */ (document.getElementById("wb-theme-button"))

function showName() {
  const dark = page.dataset.theme === "dark", label = dark ? "Use the light theme" : "Use the dark theme"
  const svg = vector("svg", {viewBox: "0 0 18 18", "aria-hidden": "true"})
  vector("path", {d: dark ? SUN : MOON}, svg)
  themeButton.replaceChildren(svg)
  themeButton.title = label
  themeButton.setAttribute("aria-label", label)
}

/** @param {string} theme */
function wear(theme) {
  page.dataset.theme = theme
  window.dispatchEvent(new Event("wb-theme"))
}

themeButton.addEventListener("click", () => {
  const theme = page.dataset.theme === "dark" ? "light" : "dark"
  try {
    localStorage.setItem("wb-theme", theme)
  } catch {
    // then it lasts until the reload
  }
  wear(theme)
  showName()
})
let before = ""
window.addEventListener("beforeprint", () => {
  before = page.dataset.theme ?? ""
  wear("light")
})
window.addEventListener("afterprint", () => wear(before))
showName()
document.querySelector(".wb-nav [aria-current]")?.scrollIntoView({inline: "center", block: "nearest"})
