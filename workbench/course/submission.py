"""What a participant hands in: a rule's name and settings, and for a rule of their own the source that makes it."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import linecache
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import RULES
from workbench.engine.words import UserError

LIBRARIES = ("workbench", "pydantic", "abc", "builtins", "typing")
LONGEST = 60_000  # characters of source


class Submission(BaseModel):
    """A rule as text: nothing of it runs before it is played.

    Attributes
    ----------
    rule : str
        A name in ``RULES``, or with ``source`` the name of a class in it.
    settings : dict
        By name.
    source : str
        Python that makes the class; "" for a built-in rule.
    words : str
        Name and the settings that differ from their defaults, for the table.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    rule: Annotated[str, Field(min_length=1, max_length=80)]
    settings: Annotated[dict[str, bool | int | float | str], Field(max_length=40)] = {}
    source: Annotated[str, Field(max_length=LONGEST)] = ""
    words: Annotated[str, Field(max_length=200)] = ""

    def digest(self) -> str:
        """Fingerprint of what is played: another source or another setting is another submission, whatever its name."""
        played = self.model_dump(exclude={"words"})
        return hashlib.sha256(json.dumps(played, sort_keys=True).encode()).hexdigest()


def read_submission(content: object) -> Submission:
    """A submission from plain JSON; ValueError says what is wrong with it."""
    try:
        return Submission.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise UserError(
            f"this is no submission: {where}: {first['msg']}; run the cell with wb.course.score again"
        ) from None


def submission_of(rule: Rule) -> Submission:
    """What stands for ``rule``: of a class of one's own, the source of it and of all in its cell (or file) that it uses.

    Raises
    ------
    UserError
        The source of the class cannot be found, or it is too long.
    """
    own = [kind for kind in type(rule).__mro__ if kind.__module__.partition(".")[0] not in LIBRARIES]
    if not own and type(rule) is not RULES.get(rule.name):
        raise UserError(
            f"the class {type(rule).__name__} is not among the rules; hand in one by its name, or a class of your own"
        )
    texts = dict.fromkeys(_source_of(kind) for kind in reversed(own))
    source = "\n\n".join(texts)
    if len(source) > LONGEST:
        raise UserError(
            f"the source of {type(rule).__name__} has {len(source)} characters; at most {LONGEST} can be handed in"
        )
    name = type(rule).__name__ if own else rule.name
    return Submission(rule=name, settings=rule.model_dump(mode="json"), source=source, words=words(rule)[:200])


def _source_of(kind: type) -> str:
    files = {item.__code__.co_filename for item in map(inspect.unwrap, _functions(kind))}
    text = "".join(line for file in sorted(files) for line in linecache.getlines(file))
    if not text:
        raise UserError(
            f"the source of the class {kind.__name__} cannot be found; define it in a cell of this notebook, or in a file"
        )
    return needed(text)


def _functions(kind: type) -> Iterator[Any]:
    for item in vars(kind).values():
        item = item.__func__ if isinstance(item, (classmethod, staticmethod)) else item
        if inspect.isfunction(item) and item.__module__ == kind.__module__:  # not what pydantic makes for each class
            yield item


def needed(text: str) -> str:
    """Of a cell: imports, classes and functions, and the assignments that these read. The rest of it is for the screen."""
    tree = ast.parse(text)
    definitions = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    wanted: list[ast.stmt] = [node for node in tree.body if isinstance(node, definitions)]
    while True:
        read = {
            n.id for top in wanted for n in ast.walk(top) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
        }
        more = [node for node in tree.body if node not in wanted and _targets(node) & read]
        if not more:
            break
        wanted += more
    return "\n".join(ast.unparse(node) for node in tree.body if node in wanted)


def _targets(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    else:
        return set()
    return {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}


def words(rule: Rule) -> str:
    """The rule's name and the settings that differ from its defaults."""
    settings = {
        name: value for name, value in rule.model_dump().items() if value != type(rule).model_fields[name].default
    }
    shown = [f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in settings.items()]
    return " ".join([rule.name, *shown])
