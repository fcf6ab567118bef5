"""What a stranger, a forge and a citation manager read: it is valid, and says what the project says elsewhere."""

import datetime
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import workbench

ROOT = Path(__file__).resolve().parents[2]
# Keys of version 1.2.0 of the Citation File Format.
CFF_NEEDS = {"cff-version", "message", "title", "authors"}
CFF_MAY = CFF_NEEDS | {
    "abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords", "license", "license-url",
    "preferred-citation", "references", "repository", "repository-artifact", "repository-code", "type", "url", "version",
}  # fmt: skip


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_the_citation_is_valid_and_of_this_version() -> None:
    cited = read("CITATION.cff")
    assert CFF_NEEDS <= set(cited) <= CFF_MAY
    assert cited["cff-version"] == "1.2.0"
    assert cited["type"] == "software"
    assert str(cited["version"]) == project()["version"] == workbench.__version__
    assert cited["license"] == project()["license"]
    assert isinstance(cited["date-released"], datetime.date)
    assert cited["authors"]
    for author in cited["authors"]:
        assert set(author) <= {"name"} or {"family-names", "given-names"} <= set(author)
    assert all(isinstance(cited[key], str) and cited[key].strip() for key in ("message", "title", "abstract"))
    assert len(cited["keywords"]) == len(set(cited["keywords"]))


def test_the_changelog_has_releases_that_can_be_read() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    heads = re.findall(r"^## (.+)$", text, re.M)
    assert heads[0] == "Unreleased"
    releases = [re.fullmatch(r"(\d+\.\d+\.\d+) - (\d{4}-\d{2}-\d{2})", head) for head in heads[1:]]
    assert all(releases), heads
    versions = [tuple(map(int, found[1].split("."))) for found in releases if found]
    dates = [datetime.date.fromisoformat(found[2]) for found in releases if found]
    assert versions == sorted(versions, reverse=True)
    assert dates == sorted(dates, reverse=True)
    assert ".".join(map(str, versions[0])) == workbench.__version__
    assert dates[0] == read("CITATION.cff")["date-released"]


def test_the_hosted_check_runs_what_the_readme_and_ci_run_say() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (command,) = re.findall(r"^exec (make \w+)", script, re.M)
    assert re.search(rf"^{command}\b", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    flow = read(".github/workflows/ci.yml")
    events = flow[True]  # YAML 1.1 reads the key `on` as true
    assert {"push", "pull_request"} <= set(events)
    assert flow["permissions"] == {"contents": "read"}
    (job,) = flow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert job["timeout-minutes"] <= 120
    spoken = {line.split(" :: ")[-1] for line in project()["classifiers"] if "Python :: 3." in line}
    assert set(job["strategy"]["matrix"]["python"]) == spoken
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in job["env"]:  # what the job sets is a variable of the Makefile
        assert re.search(rf"^{name} \?=", makefile, re.M), name


@pytest.mark.parametrize("name", ["bug", "idea"])
def test_an_issue_form_is_valid(name: str) -> None:
    form = read(f".github/ISSUE_TEMPLATE/{name}.yml")
    assert {"name", "description", "body"} <= set(form)
    ids = [part["id"] for part in form["body"] if "id" in part]
    assert len(ids) == len(set(ids)) >= 2
    for part in form["body"]:
        assert part["type"] in {"markdown", "textarea", "input", "dropdown", "checkboxes"}
        if part["type"] == "markdown":
            assert part["attributes"]["value"]
        else:
            assert part["attributes"]["label"]
        for option in part["attributes"].get("options", []):
            assert option["label"]
    assert any(part.get("validations", {}).get("required") for part in form["body"]) or name == "idea"


def test_the_forms_send_reports_of_attacks_elsewhere() -> None:
    assert "SECURITY.md" in (ROOT / ".github/ISSUE_TEMPLATE/bug.yml").read_text(encoding="utf-8")
    assert read(".github/ISSUE_TEMPLATE/config.yml")["blank_issues_enabled"] is True


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "workbench" / "py.typed").is_file()
    assert "Typing :: Typed" in project()["classifiers"]
    assert (
        "py.typed"
        in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["workbench"]
    )


def test_make_says_what_the_contributing_page_says() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in ("CONTRIBUTING.md", "README.md", "docs/index.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        targets = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.M))
        assert targets, page
        for target in targets:
            assert re.search(rf"^{target}:", makefile, re.M), f"{page}: make {target}"
