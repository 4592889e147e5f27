"""A z-buffer triangle rasteriser in vectorised NumPy.

Conventions: image x right, y down, pixel centres at integer coordinates; depth grows away from the viewer. Vertices are
snapped to 1/4096 px, which makes the edge functions exact in float64 for coordinates within +-8192 px. Together with
the top-left fill rule, every pixel centre on an edge shared by two faces then belongs to exactly one of them: meshes
have neither cracks nor doubly drawn seams, whatever the order of their faces.

Method: Pineda, "A parallel algorithm for polygon rasterization", SIGGRAPH 1988 (edge functions), with the rows and then
the pixels of all triangles unrolled into flat arrays instead of loops.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SUBPIXEL = 4096.0
# Candidate pixels handled at once: bounds the working memory to some tens of MiB whatever the size of the mesh.
_CHUNK = 1 << 19


@dataclass(frozen=True)
class Fragments:
    """The nearest surface in every pixel of an image.

    face: (H, W) int32, index into the faces, -1 for background.
    barycentric: (H, W, 3) float32, weights of the face's three vertices; zero for background.
    depth: (H, W) float32, inf for background.
    """

    face: np.ndarray
    barycentric: np.ndarray
    depth: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool, True where a face was drawn."""
        return self.face >= 0


def rasterize(
    vertices: np.ndarray,
    faces: np.ndarray,
    height: int,
    width: int,
    *,
    inverse_depth: np.ndarray | None = None,
    cull_backfaces: bool = False,
) -> Fragments:
    """Draw triangles into a z-buffer.

    Args:
        vertices: (V, 3) x and y in pixels, z a depth that is linear in the image (orthographic depth). Faces with a
            non-finite vertex are skipped: put NaN where a vertex lies behind the camera.
        faces: (F, 3) integer vertex indices.
        height, width: image size in pixels.
        inverse_depth: (V,) 1 / camera z for perspective-correct weights and depth; the z of ``vertices`` is then unused
            and the depth returned is the camera z.
        cull_backfaces: skip faces that wind counter-clockwise on the screen. Faces whose right-hand normal, in a camera
            frame with x right, y down, z forward, points to the camera are kept.

    Returns:
        Fragments of shape (height, width). Of faces at the same depth, the one with the lowest index is kept.
    """
    points = np.asarray(vertices, np.float64)
    corners = np.asarray(faces).reshape(-1, 3).T  # (3, F): reductions over the corners then run along whole rows
    order = points[:, 2] if inverse_depth is None else np.asarray(inverse_depth, np.float64)
    x = np.rint(points[:, 0] * _SUBPIXEL)[corners]
    y = np.rint(points[:, 1] * _SUBPIXEL)[corners]
    order = order[corners]
    kept, box = _candidates(x, y, height, width, cull_backfaces)
    finite = np.isfinite(order[:, kept]).all(axis=0)
    kept, box = kept[finite], box[:, finite]
    x, y, order = x[:, kept], y[:, kept], order[:, kept]

    depth = np.full(height * width, np.inf)
    winner_of = np.full(height * width, -1, np.int32)
    a, b, c, threshold = _edges(x, y)
    # e_k / area is the weight of vertex k, so the sums below are the depth plane in subpixel coordinates.
    values = order / c.sum(axis=0)
    plane = np.stack([(a * values).sum(axis=0), (b * values).sum(axis=0), (c * values).sum(axis=0)])
    areas = (box[1] - box[0] + 1) * (box[3] - box[2] + 1)
    chunk = (np.cumsum(areas) - 1) // _CHUNK
    starts = np.flatnonzero(np.diff(chunk, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(kept)], strict=False):
        part = slice(start, stop)
        drawn = (box[:, part], a[:, part], b[:, part], c[:, part], threshold[:, part], plane[:, part])
        pixel, owner, z = _unroll(*drawn, width)
        if inverse_depth is not None:
            z = 1.0 / z
        nearer = np.flatnonzero(z < depth[pixel])
        pixel, owner, z = pixel[nearer], owner[nearer], z[nearer]
        np.minimum.at(depth, pixel, z)
        winner = np.flatnonzero(z == depth[pixel])[::-1]  # the last write wins: the lowest face index of a tie
        winner_of[pixel[winner]] = start + owner[winner]

    covered = np.flatnonzero(winner_of >= 0)
    shown = winner_of[covered]
    face = np.full(height * width, -1, np.int32)
    face[covered] = kept[shown]
    barycentric = np.zeros((height * width, 3), np.float32)
    barycentric[covered] = _weights(x, y, None if inverse_depth is None else order, covered, shown, width)
    return Fragments(
        face.reshape(height, width),
        barycentric.reshape(height, width, 3),
        depth.astype(np.float32).reshape(height, width),
    )


def interpolate(fragments: Fragments, faces: np.ndarray, attributes: np.ndarray, background: float = 0.0) -> np.ndarray:
    """Blend per-vertex attributes over the drawn pixels.

    Args:
        fragments: from :func:`rasterize` with the same ``faces``.
        attributes: (V, C) or (V,).
        background: value of the pixels without a face.

    Returns:
        (H, W, C) or (H, W) float32.
    """
    attributes = np.asarray(attributes, np.float32)
    out = np.full(fragments.face.shape + attributes.shape[1:], background, np.float32)
    flat = out.reshape(-1, *attributes.shape[1:])
    covered = np.flatnonzero(fragments.face.reshape(-1) >= 0)
    corner = np.asarray(faces)[fragments.face.reshape(-1)[covered]]
    weight = fragments.barycentric.reshape(-1, 3)[covered]
    weight = weight.reshape(len(covered), 3, *([1] * (attributes.ndim - 1)))
    flat[covered] = sum(attributes[corner[:, k]] * weight[:, k] for k in range(3))
    return out


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) float32 unit normals: area-weighted means of the right-hand normals of the faces around each vertex."""
    vertices = np.asarray(vertices, np.float32)
    faces = np.asarray(faces)
    a, b, c = vertices[faces[:, 0]], vertices[faces[:, 1]], vertices[faces[:, 2]]
    (ux, uy, uz), (vx, vy, vz) = (b - a).T, (c - a).T
    normal = (uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)
    index = faces.reshape(-1)
    summed = [np.bincount(index, np.repeat(component, 3), len(vertices)) for component in normal]
    total = np.stack(summed, axis=1)
    length = np.sqrt(np.einsum("ij,ij->i", total, total))
    return (total / np.maximum(length, 1e-12)[:, None]).astype(np.float32)


def vertex_visibility(vertices_px: np.ndarray, fragments: Fragments, tolerance: float) -> np.ndarray:
    """Whether points on a surface are seen in its z-buffer.

    A point is hidden when all of the (up to four) pixels around it show something nearer by more than ``tolerance``;
    asking all four keeps points on a silhouette, whose own pixel may just miss the mesh.

    Args:
        vertices_px: (N, 3) x, y in pixels and the depth that the z-buffer holds (camera z in perspective).
        fragments: from :func:`rasterize`.
        tolerance: in units of depth; about the depth a surface spans within a pixel.

    Returns:
        (N,) bool; False outside the image.
    """
    height, width = fragments.depth.shape
    points = np.asarray(vertices_px, np.float64)
    finite = np.isfinite(points).all(axis=1)
    x, y, z = np.nan_to_num(points, nan=-1.0, posinf=-1.0, neginf=-1.0).T
    inside = finite & (x >= -0.5) & (y >= -0.5) & (x <= width - 0.5) & (y <= height - 0.5)
    left = np.clip(np.floor(x), 0, width - 1).astype(np.int64)
    top = np.clip(np.floor(y), 0, height - 1).astype(np.int64)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    depth = fragments.depth
    farthest = np.maximum.reduce([depth[top, left], depth[top, right], depth[bottom, left], depth[bottom, right]])
    return inside & (z <= farthest + tolerance)


def _candidates(
    x: np.ndarray, y: np.ndarray, height: int, width: int, cull_backfaces: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Faces that may cover a pixel centre, and their inclusive, clipped pixel boxes (4, F): x0, x1, y0, y1.

    x, y: (3, F) snapped subpixel coordinates of the corners.
    """
    with np.errstate(invalid="ignore"):
        area = (x[1] - x[0]) * (y[2] - y[0]) - (y[1] - y[0]) * (x[2] - x[0])
        x0 = np.maximum(np.ceil(x.min(axis=0) / _SUBPIXEL), 0)
        x1 = np.minimum(np.floor(x.max(axis=0) / _SUBPIXEL), width - 1)
        y0 = np.maximum(np.ceil(y.min(axis=0) / _SUBPIXEL), 0)
        y1 = np.minimum(np.floor(y.max(axis=0) / _SUBPIXEL), height - 1)
        keep = (x0 <= x1) & (y0 <= y1) & ((area < 0) if cull_backfaces else (area != 0))
        keep &= np.isfinite(area)
    kept = np.flatnonzero(keep)
    return kept, np.stack([x0[kept], x1[kept], y0[kept], y1[kept]]).astype(np.int64)


def _edges(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Edge functions e_k = a_k x + b_k y + c_k, positive inside, of the edges opposite to vertex k; each (3, F).

    The threshold is 0 for top and left edges, which own the pixels on them, and 1 (the next integer) for the others.
    """
    xi, yi = x[[1, 2, 0]], y[[1, 2, 0]]
    xj, yj = x[[2, 0, 1]], y[[2, 0, 1]]
    a, b = yi - yj, xj - xi
    c = xi * yj - xj * yi
    sign = np.sign(c.sum(axis=0))
    a, b, c = a * sign, b * sign, c * sign
    top_left = (a > 0) | ((a == 0) & (b > 0))
    return a, b, c, np.where(top_left, 0.0, 1.0)


def _unroll(
    box: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    c: np.ndarray,
    threshold: np.ndarray,
    plane: np.ndarray,
    width: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels covered by each face: flat pixel index, index of the face within the arguments, value of the plane."""
    owner, y = _ranges(box[2], box[3])
    y_sub = y * _SUBPIXEL
    x0, x1 = box[0][owner].astype(np.float64), box[1][owner].astype(np.float64)
    edges = []
    for k in range(3):
        row, slope = b[k][owner] * y_sub + c[k][owner], (a[k] * _SUBPIXEL)[owner]
        limit = threshold[k][owner]
        edges.append((row, slope, limit))
        # The covered span of each row. The division may be off in the last digits, so the span starts 1e-6 px too wide
        # and its two end pixels are then tested exactly.
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = -row / slope
        np.maximum(x0, np.ceil(crossing - 1e-6), out=x0, where=slope > 0)
        np.minimum(x1, np.floor(crossing + 1e-6), out=x1, where=slope < 0)
    shift0, shift1 = np.zeros(len(y), bool), np.zeros(len(y), bool)
    for row, slope, limit in edges:
        shift0 |= (slope > 0) & (row + slope * x0 < limit)
        shift1 |= (slope < 0) & (row + slope * x1 < limit)
        x1[(slope == 0) & (row < limit)] = -1
    x0 += shift0
    x1 -= shift1
    used = np.flatnonzero(x0 <= x1)
    owner, y, y_sub = owner[used], y[used], y_sub[used]
    index, x = _ranges(x0[used].astype(np.int64), x1[used].astype(np.int64))
    z_start = plane[1][owner] * y_sub + plane[2][owner]
    z_slope = plane[0][owner] * _SUBPIXEL
    return (y * width)[index] + x, owner[index], z_start[index] + z_slope[index] * x


def _ranges(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Concatenate integer ranges first..last (inclusive, possibly empty): the owner of each value, and the values."""
    count = np.maximum(last - first + 1, 0)
    owner = np.repeat(np.arange(len(count)), count)
    end = np.cumsum(count)
    return owner, np.arange(len(owner)) - np.repeat(end - count - first, count)


def _weights(
    x: np.ndarray, y: np.ndarray, inverse_depth: np.ndarray | None, pixel: np.ndarray, owner: np.ndarray, width: int
) -> np.ndarray:
    """(P, 3) float32 barycentric weights of the flat pixels in their faces: only of the winners, so that hidden
    fragments never pay for them. x, y and inverse_depth are (3, F), the last in perspective only.
    """
    # In pixels relative to the first vertex of each face, which float32 holds well even for large meshes.
    origin_x, origin_y = x[0] / _SUBPIXEL, y[0] / _SUBPIXEL
    a, b, c, _ = _edges(x / _SUBPIXEL - origin_x, y / _SUBPIXEL - origin_y)
    scale = 1.0 / c.sum(axis=0)
    if inverse_depth is not None:
        scale = scale * inverse_depth
    a, b, c = ((value * scale).astype(np.float32) for value in (a, b, c))
    row = pixel // width
    px = (pixel - row * width - origin_x[owner]).astype(np.float32)
    py = (row - origin_y[owner]).astype(np.float32)
    weight = np.stack([a[k][owner] * px + b[k][owner] * py + c[k][owner] for k in range(3)])
    if inverse_depth is not None:
        weight /= weight.sum(axis=0)
    return weight.T
