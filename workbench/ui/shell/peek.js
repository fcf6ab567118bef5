// How much of the sheet of controls is seen while it is closed.

const MOST = 0.42 // of the screen
const GAP = 8

/**
 * How far the controls are scrolled, and how tall the sheet is, so that presets and the first slider are seen.
 * @param {{top: number, bottom: number}[]} boxes Where those stand.
 * @param {number} start Where the controls begin.
 * @param {number} handle How tall the handle is.
 * @param {number} screen
 */
export function peekOf(boxes, start, handle, screen) {
  const most = Math.round(MOST * screen)
  if (!boxes.length) return {scroll: 0, height: most}
  const top = Math.min(...boxes.map((box) => box.top)), bottom = Math.max(...boxes.map((box) => box.bottom))
  return {scroll: Math.max(0, Math.round(top - start - GAP)), height: Math.min(most, Math.round(bottom - top + handle + 3 * GAP))}
}
