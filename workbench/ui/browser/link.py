"""The scripts of the pages: modules that import each other in the sources, one script in the browser.

A page of the workbench must work as one file without a server, and Panel's components and Bokeh's callbacks take one text
each. So the modules that a script needs are joined here, as they stand, each in a function of its own: no name of one is
seen by another that does not import it, and nothing has to be built before the files are shipped.

Three forms are understood, each at the beginning of a line; the rest of the language inside modules is free:

- ``import {name, name as other} from "./file.js"``
- ``export function name``, ``export async function name``
- ``export const name = ...``, ``export class name``
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

IMPORT = re.compile(r'^import \{([^{}]*)\} from "(\.\.?/[^"\n]+\.js)";?[ \t]*$', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:(?:async )?function\*?|const|class) +([A-Za-z_$][\w$]*))", re.MULTILINE)
TYPES = re.compile(r"^[ \t]*/\*\*(?:(?!\*/).)*\*/[ \t]*$", re.MULTILINE | re.DOTALL)
OTHER = re.compile(r"^[ \t]*(?:import|export)\b(?![ \t]*[:.=,)]).*", re.MULTILINE)
NO_NAME = re.compile(r"\W")
NAME = re.compile(r"(?P<there>[A-Za-z_$][\w$]*)(?:\s+as\s+(?P<here>[A-Za-z_$][\w$]*))?")


class LinkError(ValueError):
    """A script cannot be joined: which file, why, and what to write instead."""


@dataclass(frozen=True)
class Module:
    """One file, read.

    Attributes
    ----------
    path : Path
    imports : tuple of (Path, str)
        Each file that it imports from, and the pattern that takes the names out of it: ``a, b: c``.
    wanted : tuple of (Path, str)
        Each file and a name that it must export.
    exports : tuple of str
    body : str
        The text without ``import`` lines, ``export`` words and the comments that hold types (a third of what a browser
        would get); as many lines as the file.
    """

    path: Path
    imports: tuple[tuple[Path, str], ...]
    wanted: tuple[tuple[Path, str], ...]
    exports: tuple[str, ...]
    body: str


def read(path: Path) -> Module:
    """Read one module; `LinkError` where it imports or exports in a form that is not understood."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise LinkError(f"{path}: this script cannot be read: {error.strerror}.") from error
    imports, wanted = [], []
    for match in IMPORT.finditer(text):
        there, names = (path.parent / match[2]).resolve(), []
        for piece in filter(None, (one.strip() for one in match[1].split(","))):
            name = NAME.fullmatch(piece)
            if name is None:
                raise LinkError(f"{_place(path, text, match.start())}: '{piece}' is no name to import.")
            wanted.append((there, name["there"]))
            names.append(name["there"] if name["here"] is None else f"{name['there']}: {name['here']}")
        imports.append((there, ", ".join(names)))
    exports = tuple(match[1] for match in EXPORT.finditer(text))
    body = EXPORT.sub("", TYPES.sub(_lines, IMPORT.sub(_lines, text)))
    if other := OTHER.search(body):
        raise LinkError(
            f"{_place(path, body, other.start())}: '{other[0].strip()}' cannot be joined. Write "
            'import {name} from "./file.js", export function name, export const name or export class name, '
            "each at the beginning of a line."
        )
    return Module(path, tuple(imports), tuple(wanted), exports, body)


def _lines(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def _place(path: Path, text: str, at: int) -> str:
    return f"{path}:{text.count(chr(10), 0, at) + 1}"


def modules_of(entry: Path) -> list[Module]:
    """The modules that a script needs, each after those that it imports; ``entry`` is the last one."""
    done: dict[Path, Module] = {}

    def visit(path: Path, way: tuple[Path, ...]) -> None:
        if path in way:
            names = " -> ".join(one.name for one in (*way[way.index(path) :], path))
            raise LinkError(
                f"{path}: these scripts import each other in a circle: {names}. Move what both need into a third."
            )
        if path in done:
            return
        module = read(path)
        for there, _ in module.imports:
            visit(there, (*way, path))
        for there, name in module.wanted:
            if name not in done[there].exports:
                raise LinkError(f"{path}: it imports '{name}' from {there.name}, which does not export it.")
        done[path] = module

    visit(entry.resolve(), ())
    return list(done.values())


def _joined(entry: Path) -> tuple[str, str, Module]:
    """The modules as one text, the name under which the entry's exports stand there, and the entry."""
    modules = modules_of(entry)
    names = {module.path: f"${number}_{NO_NAME.sub('_', module.path.stem)}" for number, module in enumerate(modules)}
    parts = []
    for module in modules:
        heads = [f"const {{{pattern}}} = {names[there]}" for there, pattern in module.imports if pattern]
        lines = [f"const {names[module.path]} = (() => {{", '"use strict"', *heads, module.body.rstrip()]
        parts.append("\n".join([*lines, f"return {{{', '.join(module.exports)}}}", "})()"]))
    return "\n".join(parts), names[modules[-1].path], modules[-1]


@cache
def component(entry: Path) -> str:
    """The ES module of a Panel component: it exports what ``entry`` exports, as ``render``."""
    text, name, module = _joined(entry)
    exports = [f"export const {one} = {name}.{one}" for one in module.exports]
    return "\n".join([text, *exports, ""])


@cache
def callback(entry: Path, *names: str) -> str:
    """The body of a function that calls ``run`` of ``entry`` with an object of the variables ``names``."""
    text, name, module = _joined(entry)
    if "run" not in module.exports:
        raise LinkError(f"{entry}: a callback exports a function run, and this script has none.")
    return f"{text}\nreturn {name}.run({{{', '.join(names)}}})\n"


@cache
def inline(entry: Path) -> str:
    """The script of an HTML page, to stand between its script tags; it leaves no name behind."""
    text, _, _ = _joined(entry)
    # "</script" and "<!--" would end or change the tag in the midst of a string; nowhere else do they stand in a script.
    text = re.sub(r"<(?=/script|!--)", r"\\x3c", text, flags=re.IGNORECASE)
    return f"{{\n{text}\n}}"
