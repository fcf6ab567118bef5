"""Records from files, checked in every field before anything reads them: what is missing or of another type is said in words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workbench.engine.data.regular import read_regular
from workbench.engine.data.strict_json import parse_json
from workbench.engine.words import SaidError, shown

LARGEST = 2**53  # whole numbers up to here are the same in JSON, Python and NumPy
MOST_BYTES = 8 * 2**20  # of a record in a file of its own

Count = Annotated[int, Field(ge=0, le=LARGEST)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=100_000)]


class Record(BaseModel):
    """What a file says, in exactly the declared types; fields that are not declared are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


R = TypeVar("R", bound=Record)


def checked(kind: type[R], value: object) -> R:
    """``value`` as a record of the class ``kind``; SaidError says which field is wrong and what stands in it."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        where = f"'{place}'" if place else "the record"
        if first["type"] == "missing":
            raise SaidError(f"{where} is missing") from None
        words = (
            "must be an object" if first["type"] == "model_type" else first["msg"].replace("Input should", "must", 1)
        )
        raise SaidError(f"{where}: {words}, got {shown(first['input'])}") from None


def read_json(path: Path, most: int = MOST_BYTES) -> Any:
    """The value in the file ``path``.

    Raises
    ------
    SaidError
        It is no JSON, no regular file, or larger than ``most`` bytes.
    OSError
        No such file, or one that cannot be read.
    """
    try:
        return parse_json(read_regular(path, most))
    except SaidError:
        raise
    except ValueError as error:
        raise SaidError(f"{path} is not valid JSON ({error}): it is truncated or was edited") from None
