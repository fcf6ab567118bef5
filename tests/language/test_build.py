"""Building a room from a text: what is read, what is refused, and that the same text gives the same bytes."""

import io
import lzma
import random
import tarfile
import zlib

import pytest
import torch

from workbench.engine.words import UserError
from workbench.language import build
from workbench.language.judge import read_lexicon
from workbench.language.room import ARRAYS, FACTS, load_room
from workbench.language.text import UNWANTED, clauses, read_text, stream

STARTS = ["it is", "she was", "he had", "i am", "they were", "you are"]
WORDS = [
    "very",
    "quite",
    "happy",
    "sad",
    "good",
    "bad",
    "glad",
    "sorry",
    "kind",
    "here",
    "now",
    "again",
    "today",
    "always",
    "a",
    "man",
    "the",
    "house",
    "and",
    "some",
    "friend",
]


def book(lines=900):
    chance = random.Random(0)
    return ". ".join(
        f"{chance.choice(STARTS)} {' '.join(chance.sample(WORDS, chance.choice((2, 3, 4))))}" for _ in range(lines)
    )


@pytest.fixture
def small(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "HELD_OUT", 40)
    monkeypatch.setattr(build, "FEWEST", 200)
    monkeypatch.setattr(build, "STEPS", {"autoencoder": 8, "model": 5, "flow": 5})
    monkeypatch.setattr(build, "PROXIES", 1)
    text, lexicon = tmp_path / "book.txt", tmp_path / "vader_lexicon.txt"
    text.write_text(book())
    lexicon.write_text("happy\t2.7\t0.9\t[]\nsad\t-2.1\t0.9\t[]\ngood\t1.9\t0.9\t[]\nbad\t-2.5\t0.6\t[]\n")
    return text, lexicon


def test_the_same_text_gives_the_same_bytes(small, tmp_path):
    torch.manual_seed(5)
    found = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        measured = build.build_room(*small, tmp_path / name)
        found.append((tmp_path / name / ARRAYS).read_bytes())
        assert 0.0 <= measured["reconstructed_words"] <= 1.0
    assert found[0] == found[1]
    room = load_room(tmp_path / "first")
    assert set(room.facts["scores"]) == {"happy", "sad", "good", "bad"}
    assert (tmp_path / "first" / FACTS).is_file()
    load_room.cache_clear()


def test_a_short_text_is_refused(small, tmp_path):
    small[0].write_text("it is very good. " * 50)
    with pytest.raises(UserError, match=r"1 clause of common words; a room needs 240: take a longer text"):
        build.build_room(*small, tmp_path)


def test_missing_and_strange_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="apt-get download r-cran-janeaustenr"):
        read_text(tmp_path / "none.deb")
    with pytest.raises(UserError, match="pip download --no-deps"):
        read_lexicon(tmp_path / "none.whl")
    strange = tmp_path / "strange.txt"
    strange.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="no UTF-8 text"):
        read_text(strange)
    strange.write_text("no scores here")
    with pytest.raises(UserError, match=r"holds no vader_lexicon\.txt"):
        read_lexicon(strange)


def strings(lines):
    """A vector of strings as R writes it: flags and length before each."""
    return b"X\n" + b"".join(
        b"\x00\x04\x00\x09" + len(x).to_bytes(4, "big") + x for x in (line.encode() for line in lines)
    )


def package(tmp_path, squeeze):
    pieces = [squeeze(strings(lines)) for lines in (["It is good, Mr. Knightley; it is", "very good."], ["Finis"])]
    files = io.BytesIO()
    with tarfile.open(fileobj=files, mode="w:xz") as tar:
        entry = tarfile.TarInfo("./usr/lib/R/site-library/janeaustenr/data/Rdata.rdb")
        content = b"".join(pieces)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    inside = files.getvalue()
    head = b"data.tar.xz     " + b"0           0     0     100644  " + str(len(inside)).encode().ljust(10) + b"`\n"
    path = tmp_path / "made.deb"
    path.write_bytes(b"!<arch>\n" + head + inside)
    return path


def zipped(raw):
    return len(raw).to_bytes(4, "big") + zlib.compress(raw)


def xz(raw):
    packed = lzma.compress(raw, format=lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 6}])
    return len(raw).to_bytes(4, "big") + b"Z" + packed


@pytest.mark.parametrize("squeeze", [zipped, xz])
def test_debians_package_is_read(tmp_path, squeeze):
    assert read_text(package(tmp_path, squeeze)) == "It is good, Mr. Knightley; it is\nvery good.\n\nFinis"


def test_clauses_are_whole_and_common():
    text = "It is very good, Mr. Knightley; it is\nvery bad. A horrid man was here today. I am not sure and you are right today!"
    assert clauses(text) == [
        ("it", "is", "very", "good"),
        ("it", "is", "very", "bad"),
        ("i", "am", "not", "sure"),
        ("you", "are", "right", "today"),
    ]
    assert stream("It is. So.") == ["it", "is", ".", "so", ".", "."]
    assert not {word for clause in clauses(text) for word in clause} & UNWANTED
