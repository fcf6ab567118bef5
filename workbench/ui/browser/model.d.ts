// What Panel hands to a component's render: the fields of the Python class, and how both sides hear of each other.

export type Model<Fields> = Fields & {
  on(events: string | string[], call: (message?: any) => void): void
  off(event: string, call: (message?: any) => void): void
  send_msg(message: object): void
}

declare global {
  /** BokehJS, on every page of Bokeh figures. */
  const Bokeh: any
  interface Window {
    Bokeh?: any
    /** Figures whose colours follow the theme already. */
    wbFollowed?: WeakSet<object>
  }
}
