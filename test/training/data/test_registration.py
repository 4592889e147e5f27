"""Registration of pairs: shifts, turns and zooms that are noticed, and what is not guessed at."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from training.data import registration
from training.data.coco import DataError
from training.data.pairs import PairedSample
from training.data.registration import check_registration

HEIGHT, WIDTH = 200, 300
Warp = Callable[[int], np.ndarray]


def still(i: int) -> np.ndarray:
    return np.eye(2, 3)


def shifted(x: float, y: float) -> Warp:
    return lambda i: np.array([[1, 0, x], [0, 1, y]], float)


def around_the_centre(zoom: float = 1.0, degrees: float = 0.0) -> Warp:
    return lambda i: cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees, zoom)


def some(warp: Warp, which: Callable[[int], bool]) -> Warp:
    return lambda i: warp(i) if which(i) else still(i)


class Street:
    """Pairs of unlike looks (contrast reversed, other texture) and alike edges, the visible half warped."""

    def __init__(self, warp: Warp = still, count: int = 8, unrelated: bool = False) -> None:
        self.warp, self.count, self.unrelated = warp, count, unrelated

    def __len__(self) -> int:
        return self.count

    def where(self, i: int) -> str:
        return f"{i}.png"

    def __getitem__(self, i: int) -> PairedSample:
        def picture(seed: int) -> np.ndarray:
            rng = np.random.default_rng(seed)
            image = np.full((HEIGHT, WIDTH), 90.0)
            for _ in range(14):
                x, y = rng.integers(0, 270), rng.integers(0, 170)
                image[y : y + rng.integers(10, 60), x : x + rng.integers(10, 60)] = rng.uniform(20, 200)
            return image

        rng = np.random.default_rng((i, 1))
        thermal = picture(i) + rng.normal(0, 4, (HEIGHT, WIDTH))
        other = 255 - 0.6 * picture(100 + i if self.unrelated else i) + rng.normal(0, 8, (HEIGHT, WIDTH))
        other = cv2.warpAffine(other, self.warp(i), (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
        visible = np.dstack([other, other * 0.8, other * 0.9])
        return PairedSample(thermal.clip(0, 255).astype(np.uint8), visible.clip(0, 255).astype(np.uint8),
                            np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.array([True]))


def common_shift(street: Street) -> registration.Peak:
    """By how much the visible images of all pairs lie off, all alike."""
    spectra = [registration._cross_spectrum(*registration._edges_of(street, i)) for i in range(len(street))]
    return registration._peak(registration._sum(spectra))


@pytest.mark.parametrize("move", [(0, 0), (24, 0), (-15, 10)])
def test_common_shifts_are_measured(move: tuple[int, int]) -> None:
    peak = common_shift(Street(shifted(*move)))
    assert peak.x == pytest.approx(move[0] / WIDTH, abs=0.005) and peak.y == pytest.approx(move[1] / HEIGHT, abs=0.006)
    assert peak.sureness > 10


@pytest.mark.parametrize("count", [1, 3, 8, 60])
def test_registered_pairs_pass(count: int) -> None:
    check_registration(Street(count=count), "street")


@pytest.mark.parametrize("count", [1, 8, 60])
def test_unlike_pairs_are_not_guessed_at(count: int) -> None:
    check_registration(Street(count=count, unrelated=True), "street")


@pytest.mark.parametrize("warp", [shifted(4, -3), around_the_centre(zoom=1.03), around_the_centre(degrees=1)])
def test_what_no_annotator_would_see_passes(warp: Warp) -> None:
    check_registration(Street(warp, 24), "street")


def test_shifted_pairs_are_refused() -> None:
    with pytest.raises(DataError, match=r"street.*\+7.8 % of the width and .* the height off .*register the pairs"):
        check_registration(Street(shifted(24, 0)), "street")
    # Unless it is said that they may lie apart so far.
    check_registration(Street(shifted(24, 0)), "street", most_shift=0.09)


@pytest.mark.parametrize(("warp", "said"), [
    (around_the_centre(zoom=1.08), r"corners.*\+[789] % wider, \+[789] % higher and turned by about [01] degrees"),
    (around_the_centre(zoom=0.92), r"corners.*-[789] % wider, -[789] % higher and turned by about [01] degrees"),
    (around_the_centre(degrees=5), r"corners.*\+[012] % wider, \+[012] % higher and turned by about [456] degrees"),
    (around_the_centre(degrees=-5), r"corners.*\+[012] % wider, \+[012] % higher and turned by about [456] degrees")])
def test_zoomed_and_turned_pairs_are_refused(warp: Warp, said: str) -> None:
    assert common_shift(Street(warp, 24)).size < 0.02, "a common shift shows it: this tests nothing"
    with pytest.raises(DataError, match=f"street: in the {said}"):
        check_registration(Street(warp, 24), "street")


@pytest.mark.parametrize("which", [lambda i: 24 <= i < 36, lambda i: i % 5 == 2], ids=["a sequence", "here and there"])
def test_a_fifth_of_the_pairs_that_lies_apart_is_told_with_one_of_them(which: Callable[[int], bool]) -> None:
    street = Street(some(shifted(15, 0), which), 60)
    assert common_shift(street).size < 0.01, "a common shift shows it: this tests nothing"
    first = next(i for i in range(60) if which(i))
    with pytest.raises(DataError, match=rf"at least 1[012] of 60 pairs .*such as {first}.png.* \+[45]\.\d % of the w"):
        check_registration(street, "street")


def test_a_slip_here_and_there_is_no_sequence() -> None:
    check_registration(Street(some(shifted(15, 0), lambda i: i in (7, 31)), 60), "street")
