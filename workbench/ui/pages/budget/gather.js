// A brush selects in several sources one after the other: told is what all of them have selected, once.

const PAUSE = 60 // milliseconds without another selection

/**
 * @param {{
 *   sources: {selected: {indices: number[]}, data: {key: string[]}}[],
 *   tapped: {data: {key: string[]}, timer?: ReturnType<typeof setTimeout>},
 *   figure: object,
 * }} args
 */
export function run({sources, tapped, figure}) {
  const keys = sources.flatMap((source) => source.selected.indices.map((i) => source.data.key[i]))
  clearTimeout(tapped.timer)
  tapped.timer = setTimeout(() => {
    Bokeh.index.find_one(figure)?.request_paint() // Bokeh 3.9 empties the legend's marks at a selection until it paints
    if (keys.join() !== tapped.data.key.join()) tapped.data = {key: keys}
  }, PAUSE)
}
