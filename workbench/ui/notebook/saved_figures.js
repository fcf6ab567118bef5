// The slider of a saved figure: each of its positions has its own stages and its own picture of the world.

/** @param {string} text */
function bytes(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer
}

/** @param {{stages: any, frames: string[], worlds: string[], cb_obj: {value: number}}} args */
export function run({stages, frames, worlds, cb_obj: slider}) {
  stages.data.world = bytes(worlds[slider.value])
  stages.data.frame = bytes(frames[slider.value])
}
