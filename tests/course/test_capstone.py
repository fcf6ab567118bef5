"""The board: what is edited is played again or refused, names belong to whoever came first, and the table tells chance."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import workbench as wb
from workbench.course import board, judge
from workbench.course.collect import collect
from workbench.course.desk import ANSWERS, INBOX, Desk, answer_to, hand_in
from workbench.course.judge import Judge
from workbench.course.names import new_token
from workbench.course.record import empty, read, write
from workbench.course.result import LIMIT, TO_BEAT, Result, ranks
from workbench.course.submission import Submission, read_submission, submission_of

QGF = submission_of(wb.make_rule("qgf", weight=0.1))


def result(submission, mean=0.7, shift=0.05, plan=None, fault=""):
    rng = np.random.default_rng(0)
    returns = (rng.random(400) < mean).astype(float).tolist()
    three = (shift, shift, shift)
    where = judge.ground(plan) if plan else "here"
    return Result(digest=submission.digest(), ground=where, returns=returns, shift=three, own_shift=three, fault=fault)


@pytest.fixture
def played(monkeypatch):
    """The meter is tested elsewhere: here a list of what was played."""
    calls = []

    def play(submission, plan, limits=None):
        calls.append(submission)
        return result(submission, plan=plan)

    monkeypatch.setattr(judge, "play", play)
    monkeypatch.setattr(board, "play", play)
    return calls


@pytest.fixture
def teacher(tmp_path):
    return Judge(tmp_path / "teacher")


# Submissions


def test_another_source_or_setting_is_another_submission_and_the_words_are_not():
    one = Submission(rule="A", source="class A: pass", settings={"weight": 0.1}, words="a")
    assert one.digest() == one.model_copy(update={"words": "b"}).digest()
    others = [{"source": "class A: ..."}, {"settings": {"weight": 0.2}}, {"rule": "B"}]
    assert len({one.digest(), *(one.model_copy(update=other).digest() for other in others)}) == 4


def cell(source, name="<cell-1>"):
    """Run a notebook's cell, as IPython does: its text is kept for those who ask for the source."""
    import linecache

    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    space = {"__name__": "__main__", "wb": wb}
    exec(compile(source, name, "exec"), space)  # noqa: S102 -- it is a cell
    return space


RULE = """\
from __future__ import annotations

import torch

STRONG = 2.0
seen = print("on the screen only")


def twice(g):
    return STRONG * g


class Mine(wb.RULES["qgf"]):
    name = "mine"

    def guidance(self, parts, rows, actions, velocity, t):
        g, q, clean = super().guidance(parts, rows, actions, velocity, t)
        return twice(g), q, clean


print("also on the screen")
"""


def test_a_rule_of_a_notebook_is_handed_in_as_the_source_of_its_cell(capsys):
    made = submission_of(cell(RULE)["Mine"](weight=0.2))
    assert made.rule == "Mine"
    assert "STRONG = 2.0" in made.source
    assert "def twice" in made.source
    assert "print" not in made.source
    assert len(made.source) < len(RULE)
    assert made.words == "mine weight=0.2"
    edited = submission_of(cell(RULE.replace("2.0", "3.0"), "<cell-2>")["Mine"](weight=0.2))
    assert edited.digest() != made.digest()


def test_a_rule_that_stands_on_another_cells_rule_brings_both():
    first = cell(RULE)
    second = "class More(Mine):\n    name = 'more'\n\n    def ticks(self):\n        return 10\n"
    import linecache

    linecache.cache["<cell-9>"] = (len(second), None, second.splitlines(True), "<cell-9>")
    exec(compile(second, "<cell-9>", "exec"), first)  # noqa: S102
    source = submission_of(first["More"]()).source
    assert source.index("class Mine") < source.index("class More")


def test_a_built_in_rule_that_was_changed_in_the_notebook_is_played_as_it_is_in_the_workbench(monkeypatch):
    monkeypatch.setattr(wb.RULES["qgf"], "guidance", lambda *_: None)
    assert submission_of(wb.make_rule("qgf")).source == ""


@pytest.mark.parametrize(
    "found", [None, [], {}, {"rule": 3}, {"rule": "a", "more": 1}, {"rule": "a", "source": "x" * 70_000}]
)
def test_what_is_no_submission_is_refused_in_words(found):
    with pytest.raises(ValueError, match="this is no submission"):
        read_submission(found)


# Seals


def test_a_result_is_played_once_and_an_edited_or_damaged_one_again(teacher, played):
    first = teacher.result(QGF)
    assert teacher.result(QGF) == first
    assert len(played) == 1
    [place] = (teacher.home / "results").iterdir()
    good = place.read_text()
    better = json.loads(good)
    better["content"]["returns"] = [1.0] * 400
    forged = [
        json.dumps(better),
        json.dumps(better | {"seal": "0" * 64}),
        json.dumps(better | {"seal": json.loads(good)["seal"]}),
        json.dumps(better | {"seal": "é"}),
        json.dumps(better["content"]),
        good[:-30],
        "",
        "[]",
    ]
    for times, text in enumerate(forged, 2):
        place.write_text(text)
        assert teacher.result(QGF) == first
        assert len(played) == times, text[-60:]


def test_a_result_of_another_submission_or_another_board_does_not_count(teacher, played, tmp_path):
    teacher.result(QGF)
    [place] = (teacher.home / "results").iterdir()
    sealed = place.read_text()
    other = submission_of(wb.make_rule("qgf", weight=0.2))
    teacher.result(other)
    [second] = set((teacher.home / "results").iterdir()) - {place}
    second.write_text(sealed)  # sealed, but of something else
    assert teacher.result(other).digest == other.digest()
    stranger = Judge(tmp_path / "stranger")
    (stranger.home / "results").mkdir()
    (stranger.home / "results" / place.name).write_text(sealed)
    before = len(played)
    stranger.result(QGF)
    assert len(played) == before + 1


def test_boards_play_episodes_of_their_own_and_the_preview_plays_others(teacher, tmp_path):
    again, other = Judge(teacher.home), Judge(tmp_path / "other")
    assert again.plan == teacher.plan
    seeds = [set(one) for one in (teacher.plan.seeds, other.plan.seeds, judge.PREVIEW.seeds)]
    assert not (seeds[0] & seeds[1]) | (seeds[0] & seeds[2])
    assert len(seeds[0]) == judge.SEEDS
    assert (teacher.home / "key").stat().st_mode & 0o077 == 0


def test_one_key_though_two_make_it_at_once(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        plans = list(pool.map(lambda _: Judge(tmp_path / "new").plan, range(16)))
    assert len(set(plans)) == 1


# The board's folder


def desk_of(tmp_path, teacher):
    return Desk(tmp_path / "shared", teacher)


def test_two_people_hand_in_and_neither_overwrites_the_other(tmp_path, teacher, played):
    desk, tokens = desk_of(tmp_path, teacher), [new_token(), new_token()]
    handles = [hand_in(desk.folder, "Ann", tokens[0], QGF), hand_in(desk.folder, "ann ", tokens[1], QGF)]
    handles.append(hand_in(desk.folder, "Bob", tokens[1], QGF))
    assert answer_to(desk.folder, handles[0]) is None
    list(desk.turn())
    answers = [answer_to(desk.folder, handle) for handle in handles]
    assert [answer["good"] for answer in answers] == [True, False, True]
    assert "somebody else's" in answers[1]["text"]
    table = (desk.folder / "table.json").read_text()
    assert [row["who"] for row in json.loads(table)["rows"]] == ["Ann", "Bob"]
    assert len(played) == 1  # the same rule is played once
    public = table + "".join(path.read_text() for path in (desk.folder / ANSWERS).iterdir())
    assert not any(word in public for word in (*tokens, teacher._key.hex(), str(teacher.plan.seeds[0])))
    assert not list((desk.folder / INBOX).iterdir())
    assert (desk.folder / INBOX).stat().st_mode & 0o777 == 0o733  # others put something in, and see nothing


def test_a_strict_umask_on_either_side_keeps_the_board_working(tmp_path, teacher, played):
    before = os.umask(0o077)
    try:
        desk = desk_of(tmp_path, teacher)
        handle = hand_in(desk.folder, "Ann", new_token(), QGF)
        assert (desk.folder / INBOX / f"{handle}.json").stat().st_mode & 0o044 == 0o044
        list(desk.turn())
    finally:
        os.umask(before)
    for place in (desk.folder / "table.json", desk.folder / ANSWERS / f"{handle}.json"):
        assert place.stat().st_mode & 0o044 == 0o044


RUBBISH = (
    "{", "[]", "null", "[" * 100_000, "x" * 300_000,
    '{"participant": "x"}', '{"participant": "x", "token": "y", "submission": {}}',
)  # fmt: skip


@pytest.mark.parametrize("text", RUBBISH, ids=range(len(RUBBISH)))
def test_rubbish_in_the_inbox_is_refused_and_the_board_goes_on(tmp_path, teacher, played, text):
    desk = desk_of(tmp_path, teacher)
    (desk.folder / INBOX / "a.json").write_text(text)
    handle = hand_in(desk.folder, "Ann", new_token(), QGF)
    said = list(desk.turn())
    assert len(said) == 2
    assert answer_to(desk.folder, handle)["good"]


def test_an_entry_edited_by_hand_leaves_the_table_and_an_edited_table_is_written_anew(tmp_path, teacher, played):
    desk = desk_of(tmp_path, teacher)
    hand_in(desk.folder, "Ann", new_token(), QGF)
    list(desk.turn())
    (desk.folder / "table.json").write_text('{"rows": []}')
    again = Desk(desk.folder, Judge(teacher.home))
    assert [row["who"] for row in json.loads((desk.folder / "table.json").read_text())["rows"]] == ["Ann"]
    [entry] = (teacher.home / "entries").iterdir()
    entry.write_text(entry.read_text().replace("Ann", "Bob"))
    assert again.entries() == []


def test_a_key_in_the_shared_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="one must not lie in the other"):
        Desk(tmp_path / "shared", Judge(tmp_path / "shared" / "teacher"))


# In the notebook


@pytest.fixture
def alone(tmp_path, monkeypatch):
    (tmp_path / "ann").mkdir()
    monkeypatch.chdir(tmp_path / "ann")
    monkeypatch.delenv(board.SHARED, raising=False)
    write(empty("Ann"))


def test_without_a_board_it_is_a_preview_and_says_so(alone, played):
    table = wb.course.score("qgf", weight=0.1)
    assert "Preview" in repr(table)
    assert "Preview" in table._repr_html_()
    wb.course.score("qgf", weight=0.1)
    assert len(played) == 1
    wb.course.score("qgf", weight=0.2)
    assert len(played) == 2
    assert len(read()["scores"]) == 2


def test_an_edited_rule_of_the_same_name_is_scored_again(alone, played):
    for number, strength in enumerate(("2.0", "3.0", "3.0"), 1):
        wb.course.score(cell(RULE.replace("2.0", strength), f"<cell-{number}>")["Mine"](weight=0.2))
    assert len(played) == 2
    assert len(read()["scores"]) == 2


def test_with_a_board_the_notebook_shows_what_the_board_measured(alone, tmp_path, teacher, played, monkeypatch):
    desk = desk_of(tmp_path, teacher)
    monkeypatch.setenv(board.SHARED, str(desk.folder))
    monkeypatch.setattr(board, "PATIENCE", 0.0)
    waiting = wb.course.score("qgf", weight=0.1)
    assert "not answered yet" in waiting.says
    assert played == []
    list(desk.turn())
    assert [row["who"] for row in wb.course.scoreboard().rows] == ["Ann"]
    monkeypatch.setattr(board, "PATIENCE", 30.0)
    write(read() | {"token": new_token()})  # somebody else under the same name
    with ThreadPoolExecutor(1) as pool:
        score = pool.submit(wb.course.score, "qgf", weight=0.1)
        while not list(desk.turn()):
            pass
        with pytest.raises(ValueError, match="somebody else's"):
            score.result()


def test_records_of_older_versions_still_open(alone):
    write(empty("Ann") | {"scores": [{"rule": "qgf", "return": 0.9, "w2": 0.01, "valid": True}]})
    assert wb.course.scoreboard().rows == ()


@pytest.mark.parametrize("thing", [3, None, wb.RULES["qgf"]])
def test_what_is_no_rule_is_refused_in_words(alone, thing):
    with pytest.raises(ValueError, match="score takes a rule"):
        wb.course.score(thing)


# The instructor's table


def test_collect_believes_no_number_in_a_record(tmp_path, teacher, played):
    liar = result(QGF, mean=1.0, shift=0.0).model_dump(mode="json")
    tries = [
        {
            "submission": QGF.model_dump(mode="json"),
            "digest": QGF.digest(),
            "preview": liar,
            "return": 1.0,
            "valid": True,
        }
    ]
    for name, scores in (("ann", tries), ("bob", []), ("cyd", [{"return": 1.0, "valid": True}, *tries])):
        (tmp_path / "class" / name).mkdir(parents=True)
        write(empty(name) | {"scores": scores}, tmp_path / "class" / name)
    rows = {row["participant"]: row for row in collect([tmp_path / "class"], teacher)}
    honest = teacher.result(QGF).interval().mean
    assert rows["ann"]["best_score"] == rows["cyd"]["best_score"] == round(honest, 4) < 1.0
    assert rows["bob"]["best_score"] == ""
    assert "1 of the tries cannot be read" in rows["cyd"]["note"]
    assert rows["ann"]["place"] == rows["cyd"]["place"] == 1
    assert all(row["best_score"] == "" for row in collect([tmp_path / "class"]))


# Places


def of_returns(returns, shift=0.05):
    three = (shift, shift, shift)
    return Result(digest="d", ground="g", returns=list(returns), shift=three, own_shift=three)


def test_places_are_shared_where_chance_could_turn_them(rng):
    base = (rng.random(2000) < 0.7).astype(float)
    a_bit = base.copy()
    a_bit[:20] = 1.0 - a_bit[:20]
    clearly = np.maximum(base, (rng.random(2000) < 0.2).astype(float))
    assert ranks([of_returns(base), of_returns(a_bit), of_returns(clearly)]) == [2, 2, 1]
    assert ranks([of_returns(base), of_returns(base)]) == [1, 1]
    assert ranks([of_returns(clearly, shift=LIMIT + 0.01), of_returns(base)]) == [None, 1]
    assert ranks([]) == []


def test_the_bar_is_beaten_by_a_whole_interval_within_both_limits():
    high, near = [1.0] * 900 + [0.0] * 100, [1.0] * 770 + [0.0] * 230
    assert np.mean(near) > TO_BEAT
    assert of_returns(high).beaten
    assert not of_returns(near).beaten
    assert not of_returns(high, shift=LIMIT + 0.001).beaten
    own = of_returns(high).model_copy(update={"own_shift": (LIMIT + 0.001,) * 3})
    assert not own.valid
    assert not own.beaten
