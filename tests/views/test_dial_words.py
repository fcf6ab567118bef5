"""What the page of budgets says of a curve's critic: why it is wrong at both ends, and whom it fools."""

from dataclasses import replace

from workbench.engine.metrics.intervals import Interval
from workbench.views.dial import Growth, critic_words, fooled_words, growth_of
from workbench.views.measured import Ride, ride_of, shipped_curves


def with_gaps(ride: Ride, *gaps: tuple[float, float, float] | None) -> Ride:
    """The ride with these errors of the critic at its first strengths, its best one being the second."""
    found = tuple(None if gap is None else Interval(*gap) for gap in gaps)
    places = {name: getattr(ride, name)[: len(gaps)] for name in ("strength", "shift", "returns", "promised", "earned")}
    return replace(ride, **places, gap=found, best=1)


def test_one_sentence_says_why_the_critic_is_wrong_at_both_ends() -> None:
    ride = ride_of("three_exits", "qgf")
    assert ride is not None
    start, best, last = (ride.gap[place].mean for place in (0, ride.best, -1))
    said = critic_words(ride)
    assert said == (
        f"Already without steering (w = 0) the critic promises {start:.2f} too much, which no push has caused; what counts is "
        f"the change: to {best:.2f} at the best strength (w = 0.3), then to {last:.2f} at w = 30."
    )
    low = with_gaps(ride, (-0.4, -0.5, -0.3), (0.0, -0.1, 0.1), (1.0, 0.9, 1.1))
    assert "the critic promises 0.40 too little" in critic_words(low)
    right = with_gaps(ride, (0.01, -0.05, 0.07), (0.0, -0.1, 0.1), (1.0, 0.9, 1.1))
    assert critic_words(right).startswith("Without steering (w = 0) the critic is right within 0.06; what counts")
    assert "to 1.00 at w = 0.1" in critic_words(right)
    assert "At the least strength (w = 0.03)" in critic_words(replace(right, strength=(0.03, 0.1, 0.3)))
    assert critic_words(with_gaps(ride, None, None)) == ""


def test_the_page_says_whom_the_critic_fooled() -> None:
    best = Interval(0.1, 0.0, 0.2)
    fooled = Growth("qgf", "w = 30", best, Interval(0.9, 0.8, 1.0))
    worse = Growth("worse", "L = 40", best, Interval(1.9, 1.8, 2.0))
    right = Growth("other", "N = 32", best, Interval(0.2, 0.15, 0.3))
    assert fooled_words([fooled, right, worse]) == (
        "Past its best strength the critic fools worse (1.80 more wrong at L = 40), qgf (0.80 more wrong at w = 30); not other."
    )
    assert fooled_words([right]) == "The critic fools none of them past its best strength: other."
    assert fooled_words([]) == fooled_words([right._replace(best=None)]) == ""


def test_how_the_error_grew_is_read_off_the_curve() -> None:
    curve = next(curve for curve in shipped_curves() if (curve.task, curve.rule) == ("three_exits", "qgf"))
    ride = ride_of("three_exits", "qgf")
    assert ride is not None
    assert growth_of(curve) == ("qgf", "w = 30", ride.gap[ride.best], ride.gap[-1])
