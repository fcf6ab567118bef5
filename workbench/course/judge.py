"""The one who plays submissions: with a key that only the teacher has, on episodes that follow from it; or for a preview."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from workbench.course.meter import Plan, measure
from workbench.course.player import Limits, Player, Refused, board_parts
from workbench.course.result import Result, read_result
from workbench.course.submission import Submission
from workbench.engine.data.atomic import write_atomic
from workbench.engine.training.loop.learned_part import fingerprint
from workbench.engine.words import UserError

PREVIEW = Plan((20_26,), 300)
SEEDS = 4
EPISODES = 500
VERSION = 1  # of the way of measuring


def play(submission: Submission, plan: Plan, limits: Limits = Limits()) -> Result:  # noqa: B008 -- frozen
    """Play a submission at arm's length; a rule that cannot be played gives a result that says why."""
    digest, here = submission.digest(), ground(plan)
    try:
        with Player(submission, limits) as player:
            measured = measure(player, board_parts(), plan)
    except Refused as error:
        return Result(digest=digest, ground=here, fault=str(error))
    shift, own = ((one.mean, one.low, one.high) for one in (measured.shift, measured.own_shift))
    returns = [round(float(one), 4) for one in measured.returns]
    return Result(digest=digest, ground=here, returns=returns, shift=shift, own_shift=own, held=measured.held)


def ground(plan: Plan) -> str:
    """Fingerprint of all that a result depends on beside the submission."""
    played = [VERSION, fingerprint(board_parts()), plan.seeds, plan.episodes]
    return hashlib.sha256(json.dumps(played).encode()).hexdigest()


class Judge:
    """The teacher's side of the board: a key, and the results that it has sealed.

    Parameters
    ----------
    home : Path, optional
        The teacher's own folder, which participants cannot read; in the user's data folder without it. The key is made there
        on first use, for its owner's eyes alone.
    plan : Plan, optional
        For tests; the episodes follow from the key without it.
    limits : Limits, optional
        For each submission.
    """

    def __init__(self, home: Path | None = None, plan: Plan | None = None, limits: Limits = Limits()) -> None:  # noqa: B008
        self.home = home or user_data_path("workbench") / "board"
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._key, self._limits = _key(self.home / "key"), limits
        words = [self._mac({"seed": i}) for i in range(SEEDS)]
        self.plan = plan or Plan(tuple(int(word[:8], 16) for word in words), EPISODES)

    def result(self, submission: Submission) -> Result:
        """The sealed result of this very submission, else it is played now.

        What is not sealed by this key, is of another source, setting or policy, or is damaged counts as absent.
        """
        (self.home / "results").mkdir(exist_ok=True)
        wanted = (submission.digest(), ground(self.plan))
        place = self.home / "results" / f"{hashlib.sha256(''.join(wanted).encode()).hexdigest()}.json"
        result = read_result(self.open(place))
        if result is not None and (result.digest, result.ground) == wanted:
            return result
        played = play(submission, self.plan, self._limits)
        self.seal(place, played.model_dump(mode="json"))
        return played

    def seal(self, place: Path, content: Mapping[str, Any]) -> None:
        """Write ``content`` with its seal."""
        write_atomic(place, json.dumps({"content": content, "seal": self._mac(content)}, allow_nan=False).encode())

    def open(self, place: Path) -> Any:
        """The content of a sealed file; None when it is missing, damaged, or not sealed by this key."""
        try:
            found = json.loads(place.read_text(encoding="utf-8"))
            content, seal = found["content"], str(found["seal"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return content if hmac.compare_digest(seal.encode(), self._mac(content).encode()) else None

    def _mac(self, content: Any) -> str:
        text = json.dumps(content, sort_keys=True)
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


def _key(place: Path) -> bytes:
    """The key in ``place``, made there on first use; also when two processes make it at the same moment."""
    if not place.exists():
        draft = place.with_name(f".{secrets.token_hex(8)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32))
        try:
            os.link(draft, place)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    text = place.read_text(encoding="ascii").strip()
    if len(text) < 64:
        raise UserError(
            f"{place} holds no key of a board; move it away, and a new one is made (all is then played again)"
        )
    return bytes.fromhex(text)
