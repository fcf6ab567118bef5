// The button of a saved page that goes through the slider's stops, and stops at the last one.

import {motionReduced} from "../browser/dom.js"

const WHOLE = 5000 // milliseconds, however many stops there are
const LONGEST = 600 // that a stop is shown
const MOMENTS = 5 // that are shown one after the other where motion is to be reduced
const MOMENT = 1000 // milliseconds

/**
 * How many stops further a step goes, and the milliseconds between two.
 * @param {number} stops After the first.
 * @param {boolean} reduced
 */
export const paceOf = (stops, reduced) =>
  reduced ? {by: Math.max(1, Math.ceil(stops / (MOMENTS - 1))), wait: MOMENT} : {by: 1, wait: Math.min(LONGEST, WHOLE / Math.max(1, stops))}

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
  const {by, wait} = paceOf(slider.end, motionReduced())
  button.timer = setInterval(() => {
    if (slider.value < slider.end) slider.value = Math.min(slider.end, slider.value + by)
    else pause(button)
  }, wait)
}
