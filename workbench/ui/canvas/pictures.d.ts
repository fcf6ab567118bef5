// What the pictures are made of: the blocks that frames.py packs, and what stage.py and surface.py put into their headers.

import type {Model} from "../browser/model"

/** Values by row. */
export interface Grid {
  data: Float32Array
  shape: number[]
}
export type Arrays = Record<string, Grid>
export interface Block<Header> {
  header: Header
  arrays: Arrays
}

export interface Look {
  light: string
  dark: string
  shape: string
}
export type Place = readonly [number, number]
/** Name, value and meaning. */
export type NumberRow = [string, string, string]

/** A square of the plane: its centre and half its width. */
export interface View {
  x: number
  y: number
  half: number
}
/** A square view on a canvas. */
export interface Lens {
  scale: number
  x(a: number): number
  y(a: number): number
  back(px: number, py: number): [number, number]
}

/** One stage: a rule's particles. */
export interface StageSpec {
  index: number
  name: string
  title: string
  subtitle: string
  look: Look
  ticks: number
  flow: number
  count: number
  single: boolean
  terms: string[]
  where: string
  heads: NumberRow[]
  /** Words, the sum that they come from, and its meaning. */
  warning: NumberRow
  wrong: boolean
  numbers: NumberRow[]
}
export interface FrameHeader {
  version: number
  stages: StageSpec[]
  /** Actions have one dimension; the second is flow time. */
  line: boolean
  selected: number
}
export type Frame = Block<FrameHeader>

export interface LandscapeHeader {
  extent: number
  name: string
  difference: boolean
}
export type Landscape = Block<LandscapeHeader>

export interface TruthHeader {
  kind: "truth"
  title: string
  subtitle: string
  extent: number
  numbers: NumberRow[]
}
/** The ground of a task: rectangles as left, right, low, high. */
export interface Plan {
  view: [number, number, number, number]
  blocks: [number, number, number, number][]
  deadly: boolean
  labels: [number, number, string][]
  goals: [number, number, number, number | null][]
  limits: [number, number][]
}
export interface RoomHeader {
  kind: "room"
  title: string
  subtitle: string
  plan: Plan
  plays: Look[]
  /** The episodes are being played. */
  awaited: boolean
  /** Those that are drawn are of the strength before. */
  faint?: boolean
  numbers: NumberRow[]
}
export type World = Block<TruthHeader | RoomHeader>

export type Ramps = {light: string[]; dark: string[]}
export interface Notice {
  kind?: string
  text?: string
  progress?: number | null
  button?: string
}
export type StagesModel = Model<{
  frame: ArrayBuffer
  landscape: ArrayBuffer
  world: ArrayBuffer
  notice: Notice
  agent: number[]
  peak: number[]
  dragging: boolean
  selected: number
  view: View
  ramps: Ramps
  differences: Ramps
  /** A saved page: the peak stays where it is. */
  fixed?: boolean
}>

export type ChartModel = Model<{series: ArrayBuffer; heading: string; note: string}>
export interface ChartHeader {
  lines: {title: string; look: Look; ticks: number}[]
  flow: number
  zero: boolean
}

export type SurfaceModel = Model<{frame: ArrayBuffer; ramps: Ramps}>
export interface SurfaceHeader {
  extent: number
  names: [string, string]
  title: string
  low: number
  high: number
  clouds: Look[]
}

/** A rule's strength on the budget dial: its stops, and how each is said. */
export interface DialScale {
  rule: string
  title: string
  axis: string
  word: string
  look: Look
  stops: number[]
  /** With their units. */
  words: string[]
  /** Without. */
  short: string[]
}
export interface CurveLine {
  rule: string
  source: "computed" | "measured" | "promised"
  where: string
  note: string
  best: number
}
export type CurveBlock = Block<{lines: CurveLine[]}>
export type DialModel = Model<{
  scales: DialScale[]
  places: number[]
  curves: ArrayBuffer
  fresh: boolean
  words: string
  button: string
  dragging: boolean
  across: string
  up: string
}>
