"""The strict reader of pickles: the three codes' checkpoints are read exactly, and nothing else is done for any file."""

import os
import pickle
import random
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine.published_trees import FAMILIES, full_names, nets_of, tree_of

from workbench.engine.models.published.opcodes import MOST_LETTERS, PickleError
from workbench.engine.models.published.pickled import NAMES, read_pickle

HERE = Path(__file__).parent / "published"
SMALL = (3, 2, (8, 8), 2)


class Frozen(dict):
    """Pickled by the name of flax's class, as that is: a call of it with one dict."""

    def __reduce__(self) -> Any:
        return Frozen, (dict(self),)


Frozen.__module__, Frozen.__qualname__ = "flax.core.frozen_dict", "FrozenDict"


@pytest.mark.parametrize("family", FAMILIES)
def test_checkpoints_by_jax_itself(family: str) -> None:
    """Written by jax and flax (published/make.py); the weights are made again from their seed."""
    found = read_pickle((HERE / f"{family}.pkl").read_bytes())
    expected = full_names(family, nets_of(family, SMALL))
    for name, array in expected.items():
        assert np.array_equal(found[name], array), name
        assert found[name].dtype == array.dtype
    assert np.array_equal(found["agent.rng"], [0, 7])
    assert any(name.endswith("opt_state.0.mu.modules_critic.value_net.Dense_0.kernel") for name in found) == (
        family == "fql"
    )


def test_a_frozen_dict_and_bfloat16_by_flax_itself() -> None:
    found = read_pickle((HERE / "fql_frozen_bfloat16.pkl").read_bytes())
    for name, array in full_names("fql", nets_of("fql", SMALL)).items():
        assert found[name].dtype == np.float32
        assert np.allclose(found[name], array, rtol=2**-8, atol=0)
        assert not (found[name].view(np.uint32) & 0xFFFF).any()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("family", FAMILIES)
def test_every_protocol(family: str, protocol: int) -> None:
    found = read_pickle(pickle.dumps(tree_of(family, SMALL), protocol=protocol))
    for name, array in full_names(family, nets_of(family, SMALL)).items():
        assert np.array_equal(found[name], array), name
    whole = [name for name in found if name.endswith(".step")]
    assert whole
    assert all(found[name] == 1200 for name in whole)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", ">f8", "<i4", ">i2", "u1", "?"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4), (0, 2)])
def test_types_orders_and_shapes(protocol: int, dtype: str, shape: tuple[int, ...]) -> None:
    array = np.asarray(np.arange(np.prod(shape, dtype=int)).reshape(shape) % 100, dtype=dtype)
    if array.size == 0 and protocol < 3:  # these write empty bytes as a call of a builtin
        with pytest.raises(PickleError, match=r"asks for '__builtin__\.bytes'"):
            read_pickle(pickle.dumps({"a": array}, protocol=protocol))
        return
    for one in (array, np.asfortranarray(array), array.T):
        found = read_pickle(pickle.dumps({"a": {"b": one}, "n": None, "x": [1, -1.5, True, 2**40]}, protocol=protocol))
        assert np.array_equal(found["a.b"], one)
        assert found["a.b"].shape == one.shape
        assert [found[f"x.{i}"] for i in range(4)] == [1, -1.5, True, 2**40]


class Calls:
    """Would call ``what`` with ``given`` when unpickled."""

    def __init__(self, what: Any, *given: Any) -> None:
        self.what, self.given = what, given

    def __reduce__(self) -> Any:
        return self.what, self.given


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Calls(os.system, "echo no"), r"'(posix|nt)\.system'"),
        (Calls(eval, "1"), r"'(builtins|__builtin__)\.eval'"),
        (Calls(getattr, np.ndarray, "tofile"), r"'(builtins|__builtin__)\.getattr'"),
        (Calls(np.load, "x.npy"), r"'numpy\.load'"),
        (Calls(np.frombuffer, b"abcd", "f4"), r"'numpy\.frombuffer'"),
        (Calls(__import__, "antigravity"), r"'(builtins|__builtin__)\.__import__'"),
        (np.float32(1), r"'numpy\._core\.multiarray\.scalar'"),
        (Path("x"), r"'pathlib"),
    ],
)
def test_other_names_are_refused_by_name(value: Any, name: str, protocol: int) -> None:
    with pytest.raises(PickleError, match=rf"asks for {name}.*none of the names"):
        read_pickle(pickle.dumps({"agent": {"a": value}}, protocol=protocol))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"(S'echo no'\nios\nsystem\n.", "STRING is of Python 2"),
        (b"(V1\nibuiltins\neval\n.", r"INST would import and call 'builtins\.eval'"),
        (b"(cbuiltins\neval\nV1\no.", r"asks for 'builtins\.eval'"),
        (b"(cnumpy\ndtype\nVf4\no.", "OBJ would call"),
        (b"\x80\x04\x8c\x05numpy\x8c\x07ndarray\x93)\x81.", "NEWOBJ would make an object"),
        (b"\x80\x04\x8c\x05numpy\x8c\x07ndarray\x93)}\x92.", "NEWOBJ_EX would make an object"),
        (b"\x80\x04K\x01Q.", "BINPERSID"),
        (b"Pid\n.", "PERSID"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x05\x97.", "NEXT_BUFFER"),
        (b"\x80\x04}2.", "DUP"),
        (b"\x80\x04}\x8c\x01a\x94}b.", "BUILD of a str|BUILD of a dict"),
        (b"\x80\x04\x8c\x05numpy\x8c\x07ndarray\x93K\x01\x85R.", "REDUCE of 'array class' with arguments that no array has"),
        (b"\x80\x04\x8c\x05numpy\x8c\x05dtype\x93\x8c\x02O8\x89\x88\x87R.", "'O8'.*Python objects, which are never read"),
        (b"\x80\x04\x8c\x05numpy\x8c\x05dtype\x93\x8c\x03V16\x85R.", "'V16'"),
        (b"\x80\x04\x8c\x05numpy\x8c\x05dtype\x93\x8c\x12f4,f4,f4,f4,f4,f4,\x85R.", "REDUCE of|no plain numbers"),
        (b"\x80\x06}.", "protocol 6"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.", "bytes are announced and 4 are left"),
        (b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f}.", "ends within its frame"),
        (b"\x80\x04\x8a\xff" + b"\x01" * 255 + b".", "a whole number of 255 bytes"),
        (b"\x80\x04\x8b\xff\xff\xff\xff.", "a whole number of -1 bytes"),
        (b"I" + b"9" * 5000 + b"\n.", "where a whole number was expected"),
        (b"\x80\x04h\x05.", "refers to value 5, which is not there"),
        (b"\x80\x04}", "are left"),
        (b"\x80\x04.", "ends with 0 values"),
        (b"\x80\x04}}.", "ends with 2 values"),
        (b"\x80\x04K\x01.", "it holds a int"),
        (b"\x80\x04u.", "a mark where there is none"),
        (b"\x80\x04s.", "takes a value where there is none"),
        (b"\x80\x04}]K\x01s.", "as a key"),
        (b"\x80\x04}(K\x01u.", "a key without a value"),
        (b"\xff", "is no letter of a pickle"),
        (b"", "are left"),
        (b"\x80\x04" + b"}" * (MOST_LETTERS + 5) + b".", "more than 1,000,000 steps"),
    ],
    ids=range(34),
)  # fmt: skip
def test_what_is_no_dict_of_arrays(content: bytes, words: str) -> None:
    with pytest.raises(PickleError, match=words):
        read_pickle(content)


# A type f4, little-endian, and the start of a dict with one array.
FLOATS = (
    b"\x8c\x05numpy\x8c\x05dtype\x93\x8c\x02f4\x89\x88\x87R(K\x03\x8c\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)
START = (
    b"\x80\x04}\x8c\x01a\x8c\x16numpy._core.multiarray\x8c\x0c_reconstruct\x93"
    b"\x8c\x05numpy\x8c\x07ndarray\x93K\x00\x85C\x01b\x87R"
)


def array_of(shape: bytes, content: bytes) -> bytes:
    """A dict with one array whose shape and content are given as letters."""
    return START + b"(K\x01" + shape + FLOATS + b"\x89" + content + b"tbs."


def test_declared_sizes_are_compared_with_what_is_there() -> None:
    assert read_pickle(array_of(b"K\x02\x85", b"C\x08" + bytes(8)))["a"].tolist() == [0.0, 0.0]
    huge = b"\x8a\x06\x00\x00\x00\x00\x00\x01"  # 2^40
    tracemalloc.start()
    for shape, words in (
        (huge + b"\x85", "needs 4,398,046,511,104 bytes, 8 are there"),
        (huge + huge + huge + b"\x87", "bytes, 8 are there"),
        (b"\x8a\x08" + b"\xff" * 7 + b"\x7f\x85", "damaged"),
        (b"J\xff\xff\xff\xff\x85", "damaged"),
        (b"\x88\x85", "damaged"),
        (b"(" + b"K\x01" * 40 + b"t", "damaged"),
        (b"G" + bytes(8) + b"\x85", "damaged"),
        (b"K\x03\x85", "needs 12 bytes, 8 are there"),
    ):
        with pytest.raises(PickleError, match=words):
            read_pickle(array_of(shape, b"C\x08" + bytes(8)))
    with pytest.raises(PickleError, match="bytes of numbers were expected"):
        read_pickle(array_of(b"K\x02\x85", b"]"))
    assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    tracemalloc.stop()


def test_dicts_in_themselves_and_laughing_dicts() -> None:
    itself: dict[str, Any] = {}
    itself["a"] = itself
    level: Any = {"x": 1.0}
    for _ in range(30):
        level = {"a": level, "b": level, "c": level}
    deep: dict[str, Any] = {}
    for _ in range(60):
        deep = {"a": deep}
    wide = {f"k{i}": {} for i in range(3000)}
    for value in (itself, level, deep, {f"m{i}": wide for i in range(3000)}):
        with pytest.raises(PickleError, match="nested too deeply, in themselves, or too many"):
            read_pickle(pickle.dumps(value))
    array = np.zeros(1000, "f4")
    with pytest.raises(PickleError, match="more bytes than four times the file's"):
        read_pickle(pickle.dumps({f"a{i}": array for i in range(300)}))


def damaged(content: bytes, rng: random.Random) -> bytes:
    """One of many ways to change a pickle: bytes, letters, lengths, names, cuts, and pieces moved, doubled or left out."""
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8])):
        place = rng.randrange(len(data))
        match rng.randrange(8):
            case 0:
                data[place] = rng.randrange(256)
            case 1:
                data[place] = rng.choice(
                    b"(.0123FIJKLMNPQRSTUVX\\]acbdeghijlopqrstu}\x80\x81\x82\x85\x87\x8a\x8b\x8c\x8e\x90\x92\x93\x94\x95\x97"
                )
            case 2:
                data = data[: place + 1]
            case 3:
                end = min(place + rng.randrange(1, 60), len(data))
                data[place:place] = data[place:end]
            case 4:
                del data[place : place + rng.randrange(1, 30)]
                data = data or bytearray(b".")
            case 5:
                names = [
                    b"posix",
                    b"system",
                    b"os",
                    b"builtins",
                    b"eval",
                    b"numpy",
                    b"load",
                    b"ndarray",
                    b"__class__",
                    b"O8",
                ]
                name = rng.choice(names)
                data[place:place] = b"\x8c" + bytes([len(name)]) + name
            case 6:
                data[place:place] = rng.choice(
                    [b"cos\nsystem\n", b"ios\nsystem\n", b"\x93", b"R", b"b", b"\x81", b"(", b"h\x02", b"\x85R"]
                )
            case 7:
                data[place : place + 8] = rng.choice([b"\xff" * 8, bytes(8), b"\xff\xff\xff\xff\xff\xff\xff\x7f"])
    return bytes(data)


WATCHED = (
    "import",
    "exec",
    "compile",
    "open",
    "os.",
    "subprocess.",
    "pickle.",
    "ctypes.",
    "socket.",
    "marshal.",
    "object.",
)
_seen: list[str] | None = None


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is not None and event.startswith(WATCHED):
        _seen.append(event)


def test_ten_thousand_damaged_files() -> None:
    """Each is read as arrays, or refused in words; none has anything imported, opened, called or looked up."""
    global _seen
    rng = random.Random(14)
    wholes = [pickle.dumps(tree_of(family, (1, 1, (2,), 2)), protocol=p) for family in FAMILIES for p in (0, 2, 4, 5)]
    wholes += [(HERE / f"{name}.pkl").read_bytes() for name in ("fql", "fql_frozen_bfloat16")]
    modules, counts = set(sys.modules), {"read": 0, "refused": 0}
    said: list[str] = []
    sys.addaudithook(_watch)
    for number in range(10_000):
        content = damaged(wholes[number % len(wholes)], rng)
        _seen = []
        try:
            found = read_pickle(content)
        except PickleError as error:
            counts["refused"] += 1
            said.append(str(error))
        else:
            counts["read"] += 1
            for value in found.values():
                assert type(value) in (np.ndarray, int, float, bool, str)
                assert type(value) is not np.ndarray or value.dtype.kind in "biuf"
        seen, _seen = _seen, None
        assert seen == [], number
    assert set(sys.modules) == modules
    assert all(words.isprintable() and len(words) < 3000 for words in said)
    assert counts["read"] > 500
    assert counts["refused"] > 5000


def test_the_watch_sees() -> None:
    global _seen
    sys.addaudithook(_watch)
    _seen = []
    pickle.loads(pickle.dumps(Calls(os.getcwd)))  # noqa: S301
    seen, _seen = _seen, None
    assert "pickle.find_class" in seen


def test_the_names_are_words() -> None:
    """What a file's names stand for cannot be called."""
    assert all(type(word) is str for word in NAMES.values())
