"""The decay of distillation weights: ends, order, and each curve against its formula."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.losses.schedules import DECAYS, DecaySchedule


@pytest.mark.parametrize("kind", [kind for kind in DECAYS if kind != "constant"])
@given(start=st.floats(0.1, 10), share=st.floats(0, 1), rate=st.floats(0.5, 10), t=st.floats(0, 1), u=st.floats(0, 1))
def test_it_falls_from_start_to_floor(kind, start, share, rate, t, u):
    decay = DecaySchedule(kind, start, start * share, rate)
    assert decay.weight(0.0) == pytest.approx(start)
    assert decay.weight(1.0) == pytest.approx(start * share, abs=1e-12)
    assert decay.weight(max(t, u)) <= decay.weight(min(t, u)) + 1e-12
    assert decay.weight(-1.0) == decay.weight(0.0) and decay.weight(2.0) == decay.weight(1.0)


def test_the_curves_are_their_formulas():
    for t in (0.1, 0.25, 0.5, 0.9):
        assert DecaySchedule("constant", 2.0).weight(t) == 2.0
        assert DecaySchedule("linear", 2.0, 0.5).weight(t) == pytest.approx(0.5 + 1.5 * (1 - t))
        assert DecaySchedule("cosine", 2.0, 0.5).weight(t) == pytest.approx(
            0.5 + 1.5 * math.cos(math.pi * t / 2) ** 2)  # (1 + cos 2x) / 2 = cos^2 x
        a, b = (DecaySchedule("exponential", 1.0, 0.0, 4.0).weight(x) for x in (t, t + 0.05))
        last = math.exp(-4.0) / (1 - math.exp(-4.0))
        assert (a + last) / (b + last) == pytest.approx(math.exp(4.0 * 0.05))


@pytest.mark.parametrize("values, word", [({"kind": "step"}, "step"), ({"floor": 2.0}, "floor"),
                                          ({"rate": 0.0}, "rate")])
def test_nonsense_is_refused(values, word):
    with pytest.raises(ValueError, match=word):
        DecaySchedule(**values)
