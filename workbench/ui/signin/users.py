"""The people who may sign in, and their passwords."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path

from workbench.engine.data.records import read_json
from workbench.engine.words import UserError, plain


def read_users(basic_auth: str) -> dict[str, str] | str | None:
    """Who may come in: the users of a JSON file (name to password), one password for everybody, or None for no lock.

    Raises
    ------
    UserError
        The file does not hold names and passwords, or the text looks like a file that is not there.
    """
    if not basic_auth:
        return None
    path = Path(basic_auth)
    if not _exists(path):
        if path.suffix == ".json":
            raise UserError(
                f"{basic_auth} does not exist; --basic-auth takes a JSON file of names and passwords, or one password"
            )
        return basic_auth
    try:
        users = read_json(path)
    except UserError as error:
        raise UserError(f'{error}; it should read {{"ann": "her password"}}') from None
    words = isinstance(users, dict) and all(isinstance(word, str) and word for word in users.values())
    if not isinstance(users, dict) or not users or not words:
        raise UserError(f'{plain(basic_auth)} should hold names and passwords: {{"ann": "her password"}}')
    return users


def _exists(path: Path) -> bool:
    try:
        return path.exists() and not path.is_dir()
    except (OSError, ValueError):
        return False  # a password that no file can be called


def right(users: Mapping[str, str] | str, name: str, password: str) -> bool:
    """Whether the password is that of ``name``, found in the same time whatever is wrong with it, or with the name.

    Parameters
    ----------
    users : mapping of str to str, or str
        Names and passwords, or the one password that everybody has.
    """
    known = isinstance(users, str) or name in users
    wanted = users if isinstance(users, str) else users.get(name, "")
    same = hmac.compare_digest(_digest(wanted), _digest(password))
    return known and same


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
