"""Distillation losses that the two methods are compared with: float64 computations by hand, routing, empty batches."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training.losses.ckd import content, style  # noqa: E402
from training.losses.crd import crd  # noqa: E402
from training.losses.crosskd import align_scale, box_overlap, quality_focal  # noqa: E402
from training.losses.cwd import cwd  # noqa: E402
from training.losses.embed_distill import embed_distill  # noqa: E402
from training.losses.gkd import gkd, tokens  # noqa: E402
from training.losses.wcord import Critic, dual, primal, transport_plan  # noqa: E402


def normal(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def unit(seed, *shape):
    return torch.nn.functional.normalize(normal(seed, *shape), dim=-1)


def one_sided(loss, student, teacher):
    """The loss reaches the student, never the teacher."""
    student, teacher = student.clone().requires_grad_(), teacher.clone().requires_grad_()
    loss(student, teacher).backward()
    assert teacher.grad is None and student.grad.abs().max() > 0


# CKD

def test_style_and_content_equal_numpy():
    a, b = normal(0, 2, 3, 4, 5), normal(1, 2, 3, 4, 5) * 2 + 1
    total = matched = 0.0
    for i in range(2):
        for c in range(3):
            x, y = a[i, c].numpy(), b[i, c].numpy()
            total += (x.mean() - y.mean()) ** 2 + (x.std() - y.std()) ** 2
            matched += (((x - x.mean()) / np.sqrt(x.var() + 1e-5)
                         - (y - y.mean()) / np.sqrt(y.var() + 1e-5)) ** 2).mean()
    assert style(a, b).item() == pytest.approx(total / 6, rel=1e-6)
    assert content(a, b).item() == pytest.approx(matched / 6, rel=1e-9)


def test_style_minds_only_statistics_and_content_all_but_them():
    a, b = normal(2, 2, 3, 4, 4), normal(3, 2, 3, 4, 4)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    shuffled = a.flatten(2)[..., order].view_as(a)
    torch.testing.assert_close(style(shuffled, b), style(a, b))
    torch.testing.assert_close(content(a * 3 + 2, b), content(a, b), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(style(a, b), style(b, a))
    one_sided(content, a, b)
    flat = torch.zeros_like(a, requires_grad=True)
    (style(flat, b) + content(flat, b)).backward()
    assert torch.isfinite(flat.grad).all()


# CRD

def slow_crd(student, teacher, negatives, temperature):
    def side(anchors, keys):
        n, m = len(keys), len(keys) - 1
        similar = np.exp(anchors @ keys.T / temperature)
        p = similar / (similar.mean() * n)
        total = 0.0
        for i in range(len(anchors)):
            total += math.log(p[i, i] / (p[i, i] + m / n))
            total += sum(math.log((m / n) / (p[i, k] + m / n)) for k in range(n) if k != i)
        return -total / len(anchors)

    keys = teacher if negatives is None else np.concatenate([teacher, negatives])
    return side(student, keys) + side(teacher, student)


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_crd_equals_a_loop(temperature):
    s, t, more = unit(0, 5, 8), unit(1, 5, 8), unit(2, 7, 8)
    for negatives in (None, more):
        expected = slow_crd(s.numpy(), t.numpy(), None if negatives is None else negatives.numpy(), temperature)
        assert crd(s, t, negatives, temperature).item() == pytest.approx(expected, rel=1e-9)


def test_crd_prefers_the_right_partner_and_remembered_rows_do_not_learn():
    s, more = unit(3, 6, 8), unit(4, 5, 8).requires_grad_()
    assert crd(s, s) < crd(s, s.roll(1, 0))
    order = torch.randperm(6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(crd(s[order], s[order].flip(1)), crd(s, s.flip(1)))
    s.requires_grad_()
    crd(s, unit(5, 6, 8), more).backward()
    assert s.grad.abs().max() > 0 and more.grad is None


# WCoRD

def test_dual_is_the_difference_of_means():
    scores = normal(0, 4, 4)
    paired = [scores[i, i].item() for i in range(4)]
    unpaired = [scores[i, j].item() for i in range(4) for j in range(4) if i != j]
    assert dual(scores, 0.7).item() == pytest.approx(-(np.mean(paired) - 0.7 * np.mean(unpaired)), rel=1e-9)


def test_the_critic_is_one_lipschitz():
    torch.manual_seed(0)
    critic = Critic(4).train()
    for _ in range(30):
        critic(torch.zeros(1, 4), torch.zeros(1, 4))
    critic.eval()
    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn(500, 8, generator=generator), torch.randn(500, 8, generator=generator)
    rise = (critic(a[:, :4], a[:, 4:]) - critic(b[:, :4], b[:, 4:])).abs()
    assert (rise <= (a - b).norm(dim=1) * 1.001).all()
    assert rise.max() > 0


def test_the_critic_learns_to_tell_pairs():
    torch.manual_seed(0)
    critic, generator = Critic(4), torch.Generator().manual_seed(2)
    optimiser = torch.optim.Adam(critic.parameters(), 1e-2)
    values = []
    for _ in range(150):
        teacher = torch.nn.functional.normalize(torch.randn(32, 4, generator=generator), dim=1)
        student = teacher
        scores = critic(teacher[:, None].expand(-1, 32, -1), student[None].expand(32, -1, -1))
        loss = dual(scores)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        values.append(loss.item())
    assert np.mean(values[-20:]) < np.mean(values[:20]) - 0.05


def slow_sinkhorn(cost, epsilon, iterations):
    kernel = np.exp(-cost / epsilon)
    n, m = cost.shape
    u, v = np.ones(n), np.ones(m)
    for _ in range(iterations):
        u = (1 / n) / (kernel @ v)
        v = (1 / m) / (kernel.T @ u)
    return u[:, None] * kernel * v[None]


def test_transport_equals_plain_sinkhorn_and_the_best_assignment():
    from itertools import permutations

    s, t = normal(0, 5, 6), normal(1, 5, 6)
    cost = 1 - (t / t.norm(dim=1, keepdim=True)) @ (s / s.norm(dim=1, keepdim=True)).T
    np.testing.assert_allclose(transport_plan(cost, 0.1, 80), slow_sinkhorn(cost.numpy(), 0.1, 80), atol=1e-12)
    plan = transport_plan(cost, 0.1, 1000).numpy()
    np.testing.assert_allclose(plan.sum(0), 0.2, atol=1e-9)
    np.testing.assert_allclose(plan.sum(1), 0.2, atol=1e-9)
    assert primal(s, t, 0.1, 1000).item() == pytest.approx(float((plan * cost.numpy()).sum()), rel=1e-9)
    best = min(sum(cost[i, p[i]].item() for i in range(5)) / 5 for p in permutations(range(5)))
    assert primal(s, t, 0.002, 3000).item() == pytest.approx(best, abs=1e-3)


def test_transport_does_not_mind_order_and_moves_the_student_only():
    s, t = normal(2, 6, 4), normal(3, 6, 4)
    torch.testing.assert_close(primal(s.flip(0), t, iterations=500), primal(s, t, iterations=500), atol=1e-6, rtol=1e-6)
    one_sided(primal, s, t)


# GKD

def test_gkd_equals_a_loop():
    s, t = normal(0, 2, 5, 4), normal(1, 2, 5, 3)
    query, value = normal(2, 3, 4), normal(3, 3, 4)
    total = 0.0
    for b in range(2):
        x = s[b].numpy()
        normed = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
        for i in range(5):
            weights = np.exp([(query.numpy() @ normed[i]) @ t[b, j].numpy() for j in range(5)])
            out = sum(w * (value.numpy() @ normed[j]) for j, w in enumerate(weights / weights.sum()))
            total += ((out - t[b, i].numpy()) ** 2).sum()
    assert gkd(s, t, query, value).item() == pytest.approx(total / 30, rel=1e-6)
    one_sided(lambda a, b: gkd(a, b, query, value), s, t)


def test_tokens_average_blocks():
    level = normal(4, 1, 2, 8, 6)
    found = tokens(level, 4)
    assert found.shape == (1, 16, 2)
    torch.testing.assert_close(found[0, 0, 1], level[0, 1, :2, :2].mean())
    assert tokens(level, 16).shape == (1, 48, 2)


# EmbedDistill

def test_embed_distill_is_the_mean_distance():
    s, t = normal(0, 5, 3), normal(1, 5, 3)
    expected = np.mean([math.dist(a, b) for a, b in zip(s.tolist(), t.tolist(), strict=True)])
    assert embed_distill(s, t).item() == pytest.approx(expected, rel=1e-9)
    one_sided(embed_distill, s, t)
    same = s.clone().requires_grad_()
    embed_distill(same, s).backward()
    assert torch.isfinite(same.grad).all()


# CWD

def test_cwd_equals_a_loop_and_ignores_offsets():
    s, t = normal(0, 2, 3, 4, 5), normal(1, 2, 3, 4, 5)
    total = 0.0
    for i in range(2):
        for c in range(3):
            p, q = np.exp(t[i, c].numpy() / 4), np.exp(s[i, c].numpy() / 4)
            p, q = p / p.sum(), q / q.sum()
            total += (p * np.log(p / q)).sum()
    assert cwd(s, t, 4.0).item() == pytest.approx(16 * total / 6, rel=1e-9)
    torch.testing.assert_close(cwd(s + 5, t - 3), cwd(s, t))
    assert cwd(s, s).item() == pytest.approx(0, abs=1e-12)
    one_sided(cwd, s, t)


# CrossKD

def test_align_scale_gives_the_teachers_statistics():
    s, t = normal(0, 2, 3, 4, 5) * 4 + 2, normal(1, 2, 3, 4, 5)
    moved = align_scale(s, t).numpy()
    np.testing.assert_allclose(moved.mean((0, 2, 3)), t.numpy().mean((0, 2, 3)), atol=1e-6)
    np.testing.assert_allclose(moved.std((0, 2, 3)), t.numpy().std((0, 2, 3)), atol=1e-5)
    torch.testing.assert_close(align_scale(s * 3 - 1, t), align_scale(s, t), atol=1e-5, rtol=1e-5)


def test_crosskd_equals_loops():
    x, t = normal(0, 6, 3), normal(1, 6, 3)
    total = weight = 0.0
    for a, b in zip(x.flatten().tolist(), t.flatten().tolist(), strict=True):
        p, q = 1 / (1 + math.exp(-a)), 1 / (1 + math.exp(-b))
        total -= abs(p - q) * (q * math.log(p) + (1 - q) * math.log(1 - p))
        weight += q
    assert quality_focal(x, t).item() == pytest.approx(total / max(1, weight), rel=1e-9)
    boxes = torch.tensor([[0.0, 0, 10, 10], [5, 5, 20, 15]], dtype=torch.float64)
    others = torch.tensor([[2.0, 1, 9, 12], [30, 30, 40, 50]], dtype=torch.float64)
    total = weight = 0.0
    for a, b, logits in zip(boxes.tolist(), others.tolist(), t[:2].tolist(), strict=True):
        inter = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
        union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter
        hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
        score = max(1 / (1 + math.exp(-v)) for v in logits)
        total += score * (1 - (inter / union - (hull - union) / hull))
        weight += score
    assert box_overlap(boxes, others, t[:2]).item() == pytest.approx(total / weight, rel=1e-6)
    one_sided(quality_focal, x, t)
    one_sided(lambda a, b: box_overlap(a, b, t[:2]), boxes, others)


@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize("loss", [crd, primal, embed_distill, lambda s, t: dual(s @ t.T)],
                         ids=["crd", "primal", "embed", "dual"])
def test_no_object_or_one_is_finite_and_connected(loss, rows):
    s = unit(0, rows, 4).requires_grad_()
    value = loss(s, unit(1, rows, 4))
    value.backward()
    assert torch.isfinite(value) and s.grad is not None and torch.isfinite(s.grad).all()
