"""Clips of flying things become a COCO set that is split by clip."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from training.data.coco import CocoDetection, DataError
from training.data.prepare_sky import CATEGORIES, main, prepare, read_listing, splits_of


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Three clips of ten frames, two of birds, whose box moves a pixel a frame and whose grey tells the frame."""
    folder = tmp_path / "clips"
    folder.mkdir()
    videos, annotations = [], []
    for video, (name, category) in enumerate((("b2.avi", 7), ("a.avi", 7), ("d.avi", 9))):
        writer = cv2.VideoWriter(str(folder / name), cv2.VideoWriter.fourcc(*"MJPG"), 30, (64, 48))
        if not writer.isOpened():
            pytest.skip("this OpenCV writes no video")
        for frame in range(10):
            writer.write(np.full((48, 64, 3), 20 * frame, np.uint8))
            annotations.append({"video_id": video, "frame_index": frame, "category_id": category,
                                "bbox": [frame, 5, 8, 6]})
        writer.release()
        videos.append({"id": video, "file_name": name})
    (folder / "boxes.json").write_text(json.dumps({
        "videos": videos, "annotations": annotations,
        "categories": [{"id": 7, "name": "bird"}, {"id": 9, "name": "drone"}]}))
    return folder


def test_frames_keep_their_boxes_and_no_clip_is_in_both_splits(clips: Path, tmp_path: Path) -> None:
    assert prepare(clips, tmp_path / "out", 4) == {"train": 6, "val": 3}
    assert splits_of(*read_listing(clips)[:2]) == {0: "val", 1: "train", 2: "train"}
    for split, names in (("train", ["a", "d"]), ("val", ["b2"])):
        data = CocoDetection(tmp_path / "out", split, classes=CATEGORIES)
        assert sorted({image["file_name"].rpartition("_")[0] for image in data.images}) == names
        for i, image in enumerate(data.images):
            frame = int(Path(image["file_name"]).stem.rpartition("_")[2])
            boxes, labels = data.boxes(i)
            np.testing.assert_allclose(boxes, [[frame, 5, frame + 8, 11]])
            assert CATEGORIES[labels[0]] == ("drone" if image["file_name"].startswith("d") else "bird")
            assert abs(float(data[i].values.mean()) - 20 * frame) < 4
    # To a detector of people it is background.
    background = CocoDetection(tmp_path / "out", "val", ("person",), absent=("person",), background=CATEGORIES)
    assert background.labelled.all() and not len(background.boxes(0)[0])


def test_what_cannot_be_read_is_named(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listing = clips / "boxes.json"
    good = listing.read_text()
    for content in ("[]", good.replace('"bird"', '"balloon"'), good.replace("[0, 5, 8, 6]", "[0, 5, 0, 6]")):
        listing.write_text(content)
        with pytest.raises(DataError, match=r"boxes\.json: not the list"):
            prepare(clips, tmp_path / "out", 1)
    listing.write_text(good)
    (clips / "a.avi").write_text("no video")
    for arguments, said in (([], "a.avi cannot be read as a video"), (["--step", "0"], "--step 0")):
        assert main(["--clips", str(clips), "--output", str(tmp_path / "out"), *arguments]) == 1
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out" / "train.json").exists()


def test_the_real_clips_are_split_by_scenery(shared_data: Path) -> None:
    if not (shared_data / "drone_ir").is_dir():
        pytest.skip("the clips are not on this machine")
    files, shown, rows = read_listing(shared_data / "drone_ir")
    splits = splits_of(files, shown)
    assert sorted(splits.values()) == ["train"] * 4 + ["val"] * 4 and len(rows) == 2478
