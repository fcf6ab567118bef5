"""The people who may sign in, and their passwords."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path


def read_users(basic_auth: str) -> dict[str, str] | str | None:
    """Who may come in: the users of a JSON file (name to password), one password for everybody, or None for no lock.

    Raises
    ------
    ValueError
        The file does not hold names and passwords, or the text looks like a file that is not there.
    """
    if not basic_auth:
        return None
    path = Path(basic_auth)
    if not path.is_file():
        if path.suffix == ".json":
            raise ValueError(
                f"{basic_auth} does not exist; --basic-auth takes a JSON file of names and passwords, or one password"
            )
        return basic_auth
    try:
        users = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f'{basic_auth} is not JSON ({error}); it should read {{"ann": "her password"}}') from None
    if not isinstance(users, dict) or not users or not all(isinstance(word, str) and word for word in users.values()):
        raise ValueError(f'{basic_auth} should hold names and passwords: {{"ann": "her password"}}')
    return users


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
