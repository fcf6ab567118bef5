// What the benchmark asks of the page, in the page: one script, whose names stay in its block.
{
  /**
   * @param {string} selector
   * @param {ParentNode} root
   * @returns {Element | null}
   */
  const find = (selector, root = document) => {
    const found = root.querySelector(selector)
    if (found) return found
    for (const el of root.querySelectorAll("*")) {
      const inside = el.shadowRoot && find(selector, el.shadowRoot)
      if (inside) return inside
    }
    return null
  }

  let key = 0
  window.addEventListener("keydown", () => { key = performance.now() }, true)

  // Milliseconds from the last key to the frame that shows its picture: the page draws in the frame after a new version,
  // and a message comes when that frame has been handed over.
  const wbPainted = () =>
    new Promise((done, fail) => {
      const scene = find(".wb-scene")
      if (!scene) return fail(new Error("The page has no scene."))
      const watch = new MutationObserver(() => {
        watch.disconnect()
        requestAnimationFrame(() => {
          const channel = new MessageChannel()
          channel.port1.onmessage = () => done(performance.now() - key)
          channel.port2.postMessage(0)
        })
      })
      watch.observe(scene, {attributes: true, attributeFilter: ["data-version"]})
    })

  // Frames a second while flow time swings to and fro for three seconds.
  const wbScrub = () =>
    new Promise((done) => {
      const bar = /** @type {HTMLInputElement} */ (find(".wb-scrub")), last = Number(bar.max), start = performance.now()
      let frames = 0
      const step = (/** @type {number} */ now) => {
        if (now - start > 3000) return done((1000 * frames) / (now - start))
        frames++
        bar.value = String(last * (0.5 + 0.5 * Math.sin(now / 400)))
        bar.dispatchEvent(new Event("input"))
        requestAnimationFrame(step)
      }
      requestAnimationFrame(step)
    })

  // Frames a second of the opening from now until it ends: each is written into data-frame when it was painted.
  const wbOpening = () =>
    new Promise((done, fail) => {
      const opening = /** @type {HTMLElement | null} */ (find("#wb-opening"))
      if (!opening) {
        fail(new Error("The page has no opening."))
        return
      }
      const start = performance.now()
      let frames = 0
      const watch = new MutationObserver(() => { frames++ })
      watch.observe(opening, {attributes: true, attributeFilter: ["data-frame"]})
      const step = () => {
        if (opening.dataset.state === "playing") {
          requestAnimationFrame(step)
          return
        }
        watch.disconnect()
        done((1000 * frames) / (performance.now() - start))
      }
      step()
    })

  Object.assign(window, {wbFind: find, wbPainted, wbScrub, wbOpening})
}
