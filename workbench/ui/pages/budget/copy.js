// A button that copies a line of words and says so.

/**
 * @param {{text: {data: {text: string[]}}, button: {label: string}}} args
 */
export function run({text, button}) {
  const before = button.label
  const say = (/** @type {string} */ words) => {
    button.label = words
    setTimeout(() => {
      button.label = before
    }, 1500)
  }
  navigator.clipboard.writeText(text.data.text[0]).then(() => say("Copied"), () => say("Select it above, and copy"))
}
