"""The opening: its numbers are the engine's, its captions are true of them, its films can be opened by others."""

import re
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from imageio_ffmpeg import count_frames_and_secs, get_ffmpeg_exe

from workbench.engine.words import UserError
from workbench.views.opening.captions import captions_of
from workbench.views.opening.film import RATE, film, pictures
from workbench.views.opening.measured import (
    FRAMES,
    SECONDS,
    Opening,
    Sweeper,
    caption_at,
    frame_at,
    from_json,
    opening_of,
    shipped,
)
from workbench.views.parts import parts_for
from workbench.views.policies import find
from workbench.views.question import Policy

NUMBER = r"−?\d+(?:\.\d+)?"


def sweeper(rule: str, task: str = "bandit2d", **settings: object) -> Sweeper:
    source = find(task)
    return Sweeper(task, source.task, parts_for(task, rule), source.start, Policy(rule, settings), 0)


def numbers_in(text: str) -> list[float]:
    return [float(found.replace("−", "-")) for found in re.findall(NUMBER, text)]


@pytest.fixture(scope="module")
def again() -> Opening:
    return opening_of(sweeper("qgf"))


def test_what_is_shipped_is_what_the_engine_measures(again: Opening) -> None:
    ours = shipped()
    assert (ours.task, ours.rule, len(ours.words)) == (again.task, again.rule, FRAMES)
    for name in ("strengths", "shift", "earned", "promised", "places", "ground", "wrong"):
        np.testing.assert_allclose(getattr(ours, name), getattr(again, name), atol=0.02, err_msg=name)
    assert [(one.name, one.frame) for one in ours.captions] == [(one.name, one.frame) for one in again.captions]


def test_it_is_small_and_reads_back() -> None:
    text = shipped().as_json()
    assert len(text) < 100_000
    assert from_json(text) == shipped()


def test_unsteered_frames_are_the_behaviour_policy(again: Opening) -> None:
    task = find("bandit2d").task
    assert again.shift[0] == 0.0
    assert sweeper("vgf").at(0.0).shift == 0.0  # its pick alone would already steer
    drawn = torch.as_tensor(task.generate(4096, 3).actions)
    assert again.earned[0] == pytest.approx(float(task.true_reward(drawn).mean()), abs=0.05)


def test_the_story_of_the_shipped_opening() -> None:
    ours, best = shipped(), shipped().best
    assert 0 < best < len(ours.earned) - 1
    assert ours.earned[-1] < ours.earned[0] < ours.earned[best]
    assert ours.promised[-1] > ours.promised[best]
    assert list(ours.shift) == sorted(ours.shift)


def curve(kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = np.linspace(0.0, 1.0, 21)
    return {
        "rises and falls": (x, 0.3 + x - 1.6 * x**2, 0.3 + x),
        "falls half": (x, 0.3 + x - 0.7 * x**2, 0.3 + x),
        "falls at once": (x, 0.5 - x, 0.5 + x),
        "rises to the end": (x, 0.2 + 0.5 * x, 0.2 + 0.5 * x),
        "falls, and so does the promise": (x, 0.3 + x - 1.6 * x**2, 0.3 + x - 1.5 * x**2),
        "negative": (x, -5 + 3 * x - 4 * x**2, -5 + 3 * x),
    }[kind]


KINDS = (
    "rises and falls",
    "falls half",
    "falls at once",
    "rises to the end",
    "falls, and so does the promise",
    "negative",
)


@pytest.mark.parametrize("kind", ["shipped", *KINDS])
def test_every_caption_is_true_of_the_numbers_beside_it(kind: str) -> None:
    if kind == "shipped":
        ours = shipped()
        shift, earned, promised = (np.array(getattr(ours, name)) for name in ("shift", "earned", "promised"))
        words = ours.words
    else:
        shift, earned, promised = curve(kind)
        words = tuple(f"weight {i}" for i in range(len(shift)))
    gains, best, far = captions_of(words, shift, earned, promised)
    top, last = int(earned.argmax()), len(words) - 1

    assert numbers_in(gains.text)[-2:] == pytest.approx([earned[gains.frame], earned[0]], abs=0.006)
    assert ("pays" in gains.text) == (earned[gains.frame] > earned[0])
    assert ("nothing" in gains.text) == (top == 0)
    assert words[gains.frame] in gains.text

    assert best.frame == top
    assert earned[best.frame] == earned.max()
    assert round(float(earned[top]), 2) in [round(found, 2) for found in numbers_in(best.text)]

    assert far.frame == last
    assert words[last] in far.text
    assert ("less than without steering" in far.text) == (earned[-1] < earned[0])
    assert ("exploited." in far.text and "no critic" not in far.text) == (
        top < last and promised[-1] > promised[top] and promised[-1] > earned[-1]
    )
    assert ("still pays" in far.text) == (top == last)
    assert 0 == gains.start <= best.start <= far.start <= last
    if top not in (0, last):
        assert caption_at_of((gains, best, far), top).name == "best"
    assert caption_at_of((gains, best, far), last).name == "exploited"


def caption_at_of(captions: tuple, frame: int):
    return [one for one in captions if one.start <= frame][-1]


def test_the_pace_begins_with_nothing_rests_at_the_best_and_ends_too_far() -> None:
    ours = shipped()
    times, _ = zip(*ours.pace, strict=True)
    assert (times[0], times[-1]) == (0.0, SECONDS)
    assert list(times) == sorted(times)
    assert (frame_at(ours, 0.0), frame_at(ours, 99.0)) == (0.0, len(ours.words) - 1)
    assert sum(frame_at(ours, t) == ours.best for t in np.linspace(0, SECONDS, 101)) > 10
    said = [caption_at(ours, frame_at(ours, t)).name for t in np.linspace(0, SECONDS, 101)]
    assert [name for i, name in enumerate(said) if i == 0 or name != said[i - 1]] == ["gains", "best", "exploited"]
    assert min(said.count(name) for name in set(said)) > 15  # at least a second and a half to read each


@pytest.mark.parametrize(
    ("rule", "task", "settings", "words"),
    [
        ("fql", "bandit2d", {}, "has no strength that can be swept"),
        ("bc", "bandit2d", {}, "has no strength that can be swept"),
        ("qgf", "bandit1d", {}, "acts with 1 numbers"),
        ("qgf", "bandit2d", {"weight": 3.0}, "weight is what the film sweeps"),
        ("vgf", "bandit2d", {"steps": 3}, "steps is what the film sweeps"),
    ],
)
def test_what_cannot_be_swept_is_refused_in_words(rule: str, task: str, settings: dict, words: str) -> None:
    source = find(task)
    with pytest.raises(UserError, match=words):
        Sweeper(task, source.task, parts_for(task), source.start, Policy(rule, settings), 0)


def test_whole_strengths_stay_whole() -> None:
    found = opening_of(sweeper("vgf"))
    assert all(strength == int(strength) for strength in found.strengths)
    assert len(set(found.words)) == len(found.words) == len(found.shift)
    assert len({len(places) for places in found.places}) == 1


def test_a_gif_that_another_program_reads(tmp_path: Path) -> None:
    (tmp_path / "o.gif").write_bytes(film(shipped(), ".gif"))
    command = [
        get_ffmpeg_exe(),
        "-v",
        "error",
        "-i",
        "o.gif",
        "-fps_mode",
        "passthrough",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-",
    ]
    raw = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True).stdout
    shown = np.frombuffer(raw, np.uint8).reshape(-1, 405, 720, 3)
    frames, seconds = count_frames_and_secs(str(tmp_path / "o.gif"))
    assert pictures(".gif") == SECONDS * RATE[".gif"] == 125
    assert 60 < frames <= 125  # pictures that are alike are one, shown for longer
    assert seconds == pytest.approx(SECONDS, abs=0.2)
    assert len(shown) == frames
    assert (shown[0] != shown[-1]).any()  # something moved


def boxes(data: bytes) -> dict[str, bytes]:
    """The boxes of an MP4 by name, the last of each; what ffmpeg wrote, read without it."""
    found: dict[str, bytes] = {}
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        inside = data[at + 8 : at + size]
        found[name.decode()] = inside
        if name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
            found |= boxes(inside)
        at += max(size, 8)
    return found


def test_an_mp4_that_another_reader_opens() -> None:
    told: list[tuple[int, int]] = []
    found = boxes(film(shipped(), ".mp4", lambda done, total: told.append((done, total))))
    scale, length = struct.unpack(">II", found["mvhd"][12:20])
    assert length / scale == pytest.approx(SECONDS, abs=0.1)
    assert struct.unpack(">I", found["stsz"][8:12])[0] == pictures(".mp4") == 300
    assert [side >> 16 for side in struct.unpack(">II", found["tkhd"][-8:])] == [960, 540]
    assert b"avc1" in found["stsd"]
    assert told == [(n + 1, 300) for n in range(300)]


def test_other_films_are_refused() -> None:
    with pytest.raises(UserError, match=r"a \.gif or an \.mp4"):
        film(shipped(), ".avi")
