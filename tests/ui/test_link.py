"""Scripts are joined so that they do in the browser what they do as modules: same values, no name that leaks, no build."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from node_tools import Node, find_node

from workbench.ui.browser.link import LinkError, callback, component, inline, modules_of

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "workbench"
SCRIPTS = sorted(PACKAGE.rglob("*.js"))


@pytest.fixture
def write(tmp_path: Path):
    """Write scripts by name; returns the last one."""

    def write(**texts: str) -> Path:
        path = tmp_path
        for name, text in texts.items():
            path = tmp_path / f"{name}.js"
            path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def node() -> Node:
    found = find_node()
    if found is None:
        pytest.skip("no node runs the joined scripts here: make node")
    return found


def run(node: Node, folder: Path, text: str) -> object:
    """What a module prints as JSON."""
    script = folder / "check.mjs"
    script.write_text(text, encoding="utf-8")
    done = subprocess.run([node.path, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_modules_see_only_what_they_import(write, node: Node, tmp_path: Path) -> None:
    entry = write(
        one='export const name = "one"\nconst secret = 1\nexport function tell() {\n  return `${name} ${secret}`\n}\n',
        two='import {tell as other} from "./one.js"\nconst name = "two", secret = 2\nexport class Both {\n'
        "  say() {\n    return [other(), name, secret]\n  }\n}\n",
        main='import {Both} from "./two.js"\nimport {\n  name,\n  tell,\n} from "./one.js"\n'
        "export async function main() {\n  return [new Both().say(), name, tell(), typeof secret, typeof other]\n}\n",
    )
    text = component(entry)
    assert run(node, tmp_path, f"{text}\nconsole.log(JSON.stringify(await main()))") == [
        ["one 1", "two", 2], "one", "one 1", "undefined", "undefined",
    ]  # fmt: skip
    # the same as the modules themselves
    assert run(node, tmp_path, f"{text}\nconsole.log(JSON.stringify(await main()))") == run(
        node, tmp_path, 'import {main} from "./main.js"\nconsole.log(JSON.stringify(await main()))'
    )


def test_a_module_that_two_import_runs_once_and_before_both(write, node: Node, tmp_path: Path) -> None:
    entry = write(
        base="export const order = []\n",
        one='import {order} from "./base.js"\norder.push("one")\nexport const a = 1\n',
        two='import {order} from "./base.js"\norder.push("two")\nexport const b = 2\n',
        main='import {a} from "./one.js"\nimport {b} from "./two.js"\nimport {order} from "./base.js"\n'
        "export const all = [...order, a, b]\n",
    )
    assert [module.path.stem for module in modules_of(entry)] == ["base", "one", "two", "main"]
    assert run(node, tmp_path, f"{component(entry)}\nconsole.log(JSON.stringify(all))") == ["one", "two", 1, 2]


def test_a_callback_is_the_body_of_a_function(write, node: Node, tmp_path: Path) -> None:
    entry = write(
        twice="export const twice = (a) => 2 * a\n",
        main='import {twice} from "./twice.js"\nexport function run({a, b}) {\n  return twice(a) + b\n}\n',
    )
    body = json.dumps(callback(entry, "a", "b"))
    assert run(node, tmp_path, f'console.log(new Function("a", "b", {body})(20, 2))') == 42
    with pytest.raises(LinkError, match=r"twice\.js: a callback exports a function run"):
        callback(entry.parent / "twice.js", "a")


def test_an_inline_script_leaves_no_name_and_cannot_end_its_tag(write, node: Node, tmp_path: Path) -> None:
    entry = write(main='const text = "</script><!-- </SCRIPT>"\nglobalThis.seen = text\n')
    text = inline(entry)
    assert not re.search("</script|<!--", text, re.IGNORECASE)
    seen = f"(0, eval)({json.dumps(text)})\nconsole.log(JSON.stringify([seen, typeof text]))"
    assert run(node, tmp_path, seen) == ["</script><!-- </SCRIPT>", "undefined"]


@pytest.mark.parametrize(
    "text",
    [
        'import * as all from "./one.js"\n',
        'import one from "./one.js"\n',
        'import "./one.js"\n',
        "export default 1\n",
        "export let a = 1\n",
        "const a = 1\nexport {a}\n",
        'export * from "./one.js"\n',
        "export const [a] = [1]\n",
        'import {one} from "lit"\n',
        '  import {one} from "./one.js"\n',
    ],
)
def test_a_form_that_is_not_understood_is_said_with_its_line(write, text: str) -> None:
    entry = write(one="export const one = 1\n", main=f"// first\n{text}")
    line = next(number for number, words in enumerate(f"// first\n{text}".splitlines(), 1) if "port" in words)
    with pytest.raises(LinkError, match=rf"main\.js:{line}: .* cannot be joined\. Write import"):
        component(entry)


def test_what_is_not_there_is_said(write) -> None:
    with pytest.raises(LinkError, match=r"main\.js: it imports 'two' from one\.js, which does not export it"):
        component(write(one="export const one = 1\n", main='import {two} from "./one.js"\n'))
    with pytest.raises(LinkError, match=r"gone\.js: this script cannot be read"):
        component(write(other='import {two} from "./gone.js"\n'))
    with pytest.raises(LinkError, match=r"in a circle: a\.js -> b\.js -> a\.js"):
        component(
            write(
                b='import {a} from "./a.js"\nexport const b = 1\n', a='import {b} from "./b.js"\nexport const a = 1\n'
            )
        )
    with pytest.raises(LinkError, match=r"'1x' is no name to import"):
        component(write(odd='import {1x} from "./one.js"\n'))


@given(
    st.lists(
        st.sampled_from(["/** @type {any} */", "/* plain */", "// line", "const a = 1 /** b */", "", "/**\n * c\n */"])
    )
)
def test_lines_keep_their_numbers(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    """An error in the browser names a line: it is so far from the module's first line as in the file."""
    path = tmp_path_factory.mktemp("lines") / "main.js"
    text = "\n".join([*lines, "export const last = 1"])
    path.write_text(text, encoding="utf-8")
    body = modules_of(path)[0].body
    assert body.count("\n") == text.count("\n")
    assert body.splitlines()[-1] == "const last = 1"
    assert [line for line in lines if "a = 1" in line] == [line for line in body.splitlines() if "a = 1" in line]


def test_every_script_of_the_package_is_joined_as_its_modules_are(node: Node, tmp_path: Path) -> None:
    """Same exports as in node's own reading of the modules, and each text is a script that parses."""
    seen = {}
    for number, path in enumerate(SCRIPTS):
        assert not path.read_text(encoding="utf-8").startswith("\ufeff")
        (tmp_path / f"{number}.mjs").write_text(component(path), encoding="utf-8")
        (tmp_path / f"{number}.js").write_text(inline(path), encoding="utf-8")
        seen[str(path)] = sorted(modules_of(path)[-1].exports)
    whole = [str(path) for path in SCRIPTS if seen[str(path)]]  # those without exports want a page when they are read
    check = f"""
    import {{readFileSync}} from "node:fs"
    import {{Script}} from "node:vm"
    for (let i = 0; i < {len(SCRIPTS)}; i++) new Script(readFileSync(new URL(`${{i}}.js`, import.meta.url), "utf8"))
    const out = {{}}
    for (const path of {json.dumps(whole)}) {{
      const i = {json.dumps([str(path) for path in SCRIPTS])}.indexOf(path)
      const ours = await import(new URL(`${{i}}.mjs`, import.meta.url)), theirs = await import(`file://${{path}}`)
      out[path] = [Object.keys(ours).sort(), Object.keys(theirs).sort()]
    }}
    console.log(JSON.stringify(out))
    """
    found = run(node, tmp_path, check)
    assert found == {path: [seen[path], seen[path]] for path in whole}
    assert len(whole) > 35


def test_an_install_has_every_script() -> None:
    """Joined when a page is made, so they must be beside the Python that asks for them."""
    code = (
        "import json\nfrom setuptools import Distribution\nmade = Distribution()\nmade.parse_config_files(['pyproject.toml'])\n"
        "command = made.get_command_obj('build_py')\ncommand.finalize_options()\n"
        "files = command.get_data_files_without_manifest()\n"
        "print(json.dumps([f'{folder}/{name}' for _, folder, _, names in files for name in names]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shipped = {ROOT / name for name in json.loads(done.stdout)}
    assert [path.name for path in SCRIPTS if path not in shipped] == []


def called(node: ast.AST | None) -> str:
    """The name of the function that an expression calls; "" for any other."""
    return ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""


def own_scripts(tree: ast.Module) -> Iterator[int]:
    """Lines where a component or a callback is made from a text."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id="_esm")], value=value) if called(value) != "component":
                yield node.lineno
            case ast.AnnAssign(target=ast.Name(id="_esm"), value=value) if called(value) != "component":
                yield node.lineno
            case ast.Call(keywords=words) if called(node).startswith("CustomJS"):
                if [called(word.value) for word in words if word.arg == "code"] != ["callback"]:
                    yield node.lineno
            case ast.Call(keywords=words) if called(node) == "jscallback":
                if any(called(word.value) != "callback" for word in words if word.arg != "args"):
                    yield node.lineno


def test_no_script_stands_in_python_or_in_a_template() -> None:
    """Scripts are files, which the tools read: whoever needs one joins it."""
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line in own_scripts(ast.parse(path.read_text(encoding="utf-8")))
    ]
    filled = re.compile(r"<script\b[^>]*>\s*(?!\{\{|/\*\w+\*/)\S", re.IGNORECASE)  # a place that Python fills is none
    pages = [path.name for path in sorted(PACKAGE.rglob("*.html")) if filled.search(path.read_text(encoding="utf-8"))]
    assert (found, pages) == ([], [])


@pytest.mark.parametrize(
    "line",
    [
        "_esm = 'export function render() {}'",
        "_esm: str = (HERE / 'a.js').read_text()",
        "CustomJS(args={}, code='a()')",
        "bokeh.models.CustomJSTickFormatter(code=CODE)",
        "slider.jscallback(args={'a': a}, value='a.value = 1')",
    ],
)
def test_a_script_in_python_is_seen(line: str) -> None:
    assert list(own_scripts(ast.parse(line))) == [1]
