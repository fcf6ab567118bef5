"""Participants' names on the board: one spelling of a name is one person, and a name belongs to the token that came first."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import unicodedata
from pathlib import Path

from workbench.engine.words import UserError

LONGEST = 40
LOOK_ALIKE = ("LATIN", "CYRILLIC", "GREEK")  # alphabets with letters of the same shape


def clean(name: str) -> str:
    """A name as it is shown: one form of each letter, no invisible characters, single spaces.

    Raises
    ------
    UserError
        Nothing is left, it is too long, or it mixes alphabets whose letters look alike.
    """
    plain = unicodedata.normalize("NFKC", name)
    seen = "".join(" " if c.isspace() else c for c in plain if c.isspace() or unicodedata.category(c)[0] != "C")
    shown = " ".join(seen.split())
    if not shown:
        raise UserError('a name is needed: workbench course new DIR --name NAME, or "participant" in course.json')
    if len(shown) > LONGEST:
        raise UserError(f"the name has {len(shown)} characters; at most {LONGEST} fit the board")
    alphabets = {unicodedata.name(c, "").partition(" ")[0] for c in shown if c.isalpha()} & set(LOOK_ALIKE)
    if len(alphabets) > 1:
        mixed = " and ".join(sorted(a.capitalize() for a in alphabets))
        raise UserError(f"the name '{shown}' mixes {mixed} letters, which look alike; write it in one alphabet")
    return shown


def same(name: str) -> str:
    """What all spellings of a name share: case, accents written in two ways and spaces make no other person."""
    return unicodedata.normalize("NFKC", clean(name).casefold())


def new_token() -> str:
    """What proves that two tries come from the same person; 256 bits that nobody can guess."""
    return secrets.token_urlsafe(32)


def mark(token: str) -> str:
    """What the board keeps of a token: it tells tokens apart and gives none away."""
    return hashlib.sha256(token.encode()).hexdigest()


def claim(folder: Path, name: str, token: str) -> str:
    """Claim ``name`` for ``token``, or find that it is so already; returns the name as it was first written.

    The first claim wins, also among processes that try at the same moment. File names come from a digest, whatever
    characters the name has.

    Raises
    ------
    UserError
        The name cannot be used, or it belongs to somebody else.
    """
    shown = clean(name)
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{hashlib.sha256(same(name).encode()).hexdigest()}.json"
    draft = folder / f".{secrets.token_hex(8)}"
    draft.write_text(json.dumps({"participant": shown, "mark": mark(token)}), encoding="utf-8")
    try:
        os.link(draft, place)  # fails when it is there, in one step
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    owner = json.loads(place.read_text(encoding="utf-8"))
    if not hmac.compare_digest(str(owner["mark"]), mark(token)):
        raise UserError(
            f"the name '{owner['participant']}' is somebody else's on this board; "
            'choose another one ("participant" in course.json), or ask the teacher to free it'
        )
    return str(owner["participant"])
