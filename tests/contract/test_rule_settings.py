"""One declaration of each setting: registry, meanings, bounds, and errors that name the cure."""

from pathlib import Path

import pytest

import workbench.engine.steering.rules as registry
from workbench.engine.models.parts import Parts
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.training.config import FitConfig
from workbench.engine.training.losses import LEARNED_PARTS

each_rule = pytest.mark.parametrize("name", RULES)


def test_every_file_is_registered_and_short() -> None:
    folder = Path(registry.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    modules = {rule.__module__.rsplit(".", 1)[1] for rule in RULES.values()}
    assert modules == files
    assert len(modules) == len(RULES)
    for path in (folder / f"{file}.py" for file in files):
        assert len(path.read_text(encoding="utf-8").splitlines()) < 60, path.name


@each_rule
def test_what_a_rule_says_about_itself(name: str) -> None:
    rule = RULES[name]
    assert rule.name == name
    for text in (rule.title, rule.paper, rule.equation, rule.__doc__):
        assert text
    known = set(Parts.__dataclass_fields__) | set(LEARNED_PARTS)
    assert set(rule.needs) <= known
    assert issubclass(rule, Rule)
    if rule.bc_at is None:  # steered in training: the setting that says how far is one of training's
        assert rule.trained_strength in FitConfig.model_fields
    heirs = [heir for heir in rule.__subclasses__() if heir.__module__.startswith("workbench.")]
    assert not heirs  # abstract or final


@each_rule
def test_every_setting_has_a_meaning_and_bounds(name: str) -> None:
    schema = RULES[name].model_json_schema()["properties"]
    default = make_rule(name)
    for key, field in schema.items():
        assert field["description"], key
        assert {"unit", "log", "default"} <= set(field), key
        if field.get("type") in ("integer", "number"):
            low, high, value = field["minimum"], field["maximum"], getattr(default, key)
            assert low < high
            assert low <= value <= high
            for end in (low, high):
                assert getattr(make_rule(name, **{key: end}), key) == end
            for bad in (low - 1, high + 1, float("nan"), "text", None):
                with pytest.raises(ValueError, match=f"setting '{key}' of rule '{name}'.*allowed: .* to "):
                    make_rule(name, **{key: bad})
        elif "enum" in field:
            for choice in field["enum"]:
                assert getattr(make_rule(name, **{key: choice}), key) == choice
            with pytest.raises(ValueError, match=f"setting '{key}' of rule '{name}'.*{field['enum'][0]}"):
                make_rule(name, **{key: "nonsense"})
        else:
            assert field["type"] == "boolean"


@each_rule
def test_rules_are_frozen_and_survive_json(name: str) -> None:
    rule = make_rule(name)
    assert RULES[name].model_validate_json(rule.model_dump_json()) == rule
    with pytest.raises(ValueError, match="frozen"):
        rule.particles = 3


def test_errors_name_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"no rule named 'qfg'; did you mean 'qgf'\?.*Known rules: bc, best_of_n"):
        make_rule("qfg")
    with pytest.raises(
        ValueError, match=r"rule 'qgf' has no setting 'wieght'; did you mean 'weight'\? It has: .*weight"
    ):
        make_rule("qgf", wieght=1.0)
    with pytest.raises(ValueError, match=r"'steps' of rule 'vgf'.*got 201 \(allowed: 0 to 200 steps\)"):
        make_rule("vgf", steps=201)
    with pytest.raises(ValueError, match=r"(?s)'steps' of rule 'vgf'.*'alpha' of rule 'vgf'"):
        make_rule("vgf", steps=-1, alpha=0.0)
