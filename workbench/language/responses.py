"""Language models of Hugging Face: a policy writes responses, and a reward model's gradient moves their embeddings.

What is moved is a response as the *reward model's* token embeddings, R tokens of E numbers; the prompt stays. All embeddings are
divided by the largest number in the table, so that a response is an action in [-1, 1]^D with D = R · E, and every rule that
steers finished actions runs on it as it is: a response that the policy drew stands where noise stands for other policies, and
the behaviour flow leaves it there. Afterwards each embedding becomes the nearest token.

Shapes: B prompts, N responses to each, R tokens of a response, E numbers of an embedding, M rows, P tokens of a prompt, V tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from workbench.engine.models.critic import Aggregate
from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import Noise
from workbench.engine.words import UserError

ROWS = 16  # that go through a network at a time
LONGEST = 4096  # tokens of a response
NEAREST = 2**24  # distances to tokens that are held at a time


class Still(nn.Module):
    """A behaviour flow that leaves every action where it begins: responses are drawn beforehand (a `Reference`).

    Parameters
    ----------
    device : torch.device
        Where the responses are.
    """

    here: Tensor

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.register_buffer("here", torch.zeros((), device=device))

    def forward(self, observations: Tensor, actions: Tensor, t: Tensor) -> Tensor:
        """Zeros (M, D)."""
        return torch.zeros_like(actions)


class RewardOfEmbeddings:
    """A critic Q(prompt's number, response): what the reward model says of a prompt with a response as embeddings.

    Rows of equal length go through the network together, so that nothing is padded and no mask is needed; no more than
    ``rows`` at a time, and a gradient's graph is dropped before the next ones.

    Parameters
    ----------
    read : callable
        Embeddings (M, P + R + 1, E) to rewards (M,), differentiable.
    prompts : sequence of Tensor
        Embeddings (P, E) of each prompt; P may differ.
    end : Tensor
        (0, E) or (1, E): what follows every response.
    scale : float
        Of an embedding, over that of an action.
    rows : int
    """

    def __init__(
        self, read: Callable[[Tensor], Tensor], prompts: Sequence[Tensor], end: Tensor, scale: float, rows: int
    ) -> None:
        self._read, self._prompts, self._end, self._scale, self._rows = read, prompts, end, scale, rows

    def __call__(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Rewards (M,) of actions (M, D) at prompts' numbers (M, 1)."""
        found = actions.new_zeros(len(actions))
        for rows in self._equally_long(observations):
            found = found.index_put((rows,), self._of(observations[rows], actions[rows]))
        return found

    def value_and_grad(self, observations: Tensor, actions: Tensor, how: Aggregate) -> tuple[Tensor, Tensor]:
        """Rewards (M,) and the gradient (M, D) of their sum; of one reward model ``how`` is of no account."""
        values, slopes = actions.new_zeros(len(actions)), torch.zeros_like(actions)
        for rows in self._equally_long(observations):
            with torch.enable_grad():
                leaf = actions[rows].detach().requires_grad_()
                value = self._of(observations[rows], leaf)
                (slope,) = torch.autograd.grad(value.sum(), leaf)
            values[rows], slopes[rows] = value.detach(), slope
        return values, slopes

    def _of(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Rewards of rows whose prompts are equally long."""
        prompts = torch.stack([self._prompts[which] for which in _numbers(observations)])
        responses = (self._scale * actions).unflatten(1, (-1, prompts.shape[2])).to(prompts.dtype)
        whole = torch.cat((prompts, responses, self._end.expand(len(actions), -1, -1)), 1)
        return self._read(whole).to(actions.dtype)

    def _equally_long(self, observations: Tensor) -> Iterator[Tensor]:
        lengths = [len(self._prompts[which]) for which in _numbers(observations)]
        for length in sorted(set(lengths)):
            rows = [row for row, own in enumerate(lengths) if own == length]
            yield from torch.tensor(rows, device=observations.device).split(self._rows)


def _numbers(observations: Tensor) -> list[int]:
    numbers: list[int] = observations[:, 0].round().long().tolist()
    return numbers


@dataclass(frozen=True)
class Asked:
    """Prompts with the responses that the policy drew: what `act` and `steer` take.

    Attributes
    ----------
    prompts : tuple of Tensor
        B times the tokens (P,) of a prompt.
    tokens : Tensor
        (B, N, R), the responses.
    parts : Parts
        A behaviour flow that stands still, and the reward model as critic.
    observations : Tensor
        (B, 1), the prompts' numbers.
    noise : Noise
        Its ``start`` (B, N, D) are the responses as actions.
    """

    prompts: tuple[Tensor, ...]
    tokens: Tensor
    parts: Parts
    observations: Tensor
    noise: Noise


class LanguageModels:
    """A policy and a reward model that share their tokens.

    Parameters
    ----------
    policy, reward
        A causal language model and a sequence classifier of ``transformers``.
    tokenizer
        Turns text into tokens and back; without it prompts are tokens.
    vocabulary : int
        V, tokens that both know.
    label : int
        Which of the reward model's outputs is the reward.
    rows : int
        Rows that go through a network at a time.
    """

    def __init__(self, policy: Any, reward: Any, tokenizer: Any, vocabulary: int, label: int, rows: int) -> None:
        self.policy, self.reward, self.tokenizer = policy, reward, tokenizer
        self.table: Tensor = reward.get_input_embeddings().weight.detach()[:vocabulary]  # (V, E)
        self.scale = float(self.table.abs().max())
        self._label, self._rows = label, rows
        end = policy.config.eos_token_id
        self.end: int | None = end[0] if isinstance(end, list) else end

    def ask(
        self,
        prompts: Sequence[str | Tensor],
        particles: int,
        tokens: int,
        seed: int,
        temperature: float = 1.0,
    ) -> Asked:
        """Let the policy draw ``particles`` responses of ``tokens`` tokens to each of ``prompts``, texts or tokens (P,).

        Every response has the same number of tokens, so that they can be compared number by number: the policy's end
        token is not drawn, and where there is one it follows every response when the reward model reads it.

        Raises
        ------
        UserError
            No prompt, an empty one, text without a tokenizer, a token that is not known, or a number out of range.
        """
        if not 1 <= tokens <= LONGEST or not 1 <= particles <= 1024 or not temperature > 0:
            raise UserError(
                f"responses need 1 to {LONGEST:,} tokens, 1 to 1,024 particles and a temperature above 0, "
                f"got tokens = {tokens}, particles = {particles}, temperature = {temperature:g}"
            )
        read = tuple(self._prompt(which, prompt) for which, prompt in enumerate(prompts))
        if not read:
            raise UserError("there is no prompt; give one at least, such as ask(['To bake bread,'], …)")
        device = self.table.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            drawn = torch.stack([self._draw(prompt, particles, tokens, temperature) for prompt in read])
        observations = torch.arange(len(read), dtype=torch.float32, device=device)[:, None]
        end = self.table[[] if self.end is None else [self.end]]
        critic = RewardOfEmbeddings(self._read, [self.table[prompt] for prompt in read], end, self.scale, self._rows)
        start = self.embed(drawn)
        parts = Parts(1, start.shape[-1], Still(device), critic)
        choice = torch.rand(start.shape[:2], generator=torch.Generator().manual_seed(seed)).to(device)
        return Asked(read, drawn, parts, observations, Noise(start, choice))

    def embed(self, tokens: Tensor) -> Tensor:
        """The actions (…, D) of responses (…, R), as 32-bit numbers, or as 64-bit ones where the reward model's are."""
        wide = torch.float64 if self.table.dtype == torch.float64 else torch.float32
        return (self.table[tokens].to(wide) / self.scale).flatten(-2)

    @torch.no_grad()
    def round(self, actions: Tensor) -> Tensor:
        """The responses (…, R) whose embeddings are nearest to ``actions`` (…, D)."""
        table = self.table.to(actions.dtype)
        points = (self.scale * actions).unflatten(-1, (-1, table.shape[1]))
        pieces = points.flatten(0, -2).split(max(1, NEAREST // len(table)))
        return torch.cat([torch.cdist(piece, table).argmin(1) for piece in pieces]).view(points.shape[:-1])

    def rewards(self, asked: Asked, tokens: Tensor) -> Tensor:
        """What the reward model says of responses (B, …, R) to the prompts of ``asked``, (B, …)."""
        actions = self.embed(tokens.flatten(0, -2))
        rows = asked.observations.repeat_interleave(len(actions) // len(tokens), 0)
        assert asked.parts.critic is not None
        with torch.no_grad():
            return asked.parts.critic(rows, actions).view(tokens.shape[:-1])

    @torch.no_grad()
    def surprise(self, asked: Asked, tokens: Tensor) -> Tensor:
        """Nats a token of responses (B, …, R) under the policy, (B, …); exp of it is the perplexity."""
        found = []
        for prompt, responses in zip(asked.prompts, tokens.view(len(tokens), -1, tokens.shape[-1]), strict=True):
            for rows in responses.split(self._rows):
                whole = torch.cat((prompt.expand(len(rows), -1), rows), 1)
                logits = self.policy(input_ids=whole).logits[:, len(prompt) - 1 : -1].float()
                found.append(nn.functional.cross_entropy(logits.mT, rows, reduction="none").mean(1))
        return torch.cat(found).view(tokens.shape[:-1])

    def spell(self, tokens: Tensor) -> list[str]:
        """The texts of responses (M, R).

        Raises
        ------
        UserError
            There is no tokenizer.
        """
        if self.tokenizer is None:
            raise UserError("text needs a tokenizer: from_transformers(policy, reward, tokenizer=…)")
        texts: list[str] = self.tokenizer.batch_decode(tokens.tolist(), skip_special_tokens=True)
        return texts

    def _prompt(self, which: int, prompt: str | Tensor) -> Tensor:
        if isinstance(prompt, str):
            if self.tokenizer is None:
                raise UserError(
                    "a prompt of text needs a tokenizer: from_transformers(policy, reward, tokenizer=…), or give tokens"
                )
            prompt = torch.tensor(self.tokenizer(prompt)["input_ids"], dtype=torch.long)
        if prompt.dim() != 1 or len(prompt) < 1 or prompt.is_floating_point():
            raise UserError(
                f"prompt {which} has no tokens; a prompt is a text, or whole numbers (P,) with P at least 1"
            )
        if not 0 <= int(prompt.min()) <= int(prompt.max()) < len(self.table):
            raise UserError(f"prompt {which} has a token outside 0 to {len(self.table) - 1:,}, which both models know")
        return prompt.to(self.table.device, torch.long)

    def _draw(self, prompt: Tensor, particles: int, tokens: int, temperature: float) -> Tensor:
        """Responses (N, R) of the policy to ``prompt`` (P,)."""
        from transformers import GenerationConfig

        known = len(self.table)
        unknown = list(range(known, self.policy.get_input_embeddings().weight.shape[0]))  # rows that only pad the table
        how = GenerationConfig(
            do_sample=True,
            temperature=temperature,
            top_k=0,
            top_p=1.0,
            min_new_tokens=tokens,
            max_new_tokens=tokens,
            eos_token_id=self.policy.config.eos_token_id,
            pad_token_id=0,
            suppress_tokens=unknown or None,
        )
        rows = prompt.expand(particles, -1)
        drawn: list[Tensor] = [
            self.policy.generate(piece, attention_mask=torch.ones_like(piece), generation_config=how)
            for piece in rows.split(self._rows)
        ]
        return torch.cat(drawn)[:, len(prompt) :]

    def _read(self, embeddings: Tensor) -> Tensor:
        logits: Tensor = self.reward(inputs_embeds=embeddings).logits
        return logits[:, self._label]
