// The slider of a saved page: some sources have other columns at each of its stops.

/** @param {{slider: {value: number}, sources: {data: object}[], frames: {data: object}[][]}} args */
export function run({slider, sources, frames}) {
  sources.forEach((source, i) => {
    source.data = frames[i][Math.round(slider.value)].data
  })
}
