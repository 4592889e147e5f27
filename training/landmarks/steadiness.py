"""How much landmarks tremble and how far they lag behind, with and without smoothing in time.

``python3 -m training.landmarks.steadiness --data data``

Faces are found by the pipeline that runs on the robot, once; the smoothing is then tried on what it found. Simulated
moving heads (rendered in a room, at ``--rate``, at their own speed and ``--fast`` times as fast) have exact truth:

- jitter: root mean square of the second difference in time of the error, divided by sqrt(6), which for white noise
  is its standard deviation; per axis, in percent of the longer side of the face box;
- lag: by how many milliseconds more the smoothed points follow the truth late than those that were found, by least
  squares of the error on the truth's velocity;
- error: mean distance to the truth, in percent of the same side.

The real thermal video of ``feverscreen`` has no truth: there the jitter is that of the points themselves, with the
motion of the head in it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from thermal_kd_ros.config import ConfigError, FaceConfig, PerceptionConfig, SmoothingConfig, with_values
from thermal_kd_ros.drawing import annotate
from thermal_kd_ros.engines.errors import EngineError
from thermal_kd_ros.evaluation.landmarks import match
from thermal_kd_ros.frames import ThermalFrame
from thermal_kd_ros.images import write_image
from thermal_kd_ros.models.card import ModelError
from thermal_kd_ros.pipeline import ThermalPerception
from thermal_kd_ros.results import FaceLandmarks
from thermal_kd_ros.simulation.camera import SimulatedCamera
from thermal_kd_ros.simulation.config import SimulationConfig
from thermal_kd_ros.smoothing import LandmarkSmoother
from training.command import command
from training.data.archives import read_clip
from training.data.coco import DataError
from training.options import check_number
from training.outputs import check_picture

_SHORTEST = 8
"""Tracks of fewer frames say nothing about lag."""


@dataclass(frozen=True)
class FaceTrack:
    """One face over T frames."""

    stamps: np.ndarray
    """(T,) seconds."""
    boxes: np.ndarray
    """(T, 4)."""
    points: np.ndarray
    """(T, K, 2) as found, pixels."""
    truth: np.ndarray
    """(T, K, 2), NaN without truth."""

    @property
    def side(self) -> float:
        """Mean longer side of the face box, pixels."""
        return float((self.boxes[:, 2:] - self.boxes[:, :2]).max(axis=1).mean())


def smoothed(track: FaceTrack, config: SmoothingConfig) -> np.ndarray:
    """The points (T, K, 2) of a track as the pipeline would publish them."""
    smoother, out = LandmarkSmoother(config, 1.0), []
    for stamp, box, points in zip(track.stamps, track.boxes, track.points, strict=True):
        ones = np.ones((1, len(points)), np.float32)
        face = FaceLandmarks(box[None], ones[:, 0], points[None].astype(np.float32), ones, ones, "", np.zeros(1, int))
        out.append(smoother.update(face, float(stamp)).points[0])
    return np.array(out, np.float64)


def jitter(values: np.ndarray) -> float:
    """Standard deviation of white noise with the second difference of values (T, ...) along the first axis."""
    return float(np.sqrt(np.mean(np.diff(values, 2, axis=0) ** 2) / 6.0))


def lag(points: np.ndarray, truth: np.ndarray, stamps: np.ndarray) -> float:
    """Seconds by which points (T, K, 2) follow the truth late: least squares of their error on the truth's velocity.

    A constant offset of each point does not count as lag.
    """
    velocity = np.gradient(truth, stamps, axis=0)
    error = points - truth
    velocity, error = velocity - velocity.mean(axis=0), error - error.mean(axis=0)
    return float(-(error * velocity).sum() / max(float((velocity**2).sum()), 1e-12))


def _collected(rows: dict[int, list[tuple[float, np.ndarray, np.ndarray, np.ndarray]]]) -> list[FaceTrack]:
    tracks = []
    for found in rows.values():
        if len(found) >= _SHORTEST:
            stamps, boxes, points, truth = (np.array(column) for column in zip(*found, strict=True))
            tracks.append(FaceTrack(stamps, boxes, points, truth))
    return tracks


def simulated_tracks(perception: ThermalPerception, scenes: int, seconds: float, rate: float, speed: float = 1.0
                     ) -> list[FaceTrack]:
    """Tracks of heads in simulated rooms whose clock runs ``speed`` times as fast as the stamps."""
    tracks = []
    for seed in tqdm(range(scenes), desc=f"rooms at {speed:g} x", mininterval=5.0, disable=None):
        camera = SimulatedCamera(SimulationConfig(seed=900 + seed, scene="indoor", width=320, height=256,
                                                  rate_hz=rate / speed, shutter_interval_s=0.0))
        rows: dict[int, list[tuple[float, np.ndarray, np.ndarray, np.ndarray]]] = defaultdict(list)
        for frame in camera.frames(int(seconds * rate)):
            stamp = frame.stamp / speed
            image = ThermalFrame.from_array(frame.image, perception.config.thermal, stamp, f"{speed}/{seed}")
            faces = perception.process([image])[0].faces
            true = [face for face in frame.faces if not face.ignore]
            boxes = np.array([face.box for face in true], np.float32).reshape(-1, 4)
            for i, j in match(faces.boxes, boxes, faces.scores):
                row = (stamp, faces.boxes[i], faces.points[i], true[j].landmarks)
                rows[int(faces.track_ids[i])].append(row)
        tracks += _collected(rows)
    return tracks


def video_tracks(perception: ThermalPerception, folder: Path) -> list[FaceTrack]:
    """Tracks in the clips of feverscreen."""
    tracks = []
    for path in tqdm(sorted(folder.glob("*.npz")), desc="clips", mininterval=5.0, disable=None):
        frames, stamps = read_clip(path)
        rows: dict[int, list[tuple[float, np.ndarray, np.ndarray, np.ndarray]]] = defaultdict(list)
        for values, stamp in zip(frames, stamps, strict=True):
            image = ThermalFrame.from_array(values, perception.config.thermal, float(stamp), path.stem)
            faces = perception.process([image])[0].faces
            for box, points, track in zip(faces.boxes, faces.points, faces.track_ids.tolist(), strict=True):
                rows[track].append((float(stamp), box, points, np.full_like(points, np.nan)))
        tracks += _collected(rows)
    return tracks


def clip_sheet(perception: ThermalPerception, folder: Path, path: Path, columns: int = 6, height: int = 320) -> None:
    """A picture with one annotated frame, the one in the middle, of every clip of feverscreen."""
    tiles = []
    for clip_path in sorted(folder.glob("*.npz")):
        frames, _ = read_clip(clip_path)
        frame = ThermalFrame.from_array(frames[len(frames) // 2], perception.config.thermal)
        picture = annotate(perception.process([frame])[0], perception.contrast, scale=2)
        width = round(picture.shape[1] * height / picture.shape[0])
        tiles.append(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    write_image(path, np.vstack(rows))


def with_truth(tracks: list[FaceTrack], config: SmoothingConfig) -> dict[str, float]:
    """Mean over tracks, weighted by frames."""
    rows, weights = [], []
    for track in tracks:
        points = smoothed(track, config)
        error = (points - track.truth) / track.side
        late = lag(points, track.truth, track.stamps) - lag(track.points, track.truth, track.stamps)
        rows.append([100 * jitter(error), 1e3 * late, 100 * float(np.linalg.norm(error, axis=2).mean())])
        weights.append(len(track.stamps))
    mean = np.average(np.array(rows), axis=0, weights=weights)
    return dict(zip(("jitter_percent", "lag_ms", "error_percent"), mean.tolist(), strict=True))


def without_truth(tracks: list[FaceTrack], config: SmoothingConfig) -> dict[str, float]:
    """Jitter of points, and of boxes as they are, weighted by frames."""
    weights = [len(track.stamps) for track in tracks]
    points = [100 * jitter(smoothed(track, config) / track.side) for track in tracks]
    boxes = [100 * jitter(track.boxes / track.side) for track in tracks]
    return {"jitter_percent": float(np.average(points, weights=weights)),
            "box_jitter_percent": float(np.average(boxes, weights=weights))}


@command(ConfigError, DataError, ModelError, EngineError, OSError)
def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python3 -m training.landmarks.steadiness",
                                     description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with feverscreen; without it only simulated heads are used")
    parser.add_argument("--detector", default=FaceConfig.detector_model, help="face detector")
    parser.add_argument("--landmarks", default=FaceConfig.landmark_model, help="landmark model")
    parser.add_argument("--scenes", type=int, default=8, help="simulated rooms")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of each")
    parser.add_argument("--rate", type=float, default=30.0, help="frames a second of the simulated camera")
    parser.add_argument("--fast", type=float, default=4.0, help="how many times as fast heads move in the second run")
    parser.add_argument("--min-cutoff", type=float, nargs="+", default=[SmoothingConfig.min_cutoff_hz])
    parser.add_argument("--speed-gain", type=float, nargs="+", default=[SmoothingConfig.speed_gain])
    parser.add_argument("--sheet", type=Path, metavar="PICTURE", help="only draw a frame of every clip of feverscreen; "
                        "its people are recognisable: not for publishing")
    args = parser.parse_args(argv)
    clips = args.data and args.data / "feverscreen"
    if args.sheet:
        if not clips:
            raise DataError("--sheet needs --data with the folder feverscreen")
        check_picture(args.sheet)
    if clips and not any(clips.glob("*.npz")):
        raise DataError(f"{clips} has no clips *.npz; give the folder of feverscreen by --data"
                        + ("" if args.sheet else ", or leave it out for simulated heads alone"))
    check_number("--scenes", args.scenes, 1)
    check_number("--rate", args.rate, 1)
    check_number("--seconds", args.seconds, _SHORTEST / args.rate)
    check_number("--fast", args.fast, 1)
    # Nobody looks at objects here: the small face detector stands in for their detector.
    perception = ThermalPerception(with_values(PerceptionConfig(), {
        "detector.model": args.detector, "detector.score_threshold": 1.0, "face.detector_model": args.detector,
        "face.landmark_model": args.landmarks, "smoothing.enabled": False, "engine.threads": 1}))
    tried = {"off": SmoothingConfig(enabled=False)} | {
        f"min_cutoff_hz {cutoff:g}, speed_gain {gain:g}": with_values(PerceptionConfig(), {
            "smoothing.min_cutoff_hz": cutoff, "smoothing.speed_gain": gain}).smoothing
        for cutoff in args.min_cutoff for gain in args.speed_gain}
    if args.sheet:
        clip_sheet(perception, clips, args.sheet)
        return 0
    usual = simulated_tracks(perception, args.scenes, args.seconds, args.rate)
    fast = simulated_tracks(perception, args.scenes, args.seconds, args.rate, args.fast)
    for tracks, option in ((usual, ""), (fast, f" --fast {args.fast:g}")):
        if not tracks:
            raise DataError(f"--scenes {args.scenes} --seconds {args.seconds:g}{option}: no face was followed over "
                            f"{_SHORTEST} frames; give more scenes or seconds")
    video = video_tracks(perception, clips) if clips else []
    for name, config in tried.items():
        figures = {"simulated": with_truth(usual, config), f"simulated, {args.fast:g} x": with_truth(fast, config)}
        if video:
            figures["feverscreen"] = without_truth(video, config)
        print(json.dumps({name: {on: {k: round(v, 2) for k, v in f.items()} for on, f in figures.items()}}))
    print(json.dumps({"frames": {"simulated": sum(len(t.stamps) for t in usual),
                                 "fast": sum(len(t.stamps) for t in fast),
                                 "feverscreen": sum(len(t.stamps) for t in video)}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
