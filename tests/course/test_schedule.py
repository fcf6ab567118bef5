"""The teacher's page: its schedules fit the lessons, and its commands give nobody a token that can be guessed."""

import importlib.util
import re
import subprocess
from itertools import pairwise

import pytest

ROW = re.compile(r"^\| (\d+):(\d\d) \| (\d+) \| (.+?) \|", re.MULTILINE)
ROUNDING = 3  # minutes


@pytest.fixture
def page(root):
    return (root / "notebooks" / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def lessons(root):
    """Minutes that each lesson takes, by its number."""
    spec = importlib.util.spec_from_file_location("schedule", root / "notebooks" / "instructor" / "schedule.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {path.stem[:2]: module.minutes(path) for path in (root / "notebooks").glob("0*.ipynb")}


def rows(page, head):
    text = page.partition(f"## {head}\n")[2].partition("\n## ")[0]
    return [(60 * int(h) + int(m), int(length), what) for h, m, length, what in ROW.findall(text)]


@pytest.mark.parametrize("head", ["Three hours", "One day"])
def test_a_schedule_has_no_gap_a_reserve_and_room_for_each_lesson(page, lessons, head):
    found = rows(page, head)
    for (start, length, what), (following, _, _) in pairwise(found):
        assert start + length == following, what
    assert any("reserve" in what.lower() for _, _, what in found[1:])
    for _, length, what in found:
        for number in re.findall(r"`(0\d)`", what):
            if "commands of" not in what and "opens" not in what:
                assert lessons[number] <= length + ROUNDING, (what, lessons[number])


def test_three_hours_are_three_hours_and_the_day_has_all_lessons(page, lessons):
    found = rows(page, "Three hours")
    assert found[-1][0] + found[-1][1] == 180
    day = " ".join(what for _, _, what in rows(page, "One day"))
    assert all(f"`{number}`" in day for number in lessons)


def test_every_seat_has_a_token_of_its_own_that_nobody_can_guess(page, tmp_path):
    text = page.partition("**One shared server")[2]
    script = re.search(r"```sh\n(.*?)```", text, re.DOTALL)[1].replace("seq -w 1 30", "seq -w 1 4")
    stubs = 'workbench() { :; }\njupyter() { echo "$JUPYTER_TOKEN $*" >> started.txt; }\n'
    subprocess.run(["bash", "-ec", stubs + script + "wait\n"], cwd=tmp_path, check=True)
    tokens = re.findall(r"token=(\S+)", (tmp_path / "seats.txt").read_text())
    assert len(set(tokens)) == 4
    assert min(map(len, tokens)) >= 43
    assert (tmp_path / "seats.txt").stat().st_mode & 0o077 == 0
    started = (tmp_path / "started.txt").read_text()
    assert all(started.count(token) == 1 for token in tokens)  # in the environment, which other users cannot list
    assert "--IdentityProvider.token" not in started
