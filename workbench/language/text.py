"""The text: clauses of a few common words, out of a book in the public domain.

The books are Jane Austen's six novels (1811 to 1818), as Debian's package ``r-cran-janeaustenr`` holds them; any plain text
does. They are read when the room is built, and never afterwards.
"""

from __future__ import annotations

import io
import lzma
import re
import tarfile
import zlib
from collections import Counter
from pathlib import Path

from workbench.engine.words import UserError

END = "."  # ends a clause, and fills what comes after
PROMPT = 2  # words that are given
LONGEST = 4  # words of a response
SHORTEST = 2
WORDS = 1000  # the most common ones; a clause with any other is left out
# Words that no page should show anybody by chance: clauses with one of them are left out.
_UNWANTED = (
    "abuse abused beat blood breast corpse cruel cruelty dead death deaths devil die died dies drunk dying evil fool fools "
    "gipsies gipsy gypsies gypsy hang hanged hate hated hell horrid idiot illegitimate insult jew jews kill killed murder "
    "murdered negro savage savages seduced shoot shot slave slavery slaves stupid suicide ugly villain virgin wicked wretch "
    "wretched"
)
UNWANTED = frozenset(_UNWANTED.split())
_BREAK = re.compile(
    r"[.,;:!?()\[\]\"“”]|--|—|\n\s*\n|\b(?:and|but|or|that|which|who|whom|when|where|though|because|if|while|than|for)\b"
)
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_TITLES = re.compile(r"\b(mr|mrs|dr|st|esq)\.")


def read_text(path: Path) -> str:
    """The text of ``path``: plain text, or Debian's package of Jane Austen's novels.

    Raises
    ------
    UserError
        No such file, or not one of the two.
    """
    if not path.is_file():
        raise UserError(
            f"there is no file {path}; take Debian's package of Jane Austen's novels (apt-get download r-cran-janeaustenr), "
            "or a plain text"
        )
    content = path.read_bytes()
    if content.startswith(b"!<arch>\n"):
        return _novels(content, path)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no UTF-8 text (byte {error.start}) and no Debian package") from None


def clauses(text: str, words: int = WORDS) -> list[tuple[str, ...]]:
    """Every different clause of 4 to 6 of the ``words`` most common words, in the order of the text.

    Parameters
    ----------
    text : str
    words : int

    Returns
    -------
    list of tuple of str
        Lower case, without punctuation.
    """
    found = _pieces_of(text)
    counts = Counter(word for clause in found for word in clause if word not in UNWANTED)
    common = {word for word, _ in counts.most_common(words)}
    fitting = (clause for clause in found if PROMPT + SHORTEST <= len(clause) <= PROMPT + LONGEST)
    return list(dict.fromkeys(clause for clause in fitting if common.issuperset(clause)))


def stream(text: str) -> list[str]:
    """All words of the text in their order, an end between its pieces."""
    return [word for piece in _pieces_of(text) for word in (*piece, END)]


def _pieces_of(text: str) -> list[tuple[str, ...]]:
    plain = _TITLES.sub(r"\1", text.lower().replace("’", "'").replace("_", ""))
    return [tuple(_WORD.findall(piece)) for piece in _BREAK.split(plain)]


def _novels(package: bytes, path: Path) -> str:
    """The lines of all novels in Debian's package: R keeps each as a vector of strings in one file of compressed pieces."""
    for name, content in _archive(package):
        if name.startswith("data.tar"):
            with tarfile.open(fileobj=io.BytesIO(content)) as files:
                for member in files.getmembers():
                    stored = files.extractfile(member) if member.name.endswith("data/Rdata.rdb") else None
                    if stored is not None:
                        return "\n\n".join("\n".join(_strings(piece)) for piece in _pieces(stored.read()))
    raise UserError(f"{path} holds no novels: take r-cran-janeaustenr, or a plain text")


def _archive(package: bytes) -> list[tuple[str, bytes]]:
    """Names and contents of an ``ar`` archive."""
    found, at = [], 8
    while at + 60 <= len(package):
        name, size = package[at : at + 16].decode("ascii").strip().rstrip("/"), int(package[at + 48 : at + 58])
        found.append((name, package[at + 60 : at + 60 + size]))
        at += 60 + size + size % 2
    return found


def _pieces(database: bytes) -> list[bytes]:
    """The objects of R's database: each is its length (4 bytes), a letter where it is not zlib, and the compressed bytes."""
    found, at = [], 0
    while at < len(database):
        if database[at + 4 : at + 5] == b"Z":
            inflate = lzma.LZMADecompressor(format=lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 6}])
            found.append(inflate.decompress(database[at + 5 :]))
            at = len(database) - len(inflate.unused_data)
        else:
            unzip = zlib.decompressobj()
            found.append(unzip.decompress(database[at + 4 :]))
            at = len(database) - len(unzip.unused_data)
    return found


def _strings(piece: bytes) -> list[str]:
    """The strings of an R vector in XDR form: each stands behind its flags (…09) and its length."""
    found, at = [], 0
    while (at := piece.find(b"\x00\x09", at)) >= 0:
        start = at + 6
        size = int.from_bytes(piece[at + 2 : start], "big")
        if piece[at - 2 : at] == b"\x00\x04" and size <= len(piece) - start:
            found.append(piece[start : start + size].decode("utf-8", "replace"))
            at = start + size
        else:
            at += 1
    return found
