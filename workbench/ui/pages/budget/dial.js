// The dial moves its dots in the browser: every position has been computed, and arrived with the curve.

/**
 * @param {{
 *   slider: {value: number},
 *   track: {data: Record<string, ArrayLike<number | string>>},
 *   dot: {setv(fields: object, options: object): void},
 * }} args
 */
export function run({slider, track, dot}) {
  const columns = Object.entries(track.data).map(([name, values]) => [name, [values[slider.value]]])
  dot.setv({data: Object.fromEntries(columns)}, {sync: false})
}
