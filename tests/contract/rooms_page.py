"""The architecture page's picture and table of rooms, made from the import law.

``make architecture`` runs it; `test_architecture.py` says when it has to be.
"""

from __future__ import annotations

import ast
import re
import sys
from html import escape
from pathlib import Path

from contract.law import LAW, ROOT, within

BEGIN, END = "<!-- rooms: written by make architecture -->", "<!-- end of the rooms -->"
PICTURE, PAGE = "rooms.svg", "README.md"
GROUPED = ("workbench.engine.training", "workbench.ui.pages")  # drawn as one room; the law looks inside
WHOLE = ("workbench", "workbench.engine")  # no rooms: what stands beside the rooms
WIDTH, BOX, HEIGHT, FLOOR, MARGIN = 880, 118, 34, 66, 24
THIN = {"apps": "A short file for each page.", "notebooks": "The lessons."}  # folders that are no packages
COLOURS = {"engine": "#2f6f9f", "ui": "#7a4fa3", "": "#3d7d55", "outside": "#8a6d1d"}


def room(place: str) -> str:
    """The room that is drawn for a place of the law."""
    return next((group for group in GROUPED if within(place, group)), place)


def short(name: str) -> str:
    """A room's name without the package's."""
    return name.removeprefix("workbench.")


def may_import() -> dict[str, set[str]]:
    """For every room, the other rooms that the law opens to it."""
    drawn = {room(place) for place in LAW if place not in WHOLE}
    graph: dict[str, set[str]] = {name: set() for name in drawn}
    for place, doors in LAW.items():
        if place not in WHOLE:
            graph[room(place)] |= {
                other for other in drawn for door in doors if within(other, door) or room(door) == other
            }
    return {name: others - {name} for name, others in graph.items()}


def floors(graph: dict[str, set[str]]) -> dict[str, int]:
    """How high each room stands: one above the highest room that it may import. A circle is an error."""
    found: dict[str, int] = {}

    def height(name: str, way: tuple[str, ...]) -> int:
        if name in way:
            raise ValueError(f"the law has a circle: {' → '.join((*way, name))}")
        if name not in found:
            found[name] = 1 + max((height(other, (*way, name)) for other in graph[name]), default=-1)
        return found[name]

    for name in graph:
        height(name, ())
    return found


def arrows(graph: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The imports that no chain of others implies."""
    reach: dict[str, set[str]] = {}
    for name in sorted(graph, key=floors(graph).__getitem__):
        reach[name] = graph[name].union(*(reach[other] for other in graph[name]))
    return sorted(
        (name, other)
        for name, others in graph.items()
        for other in others
        if not any(other in reach[between] for between in others)
    )


def places(graph: dict[str, set[str]]) -> dict[str, tuple[float, float]]:
    """The middle of each room's box: floors from the bottom, beside each other by where their arrows lead."""
    stands, lines = floors(graph), arrows(graph)
    top = max(stands.values())
    found: dict[str, tuple[float, float]] = {}
    for floor in range(top + 1):
        names = sorted(name for name in graph if stands[name] == floor)
        below = {name: [found[other][0] for who, other in lines if who == name] for name in names}
        names.sort(key=lambda name: (sum(below[name]) / len(below[name]) if below[name] else WIDTH / 2, name))
        for number, name in enumerate(names):
            share = (number + 1) / (len(names) + 1)
            found[name] = (round(WIDTH * share), MARGIN + HEIGHT / 2 + (top - floor) * FLOOR)
    return found


def picture() -> str:
    """All rooms as an SVG: an arrow goes from a room to one that it may import."""
    graph = may_import()
    where = places(graph)
    height = round(max(y for _, y in where.values()) + HEIGHT / 2 + MARGIN)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="t">',
        '<title id="t">The rooms of the workbench; an arrow leads from a room to one that it may import</title>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#8c93a0"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#fbfbfd"/>',
    ]
    for name, other in arrows(graph):
        (x, y), (to, end) = where[name], where[other]
        stop = end - HEIGHT / 2
        if end - y > FLOOR and x != to:  # past other floors: out of the box's side, around what stands below it
            side = x + BOX / 2 * (1 if to > x else -1)
            bent = f"M{side:g} {y:g}C{(side + to) / 2:g} {y:g} {to:g} {(y + stop) / 2:g}"
        else:
            start = y + HEIGHT / 2
            bent = f"M{x:g} {start:g}C{x:g} {(start + stop) / 2:g} {to:g} {(start + stop) / 2:g}"
        lines.append(
            f'<path d="{bent} {to:g} {stop:g}" fill="none" stroke="#a3aab6" stroke-width="1.2" marker-end="url(#tip)"/>'
        )
    for name, (x, y) in sorted(where.items()):
        group = short(name).partition(".")[0] if name.startswith("workbench.") else "outside"
        fill = COLOURS.get(group, COLOURS[""])
        lines.append(
            f'<rect x="{x - BOX / 2:g}" y="{y - HEIGHT / 2:g}" width="{BOX}" height="{HEIGHT}" rx="6" fill="{fill}"/>'
            f'<text x="{x:g}" y="{y + 4.5:g}" text-anchor="middle" font-family="system-ui, sans-serif" font-size="13" '
            f'fill="#fff">{escape(short(name))}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


def says(name: str) -> str:
    """The first sentence of a room's own docstring."""
    path = ROOT.joinpath(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) if path.is_file() else THIN.get(name)
    return re.split(r"(?<=\.)\s|\n\n", text or "", maxsplit=1)[0].replace("\n", " ").replace("``", "`")


def table() -> str:
    """A row for each room, from the top floor down."""
    graph = may_import()
    stands = floors(graph)
    rows = ["| room | what it holds | may import |", "|---|---|---|"]
    for name in sorted(graph, key=lambda name: (-stands[name], name)):
        doors = sorted({short(other) for other in graph[name]})
        rooms_of_engine = {short(other) for other in graph if other.startswith("workbench.engine.")}
        if rooms_of_engine <= set(doors):
            doors = ["engine (all)", *(door for door in doors if door not in rooms_of_engine)]
        rows.append(f"| `{short(name)}` | {says(name)} | {', '.join(doors) or 'nothing of the workbench'} |")
    return "\n".join(rows)


def block() -> str:
    """What stands between the marks of the page."""
    alt = "The rooms, from the notebooks at the top to models and data at the bottom; every arrow points down"
    return f"{BEGIN}\n\n![{alt}]({PICTURE})\n\n{table()}\n\n{END}"


def refreshed(text: str) -> str:
    """The page's text with the rooms as they are today."""
    return re.sub(rf"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: block(), text, flags=re.S)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / PICTURE).write_text(picture(), encoding="utf-8")
    page = folder / PAGE
    page.write_text(refreshed(page.read_text(encoding="utf-8")), encoding="utf-8")
