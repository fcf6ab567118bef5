"""The equation beside its code comes from the source."""

import inspect

import pytest

import workbench as wb
from workbench.plots.still import png


def test_a_rules_own_lines_stand_beside_its_equation():
    side = wb.course.source(wb.RULES["qgf"].guidance)
    assert side.equation == wb.RULES["qgf"].equation
    assert "clean = (actions + (1.0 - t) * velocity).clamp(-1.0, 1.0)" in side.code
    assert '"""' not in side.code
    assert side.where.startswith("workbench/engine/steering/rules/qgf.py, line ")
    for line in side.code.splitlines():
        assert line.strip() in inspect.getsource(wb.RULES["qgf"].guidance)
    html = side._repr_html_()
    assert "<math" in html
    assert "http" not in html.replace("http://www.w3.org", "")


def test_the_equation_of_a_functions_docstring_or_of_the_caller():
    from workbench.engine.training.losses.flow_matching import flow_matching_loss

    side = wb.course.source(flow_matching_loss)
    assert side.equation.startswith(r"\| v(s, x_t, t)")
    assert "torch.lerp" in side.code
    assert wb.course.source(flow_matching_loss, r"a + b").equation == "a + b"


def test_what_has_no_source_or_no_equation():
    with pytest.raises(ValueError, match="cannot be found"):
        wb.course.source(len)
    with pytest.raises(ValueError, match="states no equation"):
        wb.course.source(png)
