"""Building the token room's model: the same text gives the same bytes, and another text than the room's is refused."""

import pytest
import torch

from workbench.engine.words import UserError
from workbench.language.room import load_room
from workbench.language.tokens import build, proxy
from workbench.language.tokens.build import build_tokens
from workbench.language.tokens.room import WEIGHTS, load_token_room


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(build, "STEPS", 4)
    monkeypatch.setattr(build, "PROXIES", 1)
    monkeypatch.setattr(build, "FRESH", 64)
    monkeypatch.setattr(proxy, "STEPS", 4)
    monkeypatch.setattr("workbench.language.build.HELD_OUT", 8)


def test_the_same_text_gives_the_same_bytes(quick, tmp_path):
    room = load_room()
    text = tmp_path / "book.txt"
    text.write_text(". ".join(room.facts["examples"]))
    found = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        torch.manual_seed(len(name))
        measured = build_tokens(text, room, tmp_path / name)
        found.append((tmp_path / name / WEIGHTS).read_bytes())
        assert measured["perplexity_behaviour"] > 1.0
        assert 0.0 <= measured["readable_behaviour"] <= 1.0
    assert found[0] == found[1]
    made = load_token_room(tmp_path / "first")
    assert len(made.table) == len(room.words)
    load_token_room.cache_clear()


def test_another_text_is_refused(quick, tmp_path):
    text = tmp_path / "book.txt"
    text.write_text("the submarine went down slowly. " * 30)
    with pytest.raises(UserError, match=r"it has '(down|slowly|submarine)'; build both from one text"):
        build_tokens(text, load_room(), tmp_path)
