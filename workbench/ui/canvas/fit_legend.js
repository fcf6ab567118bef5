// A legend has as many columns as its figure has room for.

const LETTER = 6.4, MARK = 36 // pixels

/**
 * Columns that fit.
 * @param {number} width
 * @param {number} longest Letters of the longest word.
 * @param {number} most
 */
export const columnsFor = (width, longest, most) => Math.max(1, Math.min(most, Math.floor(width / (MARK + LETTER * longest))))

/**
 * @typedef {{ncols: number, items: {label: {value?: string} | string | null}[]}} Legend
 */

/** @param {{figure: {outer_width: number}, legend: Legend, most: number}} args */
export function run({figure, legend, most}) {
  const words = legend.items.map(({label}) => (typeof label === "string" ? label : label?.value ?? ""))
  if (figure.outer_width > 0) legend.ncols = columnsFor(figure.outer_width, Math.max(0, ...words.map((word) => word.length)), most)
}
