"""Every link between the files of the project leads somewhere, and every source that a docstring cites is there to be read."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymdownx.slugs import slugify

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "notebooks").glob("*.md")),
    ROOT / ".github" / "pull_request_template.md",
]
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
CITED = re.compile(r"\b(methods|methods_more|design)\.md(?:,\s+sections?\s+(\d+)(?:\s+(and|to)\s+(\d+))?)?")
SLUG = slugify(case="lower")


def prose(text: str) -> str:
    """The text without code."""
    return re.sub(r"```.*?```|`[^`\n]*`(?!\])", "", text, flags=re.S)


def anchors(path: Path) -> set[str]:
    """What a heading can be linked by, as a forge and the docs site name it."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.S)
    found: set[str] = set()
    for title in re.findall(r"^#{1,6} +(.+?)\s*$", text, re.M):
        slug = SLUG(re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", title), "-")
        number = next(n for n in range(100) if (f"{slug}-{n}" if n else slug) not in found)
        found.add(f"{slug}-{number}" if number else slug)
    return found | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


def broken(path: Path, text: str) -> Iterator[str]:
    """The links of a page that lead nowhere."""
    for target in LINK.findall(prose(text)):
        name, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        place = (path.parent / name).resolve() if name else path
        if not place.exists():
            yield f"{target}: there is no such file"
        elif anchor and place.suffix == ".md" and anchor not in anchors(place):
            yield f"{target}: {place.name} has no heading '{anchor}'; it has {sorted(anchors(place))}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(path: Path) -> None:
    assert list(broken(path, path.read_text(encoding="utf-8"))) == []


LOST = ["[x](gone.md)", "![x](gone.png)", "[`x`](methods.md#99-no)", "[x](#nowhere)", "[a [b] c](gone/)"]


@pytest.mark.parametrize("link", LOST)
def test_a_link_that_leads_nowhere_is_seen(link: str) -> None:
    assert len(list(broken(ROOT / "docs" / "index.md", f"Words, {link}, words."))) == 1


@pytest.mark.parametrize(
    "link", ["[x](methods.md#4-vgf-value-gradient-flow)", "[x](https://example.org/)", "`[x](gone.md)`"]
)
def test_a_link_that_leads_somewhere_is_let_pass(link: str) -> None:
    assert list(broken(ROOT / "docs" / "index.md", link)) == []


def cited() -> Iterator[tuple[str, str, int | None]]:
    """Where, which page, which section: all citations in the source, the tests and the pages."""
    folders = ("workbench", "tests", "benchmarks", "apps")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if path != Path(__file__)]
    for path in [*files, *(page for page in PAGES if page.name not in ("methods.md", "methods_more.md", "design.md"))]:
        for page, first, how, last in CITED.findall(prose(path.read_text(encoding="utf-8"))):
            numbers = [int(number) for number in (first, last) if number]
            if how == "to":
                numbers = list(range(numbers[0], numbers[1] + 1))
            for number in numbers or [None]:
                yield path.relative_to(ROOT).as_posix(), page, number


def sections(page: str) -> set[int]:
    """The numbers of a page's sections."""
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    return {int(number) for number in re.findall(r"^## (\d+)\. ", text, re.M)}


def test_every_source_that_is_cited_can_be_read() -> None:
    found = list(cited())
    assert len(found) > 40
    assert {page for _, page, _ in found} >= {"methods", "design"}
    lost = [
        f"{where}: {page}.md, section {number}"
        for where, page, number in found
        if number and number not in sections(page)
    ]
    assert lost == []


def test_the_sections_go_on_from_one_page_to_the_next() -> None:
    assert sorted(sections("methods")) == list(range(1, 9))
    assert sorted(sections("methods_more")) == list(range(9, 20))
