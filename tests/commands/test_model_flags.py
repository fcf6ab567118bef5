"""Settings are declared once, in their models: each field is a flag with the model's default, bounds and meaning."""

import inspect
import re
from collections.abc import Callable

import pytest
from commands.running import Command, check

from workbench.commands import COMMANDS
from workbench.commands.model_flags import Source, read_given, spelled, with_flags
from workbench.engine.settings import limits

SOURCES: dict[str, Source] = {
    name: command.settings_source for name, command in COMMANDS.items() if hasattr(command, "settings_source")
}
# Fields that a command takes in a form of its own, and the flag that does.
OTHERWISE = {
    ("online", "settings"): "--set",
    ("sweep", "tasks"): "--task",
    ("sweep", "rules"): "--rule",
    ("sweep", "axes"): "--grid",
    ("sweep", "seeds"): "--seeds",
    ("sweep", "data"): "--data",
}


def words(text: str) -> str:
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


def test_which_commands_have_a_model() -> None:
    assert set(SOURCES) == {"evaluate", "fit", "online", "sweep", "tune"}


@pytest.mark.parametrize("name", SOURCES)
def test_each_field_is_a_flag_with_the_models_own_words(command: Command, name: str) -> None:
    shown = words(command(name, "--help").out)
    source = SOURCES[name]
    for field, about in source.model().model_fields.items():
        if (name, field) in OTHERWISE:
            assert OTHERWISE[name, field] in shown
            continue
        switch = about.default is True
        flag = spelled(f"no_{field}" if switch else field)
        assert f"{flag} " in shown, f"{name} has no flag {flag}"
        assert about.description, f"{field} has no meaning"
        assert words(about.description) in shown
        default = source.otherwise.get(field, about.default)
        if not isinstance(default, bool) and default is not None and not isinstance(about.default, tuple):
            assert f"default: {default}" in shown, field
        if bounds := limits(source.model(), field):
            assert f"{bounds})" in shown, field


@pytest.mark.parametrize("name", SOURCES)
def test_no_command_restates_a_setting(name: str) -> None:
    given = COMMANDS[name]
    assert callable(given)
    restated = set(inspect.signature(given).parameters) & set(SOURCES[name].fields())
    assert restated == set()


def test_only_what_was_given_is_passed_on() -> None:
    fit: Callable = with_flags(COMMANDS["fit"])  # type: ignore[arg-type]
    switches = inspect.signature(fit).parameters["given"].default
    assert read_given(fit, switches) == {}
    assert read_given(fit, switches | {"tau": 0.01, "normalize_observations": False}) == {
        "tau": 0.01,
        "normalize_observations": False,
    }


def test_flags_and_their_bounds(command: Command, inside: object) -> None:
    fit = ("fit", "three_exits", "--out", "r")
    check(command(*fit, "--tau", "2"), "'tau'", "got 2", "allowed: above 0, at most 1")
    check(command(*fit, "--hidden", "16", "0"), "'hidden'", "allowed: at least 1")
    check(command(*fit, "--tau", "0.1", "--set", "tau=0.2"), "tau is given twice: --tau 0.1 and --set tau=0.2")
    check(command(*fit, "--actor-settings", "weight"), "--actor-settings takes JSON")
    check(command(*fit, "--critic", "td_actor", "--rule", "qgf", "--actor-settings", '{"wieght": 1}'), "'weight'")
