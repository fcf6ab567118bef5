"""``workbench movie``: films and their numbers from the command line, and refusals that leave nothing behind."""

import json
from pathlib import Path

import pytest
from commands.running import Command
from imageio_ffmpeg import count_frames_and_secs

from workbench.views.opening.measured import SECONDS, from_json, shipped


def test_the_numbers_behind_a_film_are_written(command: Command, inside: Path) -> None:
    done = command("movie", "--out", "o.json", "--json")
    assert done.code == 0
    told = json.loads(done.out)
    written = from_json((inside / "o.json").read_text(encoding="utf-8"))
    assert told["bytes"] == (inside / "o.json").stat().st_size
    assert told["captions"] == {one.name: one.text for one in written.captions}
    assert written.earned == pytest.approx(shipped().earned, abs=0.02)


def test_a_film_of_another_rule(command: Command, inside: Path) -> None:
    done = command("movie", "--rule", "vgf", "--set", "alpha=2", "--out", "o.gif")
    assert done.code == 0
    assert "Best at steps" in done.out
    assert count_frames_and_secs(str(inside / "o.gif"))[1] == pytest.approx(SECONDS, abs=0.2)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--out", "o.avi"), ".gif, .mp4 or .json"),
        (("--out", "there.gif"), "exists; choose another name"),
        (("--out", "nowhere/o.gif"), "does not exist"),
        (("--out", "o.gif", "--rule", "nope"), "no rule named 'nope'"),
        (("--out", "o.gif", "--rule", "fql"), "no strength that can be swept"),
        (("--out", "o.gif", "--task", "nope"), "no policy of the list is named 'nope'"),
        (("--out", "o.gif", "--task", "bandit1d"), "acts with 1 numbers"),
        (("--out", "o.gif", "--set", "weight=2"), "weight is what the film sweeps"),
        (("--out", "o.gif", "--set", "nothing=2"), "no setting 'nothing'"),
        (("--out", "o.gif", "--seed", "-1"), "--seed must be"),
    ],
)
def test_refusals_say_what_and_how(command: Command, inside: Path, args: tuple[str, ...], words: str) -> None:
    (inside / "there.gif").write_bytes(b"mine")
    done = command("movie", *args)
    assert done.code == 2
    assert words in done.err
    assert [path.name for path in inside.iterdir()] == ["there.gif"]
    assert (inside / "there.gif").read_bytes() == b"mine"
