// The runs' columns, the order of the rows, and which rows a hand selects.

import {number} from "../../canvas/lettering.js"

/**
 * @typedef {object} Row
 * @property {string} key
 * @property {string} status
 * @property {string} task
 * @property {string} rule
 * @property {string} settings
 * @property {number} seed
 * @property {number | null} mean
 * @property {number | null} low
 * @property {number | null} high
 * @property {number | null} shift
 * @property {number | null} gap
 * @property {string} finished
 * @property {string} [error]
 */
/** @typedef {{name: keyof Row, head: string, show: (row: Row) => string, title?: string, number?: boolean}} Column */

/** @param {number | null} value */
export function figure(value) {
  return value === null ? "" : number(value, 3)
}

const pad = (/** @type {number} */ value) => String(value).padStart(2, "0")

/** @param {string} iso */
export function when(iso) {
  if (!iso) return ""
  const at = new Date(iso)
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${pad(at.getHours())}:${pad(at.getMinutes())}`
}

/** @type {Column[]} */
export const COLUMNS = [
  {name: "key", head: "Run", show: (row) => row.key.slice(0, 8)},
  {name: "status", head: "Status", show: (row) => row.status},
  {name: "task", head: "Task", show: (row) => row.task},
  {name: "rule", head: "Rule", show: (row) => row.rule},
  {name: "settings", head: "Settings", show: (row) => row.settings},
  {name: "seed", head: "Seed", show: (row) => String(row.seed), number: true},
  {name: "mean", head: "Return", show: (row) => figure(row.mean), number: true},
  {name: "low", head: "95% interval", show: (row) => (row.low === null ? "" : `${figure(row.low)} to ${figure(row.high)}`), number: true},
  {name: "shift", head: "Shift", show: (row) => figure(row.shift), number: true},
  {name: "gap", head: "Gap", title: "Promised minus earned: the critic is wrong by so much", show: (row) => figure(row.gap), number: true},
  {name: "finished", head: "Finished", show: (row) => when(row.finished)},
]

const missing = (/** @type {unknown} */ value) => value === null || value === "" || value === undefined

/**
 * The rows in order of one column; rows that have nothing there come last, whichever way.
 * @param {Row[]} rows
 * @param {readonly [keyof Row, boolean]} sort The column, and whether it goes up.
 */
export function inOrder(rows, [name, up]) {
  const sign = up ? 1 : -1
  return [...rows].sort((one, two) => {
    const a = one[name], b = two[name]
    if (missing(a) || missing(b)) return Number(missing(a)) - Number(missing(b))
    if (typeof a === "number" && typeof b === "number") return sign * (a - b)
    return sign * String(a).localeCompare(String(b), undefined, {numeric: true})
  })
}

/**
 * The order after a press on a column's head: the other way round, or at first numbers and dates from the greatest down.
 * @param {readonly [keyof Row, boolean]} sort
 * @param {Column} column
 * @returns {[keyof Row, boolean]}
 */
export const pressed = ([name, up], column) => [
  column.name,
  name === column.name ? !up : !column.number && column.name !== "finished",
]

/**
 * The keys from one row to another, both included; ``to`` alone where the first is not there.
 * @param {readonly {key: string}[]} rows
 * @param {string} from
 * @param {string} to
 */
export function between(rows, from, to) {
  const one = rows.findIndex((row) => row.key === from), two = rows.findIndex((row) => row.key === to)
  return one < 0 ? [to] : rows.slice(Math.min(one, two), Math.max(one, two) + 1).map((row) => row.key)
}

/**
 * Where a key of the keyboard leads in a list; undefined for a key that leads nowhere.
 * @param {string} key
 * @param {number} at
 * @param {number} count
 * @returns {number | undefined}
 */
export function ledTo(key, at, count) {
  const page = 10
  /** @type {Record<string, number>} */
  const ways = {ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: count - 1}
  return key in ways && count > 0 ? Math.max(0, Math.min(count - 1, ways[key])) : undefined
}
