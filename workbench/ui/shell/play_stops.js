// The button of a saved page that goes through the slider's stops, and stops at the last one.

const PACE = 120 // milliseconds a stop

/** @typedef {{label: string, timer?: ReturnType<typeof setInterval> | null}} PlayButton */

/** @param {PlayButton} button */
function pause(button) {
  if (button.timer) clearInterval(button.timer)
  button.timer = null
  button.label = "Play"
}

/** @param {{slider: {value: number, end: number}, button: PlayButton}} args */
export function run({slider, button}) {
  if (button.timer) return pause(button)
  button.label = "Pause"
  if (slider.value >= slider.end) slider.value = 0
  button.timer = setInterval(() => {
    if (slider.value < slider.end) slider.value += 1
    else pause(button)
  }, PACE)
}
