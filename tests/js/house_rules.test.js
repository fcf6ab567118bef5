import {ESLint} from "eslint"
import {expect, test} from "vitest"

const eslint = new ESLint()

/** @param {string} text @returns {Promise<(string | null)[]>} The rules that it breaks, as a script of the pages. */
async function broken(text) {
  const [result] = await eslint.lintText(text, {filePath: "workbench/ui/browser/any.js"})
  return result.messages.map(({ruleId}) => ruleId)
}

test.for([
  "export default () => 1",
  "const a = 1\nexport {a}",
  "export * from \"./dom.js\"",
  "export {element} from \"./dom.js\"",
  "import \"./dom.js\"",
  "import * as dom from \"./dom.js\"\nexport const made = () => dom.element(\"p\")",
  "import dom from \"./dom.js\"\nexport const made = () => dom.element(\"p\")",
  "export let a = 1\nexport const set = () => { a = 2 }",
  "export const [a, b] = [1, 2]",
  "export const a = 1, b = 2",
  "export const load = () => import(\"./dom.js\")",
  "const a = await fetch(\".\")\nexport const b = a",
])("a form that link.py cannot join is seen: %s", async (text) => {
  expect(await broken(text)).toEqual(["no-restricted-syntax"])
})

test.for(["el.innerHTML = text", "el.outerHTML = text", "el.insertAdjacentHTML(\"beforeend\", text)", "document.write(text)"])(
  "text that becomes markup is seen: %s",
  async (line) => {
    expect(await broken(`export const put = (/** @type {any} */ el, text) => {\n  ${line}\n  return [el, text]\n}\n`)).toEqual(["no-restricted-properties"])
  },
)

test("what is joined is let through", async () => {
  const text = "import {element as make} from \"./dom.js\"\nexport const a = 1\nexport async function run() {\n  await a\n  return make(\"p\")\n}\n"
  expect(await broken(text)).toEqual([])
})
