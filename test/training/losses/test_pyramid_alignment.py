"""Guidance of pyramid features against NumPy, its invariances, its regions, and where its gradients go."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training.losses.pyramid_alignment import (  # noqa: E402
    ALIGN,
    LOW_FREQUENCY,
    REGIONS,
    cosine,
    frequency,
    mse,
    pkd,
    pyramid_alignment,
)
from training.losses.rois import box_mask, crop, level_of  # noqa: E402

STRIDES = (8, 16, 32)
ROIS = torch.tensor([[0, 3.0, 5, 40, 50], [1, 20, 8, 61, 30], [1, 70, 2, 95, 60]])


def maps(seed, shape=(2, 3, 8, 12)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cells(values, mask):
    """(C, n): what each channel holds over the chosen cells of all images."""
    chosen = np.ones(values.shape[0::2][:1] + values.shape[2:], bool) if mask is None else mask[:, 0].numpy() > 0
    return np.stack([values[:, c].numpy()[chosen] for c in range(values.shape[1])])


@pytest.mark.parametrize("masked", [False, True])
def test_distances_equal_numpy(masked):
    a, b = maps(0), maps(1)
    mask = box_mask(ROIS, (2, 8, 12), 8).double() if masked else None
    x, y = cells(a, mask), cells(b, mask)
    pearson = [1 - np.corrcoef(x[c], y[c])[0, 1] for c in range(3)]
    assert pkd(a, b, mask).item() == pytest.approx(np.mean(pearson), abs=1e-6)
    assert mse(a, b, mask).item() == pytest.approx(np.mean((x - y) ** 2), rel=1e-9)
    angle = (x * y).sum(0) / (np.linalg.norm(x, axis=0) * np.linalg.norm(y, axis=0))
    assert cosine(a, b, mask).item() == pytest.approx(np.mean(1 - angle), rel=1e-6)


@pytest.mark.parametrize("shape", [(1, 2, 6, 9), (2, 1, 7, 7)])
def test_frequency_equals_a_sum_of_waves(shape):
    a, b = maps(2, shape), maps(3, shape)
    difference = (a - b).numpy()
    n, channels, height, width = shape
    low = high = 0.0
    for image in range(n):
        for c in range(channels):
            for u in range(height):
                for v in range(width):
                    y, x = np.mgrid[:height, :width]
                    wave = np.exp(-2j * np.pi * (u * y / height + v * x / width))
                    power = abs((difference[image, c] * wave).sum()) ** 2 / (height * width)
                    radius = np.hypot(min(u, height - u) / height, min(v, width - v) / width)
                    low, high = (low + power, high) if radius <= LOW_FREQUENCY else (low, high + power)
    count = difference.size
    expected = low / count + 0.1 * np.log1p(high / count)
    assert frequency(a, b).item() == pytest.approx(expected, rel=1e-9)
    assert (low + high) / count == pytest.approx(mse(a, b).item(), rel=1e-9)


def test_pkd_does_not_mind_scale_and_shift_of_channels():
    a, b = maps(4), maps(5)
    mask = box_mask(ROIS, (2, 8, 12), 8).double()
    scale, shift = torch.tensor([0.5, 3.0, 20.0]).view(1, 3, 1, 1), torch.tensor([-2.0, 0.0, 7.0]).view(1, 3, 1, 1)
    for chosen in (None, mask):
        value = pkd(a, b, chosen)
        torch.testing.assert_close(pkd(a * scale + shift, b, chosen), value, atol=1e-6, rtol=0)
        torch.testing.assert_close(pkd(a, b * scale + shift, chosen), value, atol=1e-6, rtol=0)
    assert pkd(a, -a).item() == pytest.approx(2.0, abs=1e-6)
    torch.testing.assert_close(cosine(a * 3, b / 7), cosine(a, b))


def pyramid(seed):
    return [maps(seed + i, (2, 3, 64 // s, 96 // s)) for i, s in enumerate(STRIDES)]


@pytest.mark.parametrize("align", ALIGN)
@pytest.mark.parametrize("region", REGIONS)
def test_equal_features_cost_nothing_and_only_the_student_learns(align, region):
    student, teacher = pyramid(10), pyramid(20)
    same = pyramid_alignment(student, [level.clone() for level in student], STRIDES, ROIS, align, region)
    assert same.item() == pytest.approx(0, abs=1e-6)
    for level in student + teacher:
        level.requires_grad_()
    pyramid_alignment(student, teacher, STRIDES, ROIS, align, region).backward()
    assert all(level.grad is None for level in teacher)
    assert student[0].grad.abs().max() > 0
    outside = box_mask(ROIS, (2, 8, 12), 8).expand(2, 3, 8, 12) == 0
    if region == "mask":
        # The frequency filter runs over the border of the mask only on the way to the loss, not back.
        assert student[0].grad[outside].abs().max() == 0
    elif region == "full":
        assert student[0].grad[outside].abs().max() > 0


@pytest.mark.parametrize("align", ALIGN)
def test_levels_are_averaged_by_weight(align):
    student, teacher = pyramid(30), pyramid(40)
    parts = [ALIGN[align](a, b, None).item() for a, b in zip(student, teacher, strict=True)]
    value = pyramid_alignment(student, teacher, STRIDES, ROIS, align, "full", (1.0, 0.5, 2.0)).item()
    assert value == pytest.approx(np.average(parts, weights=(1.0, 0.5, 2.0)), rel=1e-9)
    own = level_of(ROIS, STRIDES)
    assert (own == 0).all()
    expected = ALIGN[align](crop(student[0], ROIS, 8), crop(teacher[0], ROIS, 8), None).item()
    assert pyramid_alignment(student, teacher, STRIDES, ROIS, align, "roi").item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("align", ALIGN)
@pytest.mark.parametrize("region", REGIONS)
def test_no_objects_and_flat_features_are_finite(align, region):
    student = [level.requires_grad_() for level in pyramid(50)]
    value = pyramid_alignment(student, pyramid(60), STRIDES, ROIS[:0], align, region)
    value.backward()
    assert torch.isfinite(value) and all(torch.isfinite(level.grad).all() for level in student)
    assert region == "full" or value.item() == 0
    flat = [torch.zeros_like(level, requires_grad=True) for level in student]
    value = pyramid_alignment(flat, pyramid(60), STRIDES, ROIS[:1], align, region)
    value.backward()
    assert torch.isfinite(value) and all(torch.isfinite(level.grad).all() for level in flat)
