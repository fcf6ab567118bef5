"""Models of Hugging Face, made here with random weights: gradients, batches, precision, and what is refused."""

import json
import math
import re
from pathlib import Path

import pytest
import torch
import transformers

import workbench as wb
from benchmarks.__main__ import main
from workbench.engine.words import MissingExtraError, UserError
from workbench.language import from_transformers

ROOT = Path(__file__).resolve().parents[2]
WORDS, WIDE, LONG = 40, 16, 5
SMALL = {
    "vocab_size": WORDS,
    "hidden_size": WIDE,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
KINDS = {
    "llama": (
        transformers.LlamaConfig,
        transformers.LlamaForCausalLM,
        transformers.LlamaForSequenceClassification,
    ),
    "neox": (
        transformers.GPTNeoXConfig,
        transformers.GPTNeoXForCausalLM,
        transformers.GPTNeoXForSequenceClassification,
    ),
}
PROMPTS = [torch.tensor([3, 9, 4]), torch.tensor([7]), torch.tensor([12, 13, 14, 15, 16, 17]), torch.tensor([30])]


def models(kind, labels=1, words=WORDS):
    config, policy, reward = KINDS[kind]
    settings = SMALL | {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "num_labels": labels}
    with torch.random.fork_rng():
        torch.manual_seed(5)
        made = policy(config(**settings)), reward(config(**settings | {"vocab_size": words}))
        for model in made:  # as they are initialised, all logits are next to nothing
            for weights in model.parameters():
                weights.data.add_(0.2 * torch.randn_like(weights))
    return made


@pytest.fixture(params=KINDS)
def exact(request):
    return from_transformers(*models(request.param), dtype=torch.float64)


def test_the_gradient_is_that_of_finite_differences(exact):
    asked = exact.ask(PROMPTS[:2], particles=2, tokens=LONG, seed=0)
    rows, actions = asked.observations.repeat_interleave(2, 0), asked.noise.start.flatten(0, 1)
    critic = asked.parts.critic
    value, slope = critic.value_and_grad(rows, actions, "mean")
    assert torch.allclose(value, critic(rows, actions))
    ways = torch.randn(3, *actions.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for way in ways:
        step = 1e-3  # Llama's norms have 32 bits, whatever its weights have
        ahead, behind = (critic(rows, actions + sign * step * way) for sign in (1, -1))
        assert torch.allclose((ahead - behind) / (2 * step), (slope * way).sum(1), rtol=2e-3, atol=2e-3)
    assert slope.abs().max() > 1e-3


def test_rows_are_valued_as_one_by_one_and_as_a_padded_batch(exact):
    """A prompt's length, and what else is asked for, change nothing; Hugging Face's own padding and mask say the same."""
    exact._rows = 3  # pieces that do not divide the rows
    asked = exact.ask(PROMPTS, particles=3, tokens=LONG, seed=0)
    together = exact.rewards(asked, asked.tokens)
    assert together.std() > 1e-3
    for which, prompt in enumerate(PROMPTS):
        alone = exact.ask([prompt], particles=3, tokens=LONG, seed=0)
        assert torch.allclose(exact.rewards(alone, asked.tokens[which : which + 1])[0], together[which], atol=1e-5)
    whole = [torch.cat((p, r, torch.tensor([2]))) for p, r in zip(PROMPTS, asked.tokens[:, 0], strict=True)]
    padded = torch.nn.utils.rnn.pad_sequence(whole, batch_first=True)  # token 0, which the responses may hold as well
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in whole], batch_first=True)
    assert torch.allclose(exact.reward(input_ids=padded, attention_mask=mask).logits[:, 0], together[:, 0], atol=1e-5)


def test_surprise_is_the_policys_loss(exact):
    asked = exact.ask(PROMPTS, particles=2, tokens=LONG, seed=0)
    found = exact.surprise(asked, asked.tokens)
    whole = torch.cat((PROMPTS[2], asked.tokens[2, 1]))[None]
    labels = whole.clone()
    labels[:, : len(PROMPTS[2])] = -100
    assert math.isclose(float(found[2, 1]), float(exact.policy(input_ids=whole, labels=labels).loss), rel_tol=1e-5)


def test_nothing_that_was_not_moved_is_read_otherwise(exact):
    asked = exact.ask(PROMPTS, particles=4, tokens=LONG, seed=0)
    assert asked.tokens.shape == (len(PROMPTS), 4, LONG)
    assert not (asked.tokens == exact.end).any(), "an end would make responses unlike in length"
    assert asked.noise.start.abs().max() <= 1.0
    assert torch.equal(exact.round(asked.noise.start), asked.tokens)
    still = wb.act(wb.make_rule("bc", flow_steps=1), asked.parts, asked.observations, asked.noise)
    assert any(torch.equal(still[0], one) for one in asked.noise.start[0])


def test_the_same_seed_draws_the_same_responses_and_leaves_others_alone(exact):
    torch.manual_seed(11)
    first = torch.rand(3)
    torch.manual_seed(11)
    one = exact.ask(PROMPTS, particles=2, tokens=LONG, seed=4)
    assert torch.equal(torch.rand(3), first)
    two = exact.ask(PROMPTS, particles=2, tokens=LONG, seed=4)
    other = exact.ask(PROMPTS, particles=2, tokens=LONG, seed=5)
    assert torch.equal(one.tokens, two.tokens)
    assert not torch.equal(one.tokens, other.tokens)


@pytest.mark.parametrize("kind", KINDS)
def test_vgf_raises_the_reward_of_embeddings(kind):
    """Every rule that moves finished actions runs; the reward of what is read is another number."""
    made = from_transformers(*models(kind))
    asked = made.ask(PROMPTS, particles=4, tokens=LONG, seed=0)
    rule = wb.make_rule("vgf", particles=4, steps=12, step_size=0.02, alpha=0.1, flow_steps=1)
    trace = wb.steer(rule, asked.parts, asked.observations, asked.noise)
    critic, rows = asked.parts.critic, asked.observations.repeat_interleave(4, 0)
    before, after = (critic(rows, x.flatten(0, 1)) for x in (asked.noise.start, trace.positions[-1]))
    assert (after > before).all()
    moved = made.round(trace.actions)
    assert moved.shape == (len(PROMPTS), LONG)
    assert made.rewards(asked, moved).shape == (len(PROMPTS),)
    again = wb.steer(rule, asked.parts, asked.observations, asked.noise)
    assert torch.equal(trace.actions, again.actions)
    best = wb.act(wb.make_rule("best_of_n", particles=4, flow_steps=1), asked.parts, asked.observations, asked.noise)
    assert torch.allclose(made.rewards(asked, made.round(best)), made.rewards(asked, asked.tokens).amax(1), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_sixteen_bits_are_close(kind):
    wide, narrow = from_transformers(*models(kind)), from_transformers(*models(kind), dtype=torch.bfloat16)
    asked = wide.ask(PROMPTS, particles=4, tokens=LONG, seed=0)
    same = narrow.ask(PROMPTS, particles=4, tokens=LONG, seed=0)
    exactly, roughly = wide.rewards(asked, asked.tokens), narrow.rewards(same, asked.tokens)
    assert roughly.dtype == torch.float32
    assert (roughly - exactly).abs().max() < 0.1 * exactly.std() + 0.02 * exactly.abs().max()
    rows = asked.observations.repeat_interleave(4, 0)
    high = asked.parts.critic.value_and_grad(rows, asked.noise.start.flatten(0, 1), "mean")[1]
    low = same.parts.critic.value_and_grad(rows, asked.noise.start.flatten(0, 1), "mean")[1] * (
        wide.scale / narrow.scale
    )
    assert torch.cosine_similarity(high.flatten(), low.flatten(), dim=0) > 0.95
    assert torch.equal(narrow.round(narrow.embed(asked.tokens)), asked.tokens)


def test_models_of_different_tokens_are_refused():
    with pytest.raises(UserError, match=r"share their tokens: .* 40 rows, the reward model's 44.*give the tokenizer"):
        from_transformers(models("llama")[0], models("llama", words=44)[1])


class Tokens:
    """A tokenizer, as far as it is asked: words with a space before them."""

    def __init__(self, count, first="a"):
        self.words = {f"{first}{i}": i for i in range(count)}

    def get_vocab(self):
        return self.words

    def __call__(self, text):
        return {"input_ids": [self.words[word] for word in text.split()]}

    def batch_decode(self, rows, skip_special_tokens):
        return [" ".join(f"a{i}" for i in row) for row in rows]


def test_a_padded_table_is_no_other_vocabulary():
    made = from_transformers(models("neox")[0], models("neox", words=44)[1], Tokens(38))
    asked = made.ask(["a3 a4", "a5"], particles=32, tokens=LONG, seed=0)
    assert asked.tokens.max() < 38
    assert made.round(torch.randn(6, LONG * WIDE, generator=torch.Generator().manual_seed(0))).max() < 38
    assert made.spell(torch.tensor([[3, 4]])) == ["a3 a4"]
    with pytest.raises(UserError, match="belongs to another model"):
        from_transformers(*models("neox"), Tokens(41))


def test_different_tokenizers_are_refused(monkeypatch):
    made = dict(zip(("here/policy", "here/reward"), models("llama"), strict=True))
    known = {"here/policy": Tokens(40), "here/reward": Tokens(40, first="b")}
    for kind in ("AutoModelForCausalLM", "AutoModelForSequenceClassification"):
        monkeypatch.setattr(getattr(transformers, kind), "from_pretrained", lambda name, **_: made[name])
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda name, **_: known[name])
    with pytest.raises(UserError, match=r"different tokens \(for example 'a0'"):
        from_transformers("here/policy", "here/reward")
    known["here/reward"] = Tokens(40)
    assert from_transformers("here/policy", "here/reward").ask(["a3"], 1, 2, 0).tokens.shape == (1, 1, 2)


def test_what_is_no_such_model_is_refused(monkeypatch):
    policy, reward = models("llama")
    with pytest.raises(UserError, match=r"the policy must be a model of transformers \(…ForCausalLM\).*got Linear"):
        from_transformers(torch.nn.Linear(2, 2), reward)
    with pytest.raises(UserError, match=r"the reward must be a model of transformers \(…ForSequenceClassification\)"):
        from_transformers(policy, policy)
    with pytest.raises(UserError, match=r"has 3 outputs; say which one is the reward: label=0 to label=2"):
        from_transformers(policy, models("llama", labels=3)[1])
    with pytest.raises(UserError, match="rows = 0 must be at least 1"):
        from_transformers(policy, reward, rows=0)
    two = models("llama", labels=2)[1]
    one, other = (from_transformers(policy, two, label=label) for label in (0, 1))
    asked, same = one.ask(PROMPTS, 2, LONG, 0), other.ask(PROMPTS, 2, LONG, 0)
    assert not torch.allclose(one.rewards(asked, asked.tokens), other.rewards(same, asked.tokens))
    reward.config.pad_token_id = None
    with pytest.raises(UserError, match=r"no pad token: set reward\.config\.pad_token_id"):
        from_transformers(policy, reward)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'workbench\[language\]'"):
        from_transformers(policy, reward)


class Bomb:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def test_a_folder_brings_no_code_and_no_pickle(tmp_path, monkeypatch):
    """Weights that would run something when unpickled, and a configuration that names code of its own."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    policy, reward = models("llama")
    mark = tmp_path / "ran"
    pickled, coded = tmp_path / "pickled", tmp_path / "coded"
    for folder in (pickled, coded):
        reward.save_pretrained(folder)
    (pickled / "model.safetensors").unlink()
    torch.save({"score.weight": Bomb(mark)}, pickled / "pytorch_model.bin")
    (coded / "own.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    config = json.loads((coded / "config.json").read_text())
    auto = {"AutoConfig": "own.Config", "AutoModelForSequenceClassification": "own.Model"}
    (coded / "config.json").write_text(json.dumps(config | {"auto_map": auto, "model_type": "own"}))
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda *_, **__: Tokens(WORDS))
    for folder in (pickled, coded, tmp_path / "nothing"):
        with pytest.raises(UserError, match=rf"{folder.name}.* cannot be read .*safetensors"):
            from_transformers(policy, str(folder))
    assert not mark.exists()
    torch.load(
        pickled / "pytorch_model.bin", weights_only=False
    )  # the test's own proof: this is what it would have done
    assert mark.exists()


def test_a_folder_without_a_tokenizer_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    policy, reward = models("llama")
    policy.save_pretrained(tmp_path / "policy")
    with pytest.raises(UserError, match=r"policy.* cannot be read"):
        from_transformers(str(tmp_path / "policy"), reward)


def test_questions_that_cannot_be_asked_are_refused():
    made = from_transformers(*models("llama"))
    for prompts, words in (
        ([], "there is no prompt"),
        ([torch.tensor([], dtype=torch.long)], "prompt 0 has no tokens"),
        ([PROMPTS[0], torch.tensor([40])], "prompt 1 has a token outside 0 to 39"),
        (["text"], "a prompt of text needs a tokenizer"),
    ):
        with pytest.raises(UserError, match=words):
            made.ask(prompts, particles=1, tokens=2, seed=0)
    for numbers in ({"tokens": 0}, {"particles": 0}, {"temperature": 0.0}):
        with pytest.raises(UserError, match="responses need 1 to"):
            made.ask(PROMPTS, **({"particles": 1, "tokens": 2, "seed": 0} | numbers))
    with pytest.raises(UserError, match="text needs a tokenizer"):
        made.spell(torch.zeros(1, 2))


def test_the_benchmark_runs_through(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["benchmarks", "language_models", "--device", "cpu", "--quick"])
    main()
    printed = capsys.readouterr().out
    assert all(f"Pythia-{size}" in printed for size in ("160M", "2.8B"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["benchmarks", "language_models"])
    with pytest.raises(SystemExit):
        main()
    assert "there is no CUDA device here" in capsys.readouterr().err


def test_the_documentations_example_runs(tmp_path, monkeypatch):
    """The example of docs/language.md, with tiny models in the folders that it reads."""
    policy, reward = models("neox")
    monkeypatch.chdir(tmp_path)
    policy.save_pretrained("policy")
    reward.save_pretrained("reward")
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda folder, **_: Tokens(WORDS))
    section = (ROOT / "docs" / "language.md").read_text(encoding="utf-8").partition("## Real models")[2]
    (code,) = re.findall(r"```python\n(.*?)```", section.partition("\n## ")[0], re.DOTALL)
    names: dict = {"prompts": ["a3 a4", "a5 a6 a7"]}
    exec(code, names)  # noqa: S102 (the example itself)
    assert names["before"].shape == names["after"].shape == (2,)
    assert len(names["said"]) == 2
