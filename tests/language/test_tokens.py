"""The token room: matrices and words, what the engine's rules do to matrices, and rounding."""

import math

import pytest
import torch

from workbench.engine.metrics.cost import network_evaluations
from workbench.engine.models.parts import q_gradient
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import act, steer
from workbench.engine.words import UserError
from workbench.language.text import LONGEST, PROMPT
from workbench.language.tokens.model import EMBEDDING, MATRIX
from workbench.language.tokens.proxy import GAIN, Labels, agreement, draw_labels, train_proxy
from workbench.language.tokens.room import FOLDER, WEIGHTS, load_token_room
from workbench.language.tokens.rounding import Narrowing, carry
from workbench.language.tokens.rules import Langevin, MatrixVGF, StraightThrough
from workbench.language.tokens.ways import LIKELY, parts_of

USUAL = {"flow_steps": 1, "aggregate": "mean", "pick_aggregate": "mean"}


@pytest.fixture(scope="module")
def room():
    return load_token_room()


@pytest.fixture(scope="module")
def proxy(room):
    generator = torch.Generator().manual_seed(0)
    return train_proxy(room, draw_labels(room, 200, generator), generator)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def world(room, rule, states=6, seed=3):
    observations = room.draw_prompts(states, seeded(seed))
    return observations, draw_noise(states, rule.particles, MATRIX, seeded(seed), rule.extra_draws())


def test_the_room_is_small(room):
    others = (FOLDER.parent / "room.safetensors").stat().st_size
    assert (FOLDER / WEIGHTS).stat().st_size + others < 8_000_000
    assert room.table.abs().max() < 1.0
    assert MATRIX == LONGEST * EMBEDDING


def test_rounding_gives_every_word_back(room):
    every = torch.arange(len(room.table))[:, None].expand(-1, LONGEST)
    matrices = room.matrices(every)
    assert torch.equal(room.nearest(matrices), every)
    assert torch.equal(room.round(matrices), matrices)


def test_rounding_is_exact_within_half_the_way_to_the_nearest_other_word(room):
    apart = torch.cdist(room.table, room.table).fill_diagonal_(math.inf).min(1).values
    moved = torch.randn(room.table.shape, generator=seeded())
    moved = room.table + 0.49 * apart[:, None] * moved / moved.norm(dim=1, keepdim=True)
    assert torch.equal(room.nearest(moved)[:, 0], torch.arange(len(room.table)))


def test_a_sentence_ends_at_its_first_end(room):
    words = torch.tensor([[5, 0, 7, 8], [5, 6, 7, 8]])
    said = room.say(room.prompts[:2], room.matrices(words))
    assert said[:, :PROMPT].tolist() == room.room.prompts[:2].tolist()
    assert said[:, PROMPT:].tolist() == [[5, 0, 0, 0], [5, 6, 7, 8]]


def test_the_engine_draws_what_the_model_draws(room, proxy):
    """One flow step of the engine takes noise to the causal model's own draws, with their probabilities."""
    rule = make_rule("bc", flow_steps=1)
    observations, noise = world(room, rule)
    actions = act(rule, parts_of(room, proxy), observations, noise)
    chance = torch.special.ndtr(noise.start[:, 0].unflatten(1, (LONGEST, EMBEDDING))[:, :, 0])
    assert torch.equal(room.say(observations, actions), room.model.respond(room.prompts_of(observations), chance))
    prompt = room.room.prompts[:1]
    shares = room.model.logits(room.model.ask(room.model.embed(prompt))[:, -1]).softmax(1)[0]
    even = ((torch.arange(4000) + 0.5) / 4000)[:, None].expand(-1, LONGEST)
    first = room.model.respond(prompt.expand(4000, -1), even)[:, PROMPT]
    assert torch.allclose(first.bincount(minlength=len(shares)) / 4000, shares, atol=1 / 2000)


def test_rules_that_push_during_the_flow_are_sent_to_the_latents(room, proxy):
    rule = make_rule("qgf", flow_steps=4, weight=1.0)
    observations, noise = world(room, rule)
    with pytest.raises(UserError, match=r"set flow_steps=1.*task language"):
        act(rule, parts_of(room, proxy), observations, noise)


def test_log_likelihood_of_words_matrices_and_draws_agree(room):
    said = draw_labels(room, 40, seeded()).sentences
    observations, matrices = room.matrices(said).split((PROMPT * EMBEDDING, MATRIX), 1)
    assert torch.allclose(room.log_likelihood(observations, matrices), room.model.log_likelihood(said), atol=1e-3)
    surprise = room.own_surprise(observations, matrices)
    ended = (said[:, PROMPT:] == 0).float().cumsum(1)
    counts = ((said[:, PROMPT:] != 0) | (ended == 1)).sum(1)
    assert torch.allclose(-surprise * counts, room.model.log_likelihood(said), atol=1e-3)


def test_no_word_sees_those_after_it(room):
    said = draw_labels(room, 8, seeded(2)).sentences
    other = said.clone()
    other[:, -2] = 11
    assert torch.allclose(room.model.all_places(said)[:, :3], room.model.all_places(other)[:, :3], atol=1e-5)
    assert not torch.allclose(room.model.all_places(said)[:, 3], room.model.all_places(other)[:, 3], atol=1e-2)


def test_the_proxy_learns_and_scale_of_labels_is_the_pays(room, proxy):
    fresh = draw_labels(room, 1000, seeded(9))
    r = agreement(room, proxy, fresh)
    print(f"r with 200 labels: {r:.2f}")
    assert r > 0.2
    read, matrices = room.matrices(fresh.sentences).split((PROMPT * EMBEDDING, MATRIX), 1)
    promised = proxy(read, matrices).mean(0) / GAIN
    assert abs(float(promised.mean() - fresh.paid.mean())) < 0.1


RULES = [
    make_rule("grad_step", steps=3, step_size=0.1, **USUAL),
    MatrixVGF(steps=3, particles=3, step_size=0.8, pick="uniform", **USUAL),
    Langevin(steps=2, particles=2, step_size=0.002, alpha=0.1, pick="uniform", **USUAL),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_carrying_is_the_engines_own_steering_and_repeats_bit_by_bit(room, proxy, rule):
    parts = parts_of(room, proxy, "words" if rule.name == "langevin" else "matrices")
    observations, noise = world(room, rule)
    found = [carry(room, rule, parts, observations, noise) for _ in range(2)]
    assert torch.equal(found[0].before, found[1].before)
    assert torch.equal(found[0].before, act(rule, parts, observations, noise))
    trace = steer(rule, parts, observations, noise)
    rows = torch.arange(len(observations))
    assert torch.equal(found[0].start, trace.positions[1][rows, trace.picked])
    assert torch.equal(found[0].after, room.round(found[0].before))


@pytest.mark.parametrize("how", ["never", "every", "annealed", "length"])
def test_what_does_not_move_is_rounded_to_itself(room, proxy, how):
    rule = make_rule("grad_step", steps=3, step_size=0.0, **USUAL)
    observations, noise = world(room, rule)
    made = carry(room, rule, parts_of(room, proxy), observations, noise, Narrowing(how, 2))
    assert torch.equal(room.say(observations, made.after), room.say(observations, made.start))
    assert torch.allclose(made.before, made.after, atol=1e-5)


def test_narrowings_do_what_they_say(room):
    words = torch.tensor([[3, 4, 5, 6]])
    home = room.matrices(words)[None]
    off = home + 0.02 * torch.randn(home.shape, generator=seeded())
    assert torch.equal(Narrowing()(room, off, 2, 4), off)
    assert torch.equal(Narrowing("every", 2)(room, off, 1, 4), off)
    assert torch.equal(Narrowing("every", 2)(room, off, 2, 4), home)
    assert torch.allclose(Narrowing("annealed")(room, off, 1, 4), off + (home - off) / 4)
    assert torch.allclose(Narrowing("annealed")(room, off, 4, 4), home)
    kept = Narrowing("length")(room, 1.2 * off, 1, 4).unflatten(2, (LONGEST, EMBEDDING)).norm(dim=3)
    assert torch.allclose(kept, home.unflatten(2, (LONGEST, EMBEDDING)).norm(dim=3), rtol=1e-3)


def test_vgf_on_matrices_is_the_engines_vgf_where_the_kernel_is_the_medians(room, proxy):
    settings = {"steps": 3, "particles": 4, "step_size": 0.5, "alpha": 0.7, "ascent": "plain", **USUAL}
    theirs = make_rule("vgf", repulsion="fixed_bandwidth", **settings)
    ours, parts = MatrixVGF(**settings), parts_of(room, proxy)
    observations, noise = world(room, ours)
    assert torch.allclose(act(ours, parts, observations, noise), act(theirs, parts, observations, noise), atol=1e-6)


def test_a_narrow_kernel_moves_particles_alone_and_a_wide_one_moves_all_alike(room, proxy):
    """With no width a particle moves by ε ∇Q / (α N); with all of it every particle moves by the mean gradient."""
    parts = parts_of(room, proxy)

    def moved(width):
        rule = MatrixVGF(steps=1, particles=3, step_size=0.1, alpha=0.5, bandwidth=width, **USUAL)
        observations, noise = world(room, rule)
        trace = steer(rule, parts, observations, noise)
        gradient = rule.critic_gradient(parts, observations.repeat_interleave(3, 0), trace.positions[1])[1]
        return trace.terms["attraction"][1], gradient

    alone, gradient = moved(1e-3)
    assert torch.allclose(alone, gradient / (0.5 * 3), atol=1e-6)
    together, gradient = moved(1e3)
    assert torch.allclose(together, gradient.mean(1, keepdim=True).expand_as(gradient) / 0.5, atol=2e-2, rtol=2e-2)


def test_the_medians_width_is_about_one_word(room):
    """Why the median heuristic needs no factor in 1,024 dimensions: responses that differ in one word of four see each other."""
    words = torch.randint(1, len(room.table), (200, LONGEST), generator=seeded())
    other = words.clone()
    other[:, 0] = torch.randint(1, len(room.table), (200,), generator=seeded(1))
    one = (room.matrices(words) - room.matrices(other)).square().sum(1).median()
    four = (room.matrices(words) - room.matrices(words.flip(0))).square().sum(1).median()
    variance = four / (2 * math.log(8 + 1))
    assert math.exp(-one / (2 * variance)) > 0.5
    assert math.exp(-four / (2 * variance)) == pytest.approx(1 / 9, rel=1e-4)


def test_straight_through_reads_words_and_hands_their_gradient_on(room, proxy):
    observations = room.draw_prompts(5, seeded())
    home = room.matrices(torch.randint(0, len(room.table), (5, LONGEST), generator=seeded()))
    off = home + 0.02 * torch.randn(home.shape, generator=seeded(1))
    value, gradient = q_gradient(StraightThrough(room, proxy), observations, off, "mean")
    theirs, slope = q_gradient(proxy, observations, home, "mean")
    assert torch.equal(value, theirs)
    assert torch.equal(gradient, slope)


def test_langevin_without_a_critic_walks_as_langevin_does(room, proxy):
    """Zero step: nothing moves. Else the noise has standard deviation √(2ε) in every coordinate."""
    parts = parts_of(room, proxy, "words")
    for size in (0.0, 1e-4):
        rule = Langevin(steps=1, step_size=size, alpha=1.0, **USUAL)
        observations, noise = world(room, rule)
        trace = steer(rule, parts, observations, noise)
        assert float(trace.terms["noise"][1].std()) == pytest.approx(math.sqrt(2 * size), rel=0.05)
        _, likely = q_gradient(parts.part("likelihood"), observations, trace.positions[1].flatten(0, 1), "mean")
        _, score = q_gradient(parts.critic, observations, trace.positions[1].flatten(0, 1), "mean")
        assert torch.allclose(trace.terms["guidance"][1].flatten(0, 1), size * (score + likely), atol=1e-7)


def test_the_critic_with_likelihood_adds_it(room, proxy):
    said = draw_labels(room, 6, seeded()).sentences
    observations, matrices = room.matrices(said).split((PROMPT * EMBEDDING, MATRIX), 1)
    both = parts_of(room, proxy, "both").critic(observations, matrices)
    assert torch.allclose(both, proxy(observations, matrices) + LIKELY * room.model.log_likelihood(said), atol=1e-4)


# L steps of N particles: a draw asks the model 4 times, each gradient and each pick the proxy once (twice with log μ).
COSTS = [
    (make_rule("bc", flow_steps=1), "matrices", 4),
    (make_rule("best_of_n", particles=34, **USUAL), "matrices", 34 * 4 + 34),
    (make_rule("grad_step", steps=3, **USUAL), "matrices", 4 + 3),
    (MatrixVGF(steps=5, **USUAL), "matrices", 8 * (4 + 5) + 8),
    (MatrixVGF(steps=5, **USUAL), "both", 8 * (4 + 2 * 5) + 2 * 8),
    (Langevin(steps=3, **USUAL), "words", 4 + 2 * 3),
]


@pytest.mark.parametrize(("rule", "reads", "cost"), COSTS)
def test_evaluations_are_counted(room, proxy, rule, reads, cost):
    assert network_evaluations(rule, parts_of(room, proxy, reads), room.prompts[0]) == cost


def test_labels_and_proxies_repeat_bit_by_bit(room):
    found = []
    for _ in range(2):
        generator = seeded(4)
        labels = draw_labels(room, 60, generator)
        found.append((labels, train_proxy(room, labels, generator)))
    assert torch.equal(found[0][0].sentences, found[1][0].sentences)
    read, matrices = room.matrices(found[0][0].sentences).split((PROMPT * EMBEDDING, MATRIX), 1)
    assert torch.equal(found[0][1](read, matrices), found[1][1](read, matrices))
    assert isinstance(found[0][0], Labels)
