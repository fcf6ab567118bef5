// What a slider over stops says of the one it stands at.

/** @param {{words: string[], tick: number}} at */
export function run({words, tick}) {
  return words[Math.round(tick)]
}
