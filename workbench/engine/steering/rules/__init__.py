"""The registry of steering rules: one file per rule, one line here."""

from workbench.engine.settings import make, nearest
from workbench.engine.steering.protocol import Rule, SettingValue
from workbench.engine.steering.rules.bc import BC
from workbench.engine.steering.rules.best_of_n import BestOfN
from workbench.engine.steering.rules.bptt import BPTT
from workbench.engine.steering.rules.cfgrl import CFGRL
from workbench.engine.steering.rules.dac import DAC
from workbench.engine.steering.rules.dsrl import DSRL
from workbench.engine.steering.rules.edp import EDP
from workbench.engine.steering.rules.fawac import FAWAC
from workbench.engine.steering.rules.fbrac import FBRAC
from workbench.engine.steering.rules.fql import FQL
from workbench.engine.steering.rules.grad_step import GradStep
from workbench.engine.steering.rules.idql import IDQL
from workbench.engine.steering.rules.iql import IQL
from workbench.engine.steering.rules.iql_flow import IQLFlow
from workbench.engine.steering.rules.noisy import Noisy
from workbench.engine.steering.rules.qam import QAM
from workbench.engine.steering.rules.qgf import QGF
from workbench.engine.steering.rules.qgf_chain import QGFChain
from workbench.engine.steering.rules.qgf_distilled import QGFDistilled
from workbench.engine.steering.rules.qgf_jacobian import QGFJacobian
from workbench.engine.steering.rules.qpilots_m import QPilotsM
from workbench.engine.steering.rules.qpilots_u import QPilotsU
from workbench.engine.steering.rules.qsm import QSM
from workbench.engine.steering.rules.rebrac import ReBRAC
from workbench.engine.steering.rules.robust_q import RobustQ
from workbench.engine.steering.rules.vgf import VGF
from workbench.engine.steering.rules.vgf_amortised import VGFAmortised
from workbench.engine.steering.rules.vgf_zero import VGFZero
from workbench.engine.words import UserError

# fmt: off
TEST_TIME: tuple[type[Rule], ...] = (
    BC, BestOfN, GradStep,
    QGF, QGFJacobian, QGFChain, QGFDistilled, BPTT, Noisy, QPilotsU, QPilotsM, RobustQ, CFGRL,
    VGF, VGFZero, VGFAmortised,
)
# fmt: on
# fmt: off
TRAIN_TIME: tuple[type[Rule], ...] = (
    FQL, EDP, ReBRAC, IQL, IDQL, QAM,
    DSRL, FBRAC, FAWAC, IQLFlow, DAC, QSM,
)
# fmt: on
RULES: dict[str, type[Rule]] = {rule.name: rule for rule in TEST_TIME + TRAIN_TIME}
"""Every steering rule by its name: first those that steer at test time, then those that are steered in training."""


def make_rule(name: str, **settings: SettingValue) -> Rule:
    """Build a rule by its name.

    Parameters
    ----------
    name : str
        One of `RULES`, such as "qgf".
    **settings : bool, int, float or str
        The rule's own fields, such as ``weight=3.0``; the others keep their defaults.

    Returns
    -------
    Rule

    Raises
    ------
    ValueError
        No rule or setting of this name, or a value out of its bounds; the message says the nearest name, or the bounds.
    """
    return make(find_rule(name), settings, f"rule '{name}'", f"setting '{{}}' of rule '{name}'")


def find_rule(name: str) -> type[Rule]:
    """The class of a rule by name; UserError names the nearest one when there is none."""
    if name not in RULES:
        raise UserError(f"no rule named '{name}'{nearest(name, list(RULES))} Known rules: {', '.join(RULES)}")
    return RULES[name]


__all__ = [
    "BC",
    "BPTT",
    "CFGRL",
    "DAC",
    "DSRL",
    "EDP",
    "FAWAC",
    "FBRAC",
    "FQL",
    "IDQL",
    "IQL",
    "QAM",
    "QGF",
    "QSM",
    "RULES",
    "VGF",
    "BestOfN",
    "GradStep",
    "IQLFlow",
    "Noisy",
    "QGFChain",
    "QGFDistilled",
    "QGFJacobian",
    "QPilotsM",
    "QPilotsU",
    "ReBRAC",
    "RobustQ",
    "VGFAmortised",
    "VGFZero",
    "find_rule",
    "make_rule",
]
