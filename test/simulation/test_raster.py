"""The rasteriser against a per-pixel loop, and its invariances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thermal_kd_ros.simulation.raster import interpolate, rasterize, vertex_normals, vertex_visibility


def _random_mesh(seed: int, faces: int = 14, size: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Separate triangles: faces that share a vertex would tie in depth on it, and rounding would pick the winner."""
    rng = np.random.default_rng(seed)
    points = rng.uniform([-4, -4, 1], [size + 4, size + 4, 9], (3 * faces, 3))
    # Half of the vertices on pixel centres: edges then pass exactly through pixels, where the fill rule matters.
    points[::2, :2] = np.rint(points[::2, :2])
    return points.astype(np.float32), np.arange(3 * faces).reshape(faces, 3)


def _brute_force(
    vertices: np.ndarray, faces: np.ndarray, height: int, width: int, inverse: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    points = np.rint(vertices[:, :2].astype(np.float64) * 4096) / 4096
    depth = np.full((height, width), np.inf)
    face = np.full((height, width), -1)
    weights = np.zeros((height, width, 3))
    for index, triangle in enumerate(faces):
        a, b, c = points[triangle]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if area == 0:
            continue
        for y in range(height):
            for x in range(width):
                w, inside = np.zeros(3), True
                for k, (p, q) in enumerate(((b, c), (c, a), (a, b))):
                    if area < 0:
                        p, q = q, p
                    edge = (q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0])
                    owns = q[1] < p[1] or (q[1] == p[1] and q[0] > p[0])
                    inside &= edge > 0 or (edge == 0 and owns)
                    w[k] = edge / abs(area)
                if not inside:
                    continue
                if inverse is None:
                    z = w @ vertices[triangle, 2].astype(np.float64)
                else:
                    z = 1.0 / (w @ inverse[triangle])
                    w = w * inverse[triangle] * z
                if z < depth[y, x]:
                    depth[y, x], face[y, x], weights[y, x] = z, index, w
    return face, weights, depth


@pytest.mark.parametrize("perspective", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_equals_a_loop_over_pixels(seed: int, perspective: bool) -> None:
    vertices, faces = _random_mesh(seed)
    inverse = 1.0 / vertices[:, 2].astype(np.float64) if perspective else None
    got = rasterize(vertices, faces, 16, 18, inverse_depth=inverse)
    face, weights, depth = _brute_force(vertices, faces, 16, 18, inverse)
    np.testing.assert_array_equal(got.face, face)
    np.testing.assert_allclose(got.depth, depth, rtol=1e-5)
    np.testing.assert_allclose(got.barycentric, weights, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_order_of_faces_does_not_matter(seed: int) -> None:
    vertices, faces = _random_mesh(seed)
    order = np.random.default_rng(seed).permutation(len(faces))
    first = rasterize(vertices, faces, 16, 16)
    second = rasterize(vertices, faces[order], 16, 16)
    np.testing.assert_allclose(first.depth, second.depth, rtol=1e-6)
    np.testing.assert_array_equal(first.mask, second.mask)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), dx=st.integers(0, 9), dy=st.integers(0, 9))
def test_whole_pixel_translation_shifts_the_image(seed: int, dx: int, dy: int) -> None:
    vertices, faces = _random_mesh(seed)
    vertices[:, :2] = np.rint(vertices[:, :2] * 64) / 64  # exactly representable after the shift as well
    moved = vertices + np.float32([dx, dy, 0])
    first = rasterize(vertices, faces, 16, 16)
    second = rasterize(moved, faces, 16 + dy, 16 + dx)
    np.testing.assert_array_equal(second.face[dy:, dx:], first.face)
    np.testing.assert_allclose(second.depth[dy:, dx:], first.depth, rtol=1e-6)


def test_shared_edges_neither_crack_nor_overlap() -> None:
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.arange(9), np.arange(9)), -1).astype(np.float64) * 5.0
    grid[1:-1, 1:-1] += rng.integers(-2, 3, (7, 7, 2))
    points = np.concatenate([grid.reshape(-1, 2), np.ones((81, 1))], axis=1)
    i, j = np.meshgrid(np.arange(8), np.arange(8), indexing="ij")
    a = (i * 9 + j).reshape(-1)
    faces = np.concatenate([np.stack([a, a + 1, a + 9], -1), np.stack([a + 1, a + 10, a + 9], -1)])
    covered = np.zeros((50, 50), int)
    for face in faces:
        covered += rasterize(points, face[None], 50, 50).mask
    assert np.all(covered[:40, :40] == 1)
    assert covered.sum() == 1600


def test_perspective_interpolation_is_linear_in_space() -> None:
    camera = np.array([[-1.0, 0.5, 2.0], [1.5, 0.5, 6.0], [0.0, -1.0, 3.0]])
    pixels = np.concatenate([camera[:, :2] / camera[:, 2:] * 40 + 32, camera[:, 2:]], axis=1)
    faces = np.array([[0, 1, 2]])
    fragments = rasterize(pixels, faces, 64, 64, inverse_depth=1 / camera[:, 2])
    position = interpolate(fragments, faces, camera)
    mask = fragments.mask
    y, x = np.nonzero(mask)
    np.testing.assert_allclose(position[mask][:, 2], fragments.depth[mask], rtol=1e-5)
    np.testing.assert_allclose(position[mask][:, 0] / position[mask][:, 2] * 40 + 32, x, atol=1e-3)
    np.testing.assert_allclose(position[mask][:, 1] / position[mask][:, 2] * 40 + 32, y, atol=1e-3)


def test_culling_keeps_faces_that_look_at_the_camera() -> None:
    vertices = np.array([[2, 2, 5], [2, 12, 5], [12, 2, 5]], np.float32)
    toward = np.array([[0, 1, 2]])
    assert vertex_normals(vertices, toward)[0, 2] == -1.0
    assert rasterize(vertices, toward, 16, 16, cull_backfaces=True).mask.any()
    assert not rasterize(vertices, toward[:, ::-1], 16, 16, cull_backfaces=True).mask.any()


def test_visibility_behind_and_in_front_of_a_wall() -> None:
    wall = np.array([[-50, -50, 5], [-50, 200, 5], [200, -50, 5]], np.float32)
    fragments = rasterize(wall, np.array([[0, 1, 2]]), 20, 20)
    points = np.array([[5, 5, 4.0], [5, 5, 5.0], [5, 5, 6.0], [-5, 5, 1.0], [np.nan, 5, 1.0]])
    np.testing.assert_array_equal(vertex_visibility(points, fragments, 0.1), [True, True, False, False, False])


def test_empty_and_invisible_input() -> None:
    nothing = rasterize(np.zeros((0, 3)), np.zeros((0, 3), int), 4, 5)
    assert nothing.face.shape == (4, 5) and not nothing.mask.any()
    behind = np.array([[0, 0, 1], [9, 0, 1], [0, 9, np.nan]])
    assert not rasterize(behind, np.array([[0, 1, 2]]), 4, 5).mask.any()
    assert np.isinf(nothing.depth).all()
    np.testing.assert_array_equal(
        interpolate(nothing, np.zeros((0, 3), int), np.zeros((0, 2)), -1.0), -np.ones((4, 5, 2))
    )
