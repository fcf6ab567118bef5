"""Flags from the models of settings: a field is a flag, with the model's own default, bounds and one-line meaning.

A command names its model, and takes what was given on the command line as one dict::

    @settings_of("workbench.engine.online.config:OnlineConfig")
    def online(run: Folder, *, given: Given = NOTHING) -> None: ...

The models need torch. They are imported for the command that was called alone, so that ``--help`` of the others answers at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, TypedDict, TypeVar, Union, get_args, get_origin

import tyro
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from workbench.engine.settings import limits
from workbench.engine.words import UserError

F = TypeVar("F", bound=Callable[..., None])
PLAIN: dict[Any, str] = {int: "INT", float: "FLOAT", str: "TEXT"}


class _NoFlags(TypedDict, total=False):
    """Of a command that was not called."""


TITLE = tyro.conf.arg(name="settings")  # of the box in --help
Given = Annotated[_NoFlags, tyro.conf.OmitArgPrefixes, TITLE]
NOTHING: Any = {}


class Source(NamedTuple):
    """Where a command's flags come from.

    Attributes
    ----------
    path : str
        ``module:Model``.
    only : collection of str
        Fields that are flags; empty: all.
    without : collection of str
        Fields that the command takes in another form.
    otherwise : mapping of str to str
        What counts without the flag, where that is not the model's default.
    """

    path: str
    only: Collection[str]
    without: Collection[str]
    otherwise: Mapping[str, str]

    def model(self) -> type[BaseModel]:
        """The model, imported."""
        module, _, name = self.path.partition(":")
        loaded: type[BaseModel] = getattr(import_module(module), name)
        return loaded

    def fields(self) -> dict[str, FieldInfo]:
        """The fields that are flags."""
        return {
            name: field
            for name, field in self.model().model_fields.items()
            if name not in self.without and (not self.only or name in self.only)
        }


def settings_of(
    path: str, only: Collection[str] = (), without: Collection[str] = (), otherwise: Mapping[str, str] | None = None
) -> Callable[[F], F]:
    """Say which model a command's keyword ``given`` is made of; the parameters are `Source`'s."""

    def mark(command: F) -> F:
        command.settings_source = Source(path, only, without, otherwise or {})  # type: ignore[attr-defined]
        return command

    return mark


def with_flags(command: F) -> F:
    """``command`` with the flags of its model, if it has one."""
    source: Source | None = getattr(command, "settings_source", None)
    if source is not None:
        fields = source.fields()
        kinds = {name: _flag(source, name, field) for name, field in fields.items()}
        flags = TypedDict("Flags", kinds, total=False)  # type: ignore[misc]
        command.__annotations__["given"] = Annotated[flags, tyro.conf.OmitArgPrefixes, TITLE]
        switches = {name: field.default for name, field in fields.items() if _kind(field.annotation) is bool}
        command.__kwdefaults__ = {**(command.__kwdefaults__ or {}), "given": switches}
    return command


def read_given(command: Callable[..., None], given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that the command line names, as the model of ``command`` wants them."""
    source: Source = command.settings_source  # type: ignore[attr-defined]
    found = {}
    for name, field in source.fields().items():
        if name not in given or (_kind(field.annotation) is bool and given[name] == field.default):
            continue
        found[name] = given[name]
        if _is_json(field):
            try:
                found[name] = json.loads(given[name])
            except ValueError as error:
                raise UserError(f"{spelled(name)} takes JSON, such as '{{\"weight\": 0.3}}'; {error}") from None
    return found


def _flag(source: Source, name: str, field: FieldInfo) -> Any:
    kind, help = _kind(field.annotation), field.description or ""
    if kind is bool:
        return Annotated[bool, tyro.conf.arg(help=f"turn off: {help}" if field.default else help)]
    words = [_default(source, name, field), limits(source.model(), name)]
    hint = f"({'; '.join(filter(None, words))})"
    if _is_json(field):
        return Annotated[str, tyro.conf.arg(help=help, metavar="JSON", help_behavior_hint=hint)]
    if get_origin(kind) is tuple:
        item = _kind(get_args(kind)[0])
        several: Any = tuple
        return Annotated[
            several[item, ...],
            tyro.conf.arg(help=help, metavar=f"{PLAIN[item]} ...", help_behavior_hint=hint),
        ]
    return Annotated[kind, tyro.conf.arg(help=help, metavar=PLAIN.get(kind), help_behavior_hint=hint)]


def _default(source: Source, name: str, field: FieldInfo) -> str:
    if name in source.otherwise:
        return f"default: {source.otherwise[name]}"
    default = field.default
    if field.is_required() or default is None or default is PydanticUndefined:
        return "" if default is None else "required"
    return f"default: {' '.join(map(str, default)) or 'none'}" if isinstance(default, tuple) else f"default: {default}"


def _kind(annotation: Any) -> Any:
    """A field's type without its bounds, and without None."""
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        (kind,) = (kind for kind in get_args(annotation) if kind is not NoneType)
        return _kind(kind)
    return annotation


def _is_json(field: FieldInfo) -> bool:
    kind = _kind(field.annotation)
    return get_origin(kind) is dict or (isinstance(kind, type) and issubclass(kind, BaseModel))


def spelled(name: str) -> str:
    """The flag of a setting."""
    return f"--{name.replace('_', '-')}"
