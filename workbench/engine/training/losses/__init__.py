"""The losses, one file each, and their registry: a file and a line here are all that a loss needs.

From these tables come the settings of a run (`workbench.engine.training.config`), its networks
(`workbench.engine.training.build`) and the order of its updates (`workbench.engine.training.plan`).
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import MutableMapping
from typing import Any

from workbench.engine.training.losses.adjoint_flow import AdjointFlow
from workbench.engine.training.losses.awr_actor import AWRActor
from workbench.engine.training.losses.behaviour import BehaviourLoss
from workbench.engine.training.losses.conditioned_flow import ConditionedFlow
from workbench.engine.training.losses.critic import CriticLoss
from workbench.engine.training.losses.diffusion import DAC, QSM
from workbench.engine.training.losses.distilled_gradient import DistilledGradient
from workbench.engine.training.losses.dqc import DQC
from workbench.engine.training.losses.edp_flow import EDPFlow
from workbench.engine.training.losses.fawac_flow import FAWACFlow
from workbench.engine.training.losses.fbrac_flow import FBRACFlow
from workbench.engine.training.losses.floq import Floq
from workbench.engine.training.losses.flow_matching import FlowMatching
from workbench.engine.training.losses.gaussian import Gaussian
from workbench.engine.training.losses.iql import IQL
from workbench.engine.training.losses.iql_flow import IQLFlow
from workbench.engine.training.losses.loss import Loss
from workbench.engine.training.losses.mean_flow import MeanFlow
from workbench.engine.training.losses.noise_policy import NoisePolicyLoss
from workbench.engine.training.losses.one_step import OneStep
from workbench.engine.training.losses.rebrac_actor import ReBRACActor
from workbench.engine.training.losses.robust_critic import RobustCritic
from workbench.engine.training.losses.state_value import StateValueLoss
from workbench.engine.training.losses.td_actor import TDActor
from workbench.engine.training.losses.td_vgf import TDVGF
from workbench.engine.training.losses.value_gradient import AmortisedGradient

# The state value is trained beside a critic that has none, where a learned part reads it.
BASIC: dict[str, type[Loss[Any]]] = {
    "state_value": StateValueLoss,
}
# The ways to train the behaviour policy, by the values of the setting ``behaviour``.
BEHAVIOURS: dict[str, type[BehaviourLoss[Any]]] = {
    "flow_matching": FlowMatching,
    "mean_flow": MeanFlow,
    "gaussian": Gaussian,
}
# The ways to train the critic, by the values of the setting ``critic``.
CRITICS: dict[str, type[CriticLoss[Any]]] = {
    "iql": IQL,
    "td_vgf": TDVGF,
    "td_actor": TDActor,
    "floq": Floq,
    "dqc": DQC,
}
# Learned parts, by the names under which rules need them; trained when asked for.
LEARNED_PARTS: dict[str, type[Loss[Any]]] = {
    "robust_critic": RobustCritic,
    "conditioned_flow": ConditionedFlow,
    "value_gradient": AmortisedGradient,
    "one_step": OneStep,
    "edp_flow": EDPFlow,
    "rebrac_actor": ReBRACActor,
    "awr_actor": AWRActor,
    "adjoint_flow": AdjointFlow,
    "noise_policy": NoisePolicyLoss,
    "fbrac_flow": FBRACFlow,
    "fawac_flow": FAWACFlow,
    "iql_flow": IQLFlow,
    "dac_actor": DAC,
    "qsm_actor": QSM,
    "distilled_gradient": DistilledGradient,
}
LOSSES: MutableMapping[str, type[Loss[Any]]] = ChainMap(BASIC, BEHAVIOURS, CRITICS, LEARNED_PARTS)  # type: ignore[arg-type]
