"""Names on the board: whoever comes first owns one, whatever it is spelled like, and a token says who that is."""

import subprocess
import sys

import pytest

from workbench.course.names import claim, clean, mark, new_token, same
from workbench.course.record import empty, token_of

# Names


SPELLINGS = (
    ("Ann", "ann"), ("Ann", " ANN "), ("Zoë", "Zoe\u0308"), ("Ann", "\uff21\uff4e\uff4e"), ("Ann", "A\u200bnn"),
    ("Straße", "STRASSE"), ("a b", "a \t b"),
)  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SPELLINGS)
def test_spellings_of_one_name_are_one_person(tmp_path, one, other):
    token = new_token()
    assert claim(tmp_path, one, token) == clean(one)
    assert claim(tmp_path, other, token) == clean(one)
    with pytest.raises(ValueError, match="somebody else's on this board"):
        claim(tmp_path, other, new_token())
    assert same(one) == same(other)


@pytest.mark.parametrize(
    "name", ["../ann", "/etc/passwd", "..", "a/b", "a\\b", "con", "a\x00b", ".hidden", "x" * 40, "名前", "🦆"]
)
def test_no_name_reaches_another_place(tmp_path, name):
    home = tmp_path / "names"
    claim(home, name, new_token())
    claim(home, "ann", new_token())
    assert sorted(path.parent for path in tmp_path.rglob("*.json")) == [home, home]


@pytest.mark.parametrize("name", ["", "  ", "\u200b", "x" * 41, "Аnn"])
def test_a_name_that_cannot_be_used_says_why(tmp_path, name):
    with pytest.raises(ValueError, match=r"a name is needed|at most 40|look alike"):
        claim(tmp_path, name, new_token())
    assert not list(tmp_path.iterdir())


def test_tokens_are_long_and_all_different_and_the_board_keeps_none(tmp_path):
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 43
    token = tokens.pop()
    claim(tmp_path, "ann", token)
    assert not any(token in path.read_text() for path in tmp_path.iterdir())
    record = empty("ann")
    assert token_of(record) == token_of(record) != token_of(empty("ann"))
    assert len(mark(token)) == 64


CLAIM = """\
import sys
from pathlib import Path
from workbench.course.names import claim
print("ready", flush=True)
sys.stdin.readline()
for number in range(200):
    try:
        claim(Path(sys.argv[1]), f"name {number}", sys.argv[2])
        print(number, flush=True)
    except ValueError:
        pass
"""


def test_two_processes_that_claim_at_once_never_both_win(tmp_path):
    both = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIM, str(tmp_path), new_token()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    won = [process.communicate()[0].split() for process in both]
    assert sorted(map(int, won[0] + won[1])) == list(range(200))
