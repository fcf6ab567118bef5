// What the benchmark asks of the page, in the page.
window.wbFind = (selector, root = document) => {
  const found = root.querySelector(selector)
  if (found) return found
  for (const el of root.querySelectorAll("*")) {
    const inside = el.shadowRoot && window.wbFind(selector, el.shadowRoot)
    if (inside) return inside
  }
  return null
}

window.addEventListener("keydown", () => { window.wbKey = performance.now() }, true)

// Milliseconds from the last key to the frame that shows its picture: the page draws in the frame after a new version,
// and a message comes when that frame has been handed over.
window.wbPainted = () => new Promise((done) => {
  const watch = new MutationObserver(() => {
    watch.disconnect()
    requestAnimationFrame(() => {
      const channel = new MessageChannel()
      channel.port1.onmessage = () => done(performance.now() - window.wbKey)
      channel.port2.postMessage(0)
    })
  })
  watch.observe(window.wbFind(".wb-scene"), {attributes: true, attributeFilter: ["data-version"]})
})

// Frames a second while flow time swings to and fro for three seconds.
window.wbScrub = () => new Promise((done) => {
  const bar = window.wbFind(".wb-scrub"), last = Number(bar.max), start = performance.now()
  let frames = 0
  const step = (now) => {
    if (now - start > 3000) return done((1000 * frames) / (now - start))
    frames++
    bar.value = last * (0.5 + 0.5 * Math.sin(now / 400))
    bar.dispatchEvent(new Event("input"))
    requestAnimationFrame(step)
  }
  requestAnimationFrame(step)
})
