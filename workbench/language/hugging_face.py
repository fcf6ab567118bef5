"""From models of Hugging Face to something that can be steered: what is given is checked, and refused in words."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from workbench.engine.words import MissingExtraError, UserError, counted, shown
from workbench.language.responses import ROWS, LanguageModels


def from_transformers(
    policy: Any,
    reward: Any,
    tokenizer: Any = None,
    *,
    label: int | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    rows: int = ROWS,
) -> LanguageModels:
    """Steer a causal language model of Hugging Face by a reward model that shares its tokens, with no training.

    Parameters
    ----------
    policy, reward : PreTrainedModel or str
        A causal language model and a sequence classifier, or the folder or name of one. They are put in eval mode, and their
        weights stop asking for gradients.
    tokenizer : optional
        A tokenizer, or the folder or name of one; for text. With a name of ``policy`` it is read from there.
    label : int, optional
        Which of the classifier's outputs is the reward; needed where it has several.
    device : str or torch.device, optional
        Where both models go; without it they stay.
    dtype : torch.dtype, optional
        Of both models' weights, such as ``torch.bfloat16``; without it they keep theirs. Embeddings that are moved have 32 bits.
    rows : int
        How many responses go through a network at a time: fewer need less memory.

    Returns
    -------
    LanguageModels

    Raises
    ------
    MissingExtraError
        The extra ``language`` is not installed.
    UserError
        Not such models, their tokens are not the same, or it isn't known which output is the reward.

    Examples
    --------
    ::

        models = from_transformers(policy, reward, tokenizer)
        asked = models.ask(["The weather is"], particles=8, tokens=12, seed=0)
        rule = wb.make_rule("vgf", particles=8, steps=20, step_size=0.02, flow_steps=1)
        moved = wb.act(rule, asked.parts, asked.observations, asked.noise)
        print(models.spell(models.round(moved)))
    """
    if importlib.util.find_spec("transformers") is None:
        raise MissingExtraError(
            "language models of Hugging Face need the package transformers: pip install 'workbench[language]'"
        )
    if rows < 1:
        raise UserError(f"rows = {rows} must be at least 1: so many responses go through a network at a time")
    tokenizers = [_tokenizer(policy), _tokenizer(reward)]
    chosen = tokenizers[0] if tokenizer is None else _tokenizer(tokenizer) or tokenizer
    models = [_model(policy, "policy"), _model(reward, "reward")]
    known = [_vocabulary(one) for one in (*tokenizers, chosen) if one is not None]
    rows_of = [int(model.get_input_embeddings().weight.shape[0]) for model in models]
    vocabulary = _shared(rows_of[0], rows_of[1], known)
    outputs = int(models[1].config.num_labels)
    if (label is None and outputs != 1) or not 0 <= (label or 0) < outputs:
        raise UserError(
            f"the reward model has {counted(outputs, 'output')}; say which one is the reward: label=0"
            + (f" to label={outputs - 1}" if outputs > 1 else "")
        )
    if models[1].config.get_text_config().pad_token_id is None:
        raise UserError(
            "the reward model reads one response at a time only, since its config has no pad token: set "
            "reward.config.pad_token_id, for example to the end token's number"
        )
    for model in models:
        model.to(device=device, dtype=dtype)
        model.eval().requires_grad_(False)
    places = [model.get_input_embeddings().weight.device for model in models]
    if places[0] != places[1]:
        raise UserError(
            f"the policy is on {places[0]}, the reward model on {places[1]}; say where both go: device='{places[0]}'"
        )
    return LanguageModels(models[0], models[1], chosen, vocabulary, label or 0, rows)


def _model(given: Any, role: str) -> Any:
    """The model itself, read from its folder where a name is given; refused where it is another kind of thing."""
    import transformers

    policy = role == "policy"
    kind = transformers.AutoModelForCausalLM if policy else transformers.AutoModelForSequenceClassification
    model = _read(kind, given, use_safetensors=True) if isinstance(given, str) else given
    able = isinstance(model, transformers.PreTrainedModel)
    wanted = "ForCausalLM" if policy else "ForSequenceClassification"
    if not able or not (model.can_generate() if policy else type(model).__name__.endswith(wanted)):
        raise UserError(
            f"the {role} must be a model of transformers (…{wanted}) or its folder, got {type(model).__name__}"
        )
    return model


def _tokenizer(given: Any) -> Any:
    """The tokenizer in a model's folder; None for a model itself."""
    import transformers

    return _read(transformers.AutoTokenizer, given) if isinstance(given, str) else None


def _read(kind: Any, name: str, **settings: Any) -> Any:
    """What ``name`` holds of ``kind``: plain arrays for weights, and none of the code that may lie beside them."""
    try:
        return kind.from_pretrained(name, trust_remote_code=False, **settings)
    except (OSError, ValueError) as error:
        why = str(error).strip().partition("\n")[0]
        raise UserError(
            f"{shown(name)} cannot be read ({why}); name a folder as save_pretrained writes it, with weights as .safetensors "
            "(pickled ones are not opened, and code in a model's folder is not run), or give the model itself"
        ) from None


def _vocabulary(tokenizer: Any) -> Mapping[str, int]:
    words: Mapping[str, int] = tokenizer.get_vocab()
    return words


def _shared(policy: int, reward: int, tokenizers: Sequence[Mapping[str, int]]) -> int:
    """V: how many tokens both models know, from the rows of their tables and the tokenizers that are at hand."""
    for other in tokenizers[1:]:
        if other != tokenizers[0]:
            odd = sorted(dict(tokenizers[0].items() ^ other.items()))[:3]
            raise UserError(
                f"policy and reward model have different tokens (for example {', '.join(map(shown, odd))}): embeddings that one "
                "moves mean nothing to the other. Take a reward model that was trained from the same family"
            )
    if not tokenizers:
        if policy != reward:
            raise UserError(
                f"policy and reward model must share their tokens: the policy's table has {policy:,} rows, the reward model's "
                f"{reward:,}. If only padding differs, give the tokenizer: from_transformers(policy, reward, tokenizer=…)"
            )
        return policy
    known = 1 + max(tokenizers[0].values())
    if known > min(policy, reward):
        raise UserError(
            f"the tokenizer has {known:,} tokens, but the policy's table has {policy:,} rows and the reward model's {reward:,}: "
            "it belongs to another model"
        )
    return known
