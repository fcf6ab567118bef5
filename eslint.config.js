// What the scripts of the pages must not do, beside what the types say (tsconfig.json).

import js from "@eslint/js"
import globals from "globals"

// The forms of import and export that link.py joins; the others it refuses.
const LINKED = [
  ["ImportDefaultSpecifier, ImportNamespaceSpecifier", "Import names: import {name} from \"./file.js\"."],
  ["ImportDeclaration[specifiers.length=0]", "Import names: import {name} from \"./file.js\"."],
  ["ImportExpression", "A page is one script, which loads no other."],
  ["ExportDefaultDeclaration, ExportAllDeclaration, ExportNamedDeclaration[declaration=null]", "Export where the name is made: export function name."],
  ["ExportNamedDeclaration > VariableDeclaration[kind!='const']", "Export a constant or a function: a joined script hands over values, not variables."],
  ["ExportNamedDeclaration > VariableDeclaration[declarations.length>1]", "Export one constant a line."],
  ["ExportNamedDeclaration > VariableDeclaration > VariableDeclarator > :matches(ObjectPattern, ArrayPattern)", "Export one constant a line."],
  ["Program > :matches(ExpressionStatement, VariableDeclaration, ForOfStatement) AwaitExpression", "A module stands in a function of its own: nothing is awaited outside functions."],
].map(([selector, message]) => ({selector, message}))

export default [
  {ignores: ["node_modules/", ".venv/", "docs/vendor/", "runs/", "data/", "build/", "dist/"]},
  js.configs.recommended,
  {
    rules: {
      "eqeqeq": "error",
      "no-implicit-globals": "error",
      "no-shadow": "error",
      "no-var": "error",
      "prefer-const": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "max-lines": ["error", {max: 300}],
      "no-restricted-properties": ["error",
        {property: "innerHTML", message: "Text from outside would become markup: make elements (browser/dom.js)."},
        {property: "outerHTML", message: "Text from outside would become markup: make elements (browser/dom.js)."},
        {property: "insertAdjacentHTML", message: "Text from outside would become markup: make elements (browser/dom.js)."},
        {object: "document", property: "write", message: "Make elements (browser/dom.js)."},
      ],
    },
  },
  {files: ["tests/js/*.js", "eslint.config.js"], languageOptions: {globals: globals["shared-node-browser"]}},
  {
    files: ["workbench/**/*.js", "benchmarks/**/*.js"],
    languageOptions: {globals: {...globals.browser, Bokeh: "readonly"}},
    rules: {"no-restricted-syntax": ["error", ...LINKED], "max-lines-per-function": ["error", {max: 130, skipBlankLines: true, skipComments: true}]},
  },
]
