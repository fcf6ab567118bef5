"""Settings of a training run: declared once, validated, stored with the weights."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from workbench.engine.models.critic import Aggregate
from workbench.engine.settings import make
from workbench.engine.steering.ascent import Ascent
from workbench.engine.steering.kernel import Repulsion

CriticName = Literal["iql", "td_vgf", "td_actor"]


class FitConfig(BaseModel):
    """How to train a behaviour flow and a critic (methods.md, sections 1 to 3)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    critic: CriticName = Field(
        "iql",
        description="how the critic is trained: IQL, TD through the value gradient flow, or TD with an actor's own actions",
    )
    parts: tuple[str, ...] = Field((), description="learned parts beyond flow and critic that a rule needs")
    family: Literal["qgf", "vgf"] = Field(
        "qgf",
        description="networks: qgf (GELU, sinusoidal time, LayerNorm) or vgf (ReLU, raw time, LayerNorm in critics)",
    )
    hidden: tuple[Annotated[int, Field(ge=1, le=16_384)], ...] = Field(
        (512, 512, 512, 512), min_length=1, description="widths of the hidden layers"
    )
    members: int = Field(2, ge=1, le=16, description="critics K in the ensemble")
    steps: int = Field(100_000, ge=1, description="updates")
    batch_size: int = Field(256, ge=1, description="rows per update")
    learning_rate: float = Field(3e-4, gt=0.0, le=1.0, description="Adam's learning rate")
    schedule: Literal["constant", "cosine"] = Field("constant", description="learning rate over the run")
    discount: float = Field(0.99, ge=0.0, le=1.0, description="γ per environment step")
    n_step: int = Field(
        1, ge=1, le=100, description="environment steps of the n-step return; with chunks at least the chunk's own"
    )
    chunk: int = Field(
        1, ge=1, le=100, description="environment steps h of one action: h actions are decided at once, as h·D numbers"
    )
    tau: float = Field(0.005, gt=0.0, le=1.0, description="EMA rate of the target critic")
    reward_scale: float = Field(1.0, gt=0.0, description="rewards are multiplied by this")
    normalize_observations: bool = Field(
        True, description="subtract the data's mean and divide by its standard deviation"
    )
    expectile: float = Field(0.9, gt=0.0, lt=1.0, description="IQL, and td_loss expectile: τ_e")
    value_loss: Literal["expectile", "sql"] = Field(
        "expectile", description="IQL: expectile regression, or sparse Q-learning's weighting"
    )
    sql_alpha: float = Field(0.9, gt=0.0, description="IQL with value_loss sql, and td_loss sql: the temperature")
    value_aggregate: Aggregate = Field("min", description="IQL: how target critics are combined for the state value")
    reference: Literal["frozen", "joint"] = Field(
        "frozen",
        description="td_vgf: train the flow first and cache its samples (paper's text), or together (published code)",
    )
    reference_steps: int = Field(
        0, ge=0, description="td_vgf, frozen: updates of the flow before the critic; 0 means as many as steps"
    )
    flow_steps: int = Field(10, ge=1, le=100, description="Euler steps T of every flow that training samples")
    particles: int = Field(10, ge=1, le=1024, description="td_vgf: next-state particles N")
    transport_steps: int = Field(3, ge=0, le=100, description="td_vgf: L_train")
    ascent: Ascent = Field("adam", description="td_vgf: how a direction becomes a step")
    step_size: float = Field(0.1, ge=0.0, le=1.0, description="td_vgf: step size ε")
    alpha: float = Field(1.0, gt=0.0, description="td_vgf: temperature α")
    repulsion: Repulsion = Field("published", description="td_vgf: the force between particles")
    target_select: Literal["mean", "max"] = Field("mean", description="td_vgf: which particle's value is the target")
    target_aggregate: Aggregate = Field("min", description="td_vgf, td_actor: how target critics are combined")
    td_loss: Literal["square", "expectile", "sql"] = Field(
        "square", description="td_vgf, td_actor: how a TD residual counts by its sign"
    )
    actor: str = Field("fql", description="td_actor: the steering rule whose action at the next state is valued")
    actor_settings: dict[str, bool | int | float | str] = Field(
        {}, description='td_actor: settings of that rule, such as {"weight": 0.3}'
    )
    target_noise: float = Field(
        0.0, ge=0.0, le=1.0, description="td_actor: smoothing noise on the next action (ReBRAC: 0.2)"
    )
    critic_penalty: float = Field(
        0.0, ge=0.0, le=1e6, description="td_actor: weight β2 of the next action's distance to the data's (ReBRAC)"
    )
    actor_aggregate: Aggregate = Field(
        "mean", description="fql, edp, rebrac, qam: how online critics are combined for the actor to climb"
    )
    normalize_q: bool = Field(True, description="fql, edp, rebrac: divide Q by its mean magnitude in the batch")
    fql_alpha: float = Field(1.0, ge=0.0, le=1e6, description="fql: weight α of the distillation from the flow")
    edp_bc: float = Field(1.0, ge=0.0, le=1e6, description="edp: weight w_bc of flow matching")
    rebrac_bc: float = Field(1.0, ge=0.0, le=1e6, description="rebrac: weight β1 of the distance to the data's action")
    awr_temperature: float = Field(
        1.0, gt=0.0, le=1e6, description="iql: temperature α of exp(A/α), in units of the scaled Q"
    )
    qam_inverse_temperature: float = Field(
        1.0, ge=0.0, le=1e6, description="qam: inverse temperature 1/α of exp(Q/α); 0 is the behaviour flow"
    )
    unit_gradient: bool = Field(
        False, description="value_gradient: learn the gradient's direction alone, at unit length"
    )
    compile: bool = Field(
        False, description="compile the update (needs a C++ compiler; pays on long runs of small networks)"
    )
    seed: int = Field(0, ge=0, lt=2**31, description="fixes weights, minibatches and noise")


def make_config(**settings: Any) -> FitConfig:
    """Build a `FitConfig`; UserError says which setting is wrong, its bounds, and the nearest name."""
    return make(FitConfig, settings, "training", "training setting '{}'")
