"""The checkpoints ``params_N.pkl`` of the VGF, QGF and FQL codes, read without Python's reader of pickles.

A pickle names functions and has them called. Here nothing that a file names is imported, looked up or called: the few names in
`NAMES` are words that stand for constructors of this module, which make plain arrays from the bytes that follow. Every other
name is refused, and so is every step (`opcodes`) that a dict of arrays does not need.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.engine.models.published.opcodes import Letter, PickleError, letters
from workbench.engine.words import shown

MOST_DEPTH = 40
MOST_LEAVES = 20_000
MOST_AXES = 8
LARGEST_AXIS = 2**40
PLAIN_TYPES = {
    f"{kind}{size}" for kind, sizes in (("f", "248"), ("i", "1248"), ("u", "1248"), ("b", "1")) for size in sizes
}
PLAIN_TYPES.add("bfloat16")


@dataclass(frozen=True)
class _Name:
    """A name that the file may give: a word, and nothing that could be called."""

    word: str


@dataclass
class _Type:
    """A type of numbers: its code, and its byte order once the file has said it."""

    code: str
    order: str = "<"


@dataclass
class _Array:
    """An array, empty until the file has said what is in it."""

    values: np.ndarray | None = None


NAMES = {
    "numpy._core.multiarray._reconstruct": "empty array",
    "numpy.core.multiarray._reconstruct": "empty array",  # NumPy before 2
    "numpy.ndarray": "array class",
    "numpy.dtype": "type",
    "jax._src.array._reconstruct_array": "jax array",
    "flax.core.frozen_dict.FrozenDict": "dict",
    "numpy._core.numeric._frombuffer": "array of bytes",  # arrays of NumPy itself, protocol 5
    "numpy.core.numeric._frombuffer": "array of bytes",
    "_codecs.encode": "bytes of text",  # how protocols 0 to 2 write bytes
    "ml_dtypes.bfloat16": "bfloat16",
}


def read_pickle(content: bytes) -> dict[str, np.ndarray | int | float | bool | str]:
    """The arrays and numbers of a pickled nested dict, by their keys joined with dots.

    Parameters
    ----------
    content : bytes
        It is not trusted.

    Raises
    ------
    PickleError
        It is cut off or damaged, or it holds anything else than dicts of arrays and numbers; the message says at which byte.
    """
    machine = _Machine()
    for letter in letters(content):
        if letter.name == "STOP":
            break
        try:
            machine.follow(letter)
        except PickleError:
            raise
        except (
            IndexError,
            KeyError,
            TypeError,
            ValueError,
            OverflowError,
        ) as error:  # of a stack that is not as it must be
            raise PickleError(
                f"byte {letter.at}: {letter.name} does not fit what stands before it ({error!r})"
            ) from None
    top = machine.result()
    if not isinstance(top, dict):
        raise PickleError(f"it holds {_kind(top)}; a checkpoint is a dict of dicts of arrays")
    return _flat(top, len(content))


class _Machine:
    """The stack, the memo, and what each letter does to them."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def result(self) -> Any:
        """What is left at the end."""
        if len(self.stack) != 1 or self.marks:
            raise PickleError(f"it ends with {len(self.stack)} values, 1 was expected: it is damaged; copy it again")
        return self.stack[0]

    def follow(self, letter: Letter) -> None:
        """Do what the letter says."""
        name, argument = letter.name, letter.argument
        match name:
            case "PROTO":
                if argument > 5:
                    raise PickleError(f"byte {letter.at}: protocol {argument}; this reader knows 0 to 5")
            case "FRAME":
                pass
            case "NONE":
                self.stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                self.stack.append(name == "NEWTRUE")
            case "INT" | "FLOAT" | "TEXT" | "BYTES":
                self.stack.append(argument)
            case "MARK":
                self.marks.append(len(self.stack))
            case "EMPTY_DICT":
                self.stack.append({})
            case "DICT":
                self.stack.append(_paired({}, self.since_mark()))
            case "SETITEM":
                value, key = self.pop(), self.pop()
                _paired(self.top(dict), [key, value])
            case "SETITEMS":
                items = self.since_mark()
                _paired(self.top(dict), items)
            case "EMPTY_LIST":
                self.stack.append([])
            case "LIST":
                self.stack.append(self.since_mark())
            case "APPEND":
                value = self.pop()
                self.top(list).append(value)
            case "APPENDS":
                items = self.since_mark()
                self.top(list).extend(items)
            case "TUPLE0" | "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(name[-1])
                items = [self.pop() for _ in range(count)]
                self.stack.append(tuple(reversed(items)))
            case "TUPLE":
                self.stack.append(tuple(self.since_mark()))
            case "PUT":
                self.memo[argument] = self.top(object)
            case "MEMOIZE":
                self.memo[len(self.memo)] = self.top(object)
            case "GET":
                if argument not in self.memo:
                    raise PickleError(
                        f"byte {letter.at}: refers to value {argument}, which is not there: it is damaged"
                    )
                self.stack.append(self.memo[argument])
            case "GLOBAL":
                self.stack.append(_named(letter, *argument))
            case "STACK_GLOBAL":
                inner, module = self.pop(), self.pop()
                self.stack.append(_named(letter, module, inner))
            case "REDUCE":
                given, what = self.pop(), self.pop()
                self.stack.append(_made(letter, what, given))
            case "BUILD":
                state = self.pop()
                _fill(letter, self.top(object), state)
            case _:
                raise PickleError(f"byte {letter.at}: {name} is not followed")

    def pop(self) -> Any:
        """Take the last value since the last mark."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise PickleError("a step takes a value where there is none: it is damaged; copy it again")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        """Look at the last value, which must be of ``kind``."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0) or not isinstance(self.stack[-1], kind):
            raise PickleError(f"a step needs a {kind.__name__} where there is none: it is damaged; copy it again")
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
        """Take all values since the last mark, and the mark."""
        if not self.marks:
            raise PickleError("a step takes the values since a mark where there is none: it is damaged; copy it again")
        at = self.marks.pop()
        items = self.stack[at:]
        del self.stack[at:]
        return items


def _paired(into: dict[str, Any], items: list[Any]) -> dict[str, Any]:
    if len(items) % 2:
        raise PickleError("a dict with a key without a value: it is damaged; copy it again")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if type(key) not in (str, int) or len(str(key)) > 200 or not str(key).isprintable():
            raise PickleError(
                f"a dict has {_kind(key)} {shown(key)} as a key; names of networks and layers were expected"
            )
        into[str(key)] = value
    return into


def _named(letter: Letter, module: Any, name: Any) -> _Name:
    """The word for a name that the file gives; it is looked up in `NAMES` and nowhere else."""
    if type(module) is not str or type(name) is not str:
        raise PickleError(
            f"byte {letter.at}: {letter.name} of {_kind(module)} and {_kind(name)}, two texts were expected"
        )
    full = f"{module}.{name}"
    if full not in NAMES:
        raise PickleError(
            f"byte {letter.at}: {letter.name} asks for {shown(full)}, which is none of the names that arrays need; refused. "
            "Run the script of `workbench convert --script` where the file was written, if you trust it"
        )
    return _Name(NAMES[full])


def _made(letter: Letter, what: Any, given: Any) -> Any:
    """What one of our own constructors makes of the arguments ``given``."""
    word = what.word if isinstance(what, _Name) else None
    match word, given:
        case "empty array", (_Name(word="array class"), (0,), bytes() | memoryview()):
            return _Array()
        case "type", (str(code), *flags) if code in PLAIN_TYPES and len(flags) in (0, 2):
            return _Type(code)
        case "type", (_Name(word="bfloat16"), *flags) if len(flags) in (0, 2):
            return _Type("bfloat16")
        case "type", (str(code), *_):
            raise PickleError(
                f"byte {letter.at}: an array of type {shown(code)}, which holds no plain numbers "
                "(O: Python objects, which are never read); arrays of floats or whole numbers were expected"
            )
        case "jax array", (_Name(word="empty array"), (_Name(word="array class"), (0,), _), tuple(state), dict()):
            array = _Array()
            _fill(letter, array, state)
            return array
        case "array of bytes", (content, _Type() as kind, tuple(shape), ("C" | "F") as order):
            return _Array(_values(letter, content, kind, shape, order))
        case "dict", (dict(inner),):
            return inner
        case "bytes of text", (str(text), "latin1"):
            return text.encode("latin-1")
    called = f"'{word}'" if word else _kind(what)
    raise PickleError(f"byte {letter.at}: REDUCE of {called} with arguments that no array has; refused")


def _fill(letter: Letter, what: Any, state: Any) -> None:
    """Say of an array what is in it, or of a type its byte order."""
    match what, state:
        case _Type(), (int(), str(order), None, None, None, int(), int(), int()) if order in ("<", ">", "|", "="):
            what.order = "<" if order in "|=" else order
        case _Array(values=None), (int(), tuple(shape), _Type() as kind, bool(fortran), content):
            what.values = _values(letter, content, kind, shape, "F" if fortran else "C")
        case ((_Array() | _Type()), _):
            raise PickleError(f"byte {letter.at}: BUILD of an array or its type with a state that none has; refused")
        case _:
            raise PickleError(f"byte {letter.at}: BUILD of {_kind(what)}, only arrays are built here; refused")


def _values(letter: Letter, content: Any, kind: _Type, shape: tuple[Any, ...], order: Any) -> np.ndarray:
    """The numbers of an array from bytes that are there: the shape is compared with them before anything is made."""
    if not isinstance(content, (bytes, memoryview)):
        raise PickleError(
            f"byte {letter.at}: an array whose content is {_kind(content)}; bytes of numbers were expected"
        )
    if len(shape) > MOST_AXES or not all(type(size) is int and 0 <= size <= LARGEST_AXIS for size in shape):
        raise PickleError(f"byte {letter.at}: an array of shape {shown(shape)}; damaged")
    code = "u2" if kind.code == "bfloat16" else kind.code
    dtype = np.dtype(kind.order + code)
    needed = math.prod(shape) * dtype.itemsize
    if needed != len(content):
        raise PickleError(
            f"byte {letter.at}: an array of shape {shown(shape)} and type {kind.code} needs {needed:,} bytes, "
            f"{len(content):,} are there"
        )
    array = np.frombuffer(content, dtype).reshape(shape, order=order)
    if kind.code == "bfloat16":
        return (array.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return array


def _flat(top: dict[str, Any], size: int) -> dict[str, Any]:
    """The leaves by their names; no more of them, and no more bytes, than a file of ``size`` bytes can mean."""
    flat: dict[str, Any] = {}
    open_: list[tuple[str, int, Any]] = [("", 0, top)]
    seen = total = 0
    while open_:
        name, depth, value = open_.pop()
        seen += len(value) if isinstance(value, (dict, list, tuple)) else 0  # the same dict may stand in many places
        if depth > MOST_DEPTH or seen > MOST_LEAVES:
            raise PickleError("its dicts are nested too deeply, in themselves, or too many; damaged")
        if isinstance(value, dict):
            open_ += [(f"{name}.{key}" if name else key, depth + 1, inner) for key, inner in value.items()]
        elif isinstance(value, (list, tuple)):
            open_ += [(f"{name}.{i}", depth + 1, inner) for i, inner in enumerate(value)]
        elif isinstance(value, _Array):
            if value.values is None:
                raise PickleError(f"'{name}' is an array of which nothing is said; it is damaged")
            total += value.values.nbytes
            if total > 4 * size:  # the same bytes under many names
                raise PickleError(f"its arrays have more bytes than four times the file's {size:,}; damaged")
            flat[name] = value.values
        elif value is None or isinstance(value, (bool, int, float, str)):
            if value is not None:
                flat[name] = value
        else:
            raise PickleError(f"'{name}' is {_kind(value)}; arrays and numbers were expected")
    return flat


def _kind(value: Any) -> str:
    words = {
        _Name: "a name",
        _Array: "an array",
        _Type: "a type of numbers",
        memoryview: "bytes",
        type(None): "nothing",
    }
    return words.get(type(value), f"a {type(value).__name__}")


__all__ = ["NAMES", "PickleError", "read_pickle"]
