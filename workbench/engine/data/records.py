"""Records from files, checked in every field before anything reads them: what is missing or of another type is said in words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from workbench.engine.data.regular import read_regular
from workbench.engine.data.strict_json import parse_json
from workbench.engine.settings import must
from workbench.engine.words import UserError, shown

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
    """``value`` as a record of the class ``kind``; UserError says which field is wrong and what stands in it."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        # without pydantic's own words for one of several kinds of record
        place = ".".join(str(part) for part in first["loc"] if "[" not in str(part))
        where = f"'{place}'" if place else "the record"
        if first["type"] == "missing":
            raise UserError(f"{where} is missing") from None
        words = "must be an object" if first["type"] == "model_type" else must(first["msg"])
        raise UserError(f"{where}: {words}, got {shown(first['input'])}") from None


def read_json(path: Path, most: int = MOST_BYTES) -> Any:
    """The value in the file ``path``.

    Raises
    ------
    UserError
        It is no JSON, no regular file, or larger than ``most`` bytes.
    OSError
        No such file, or one that cannot be read.
    """
    try:
        return parse_json(read_regular(path, most))
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}): it is truncated or was edited") from None
