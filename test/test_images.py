"""Image files: every kind keeps its values, and every unusable one is named with a remedy."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest

from thermal_kd_ros.frames import FrameError
from thermal_kd_ros.images import find_images, read_image, write_image

COUNTS = (np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 7 + 29000)
GREY = (COUNTS // 13 % 256).astype(np.uint8)
CELSIUS = (COUNTS / 100 - 273.15).astype(np.float32)


def encoded(suffix: str, values: np.ndarray, *options: int) -> bytes:
    done, data = cv2.imencode(suffix, values, list(options))
    assert done
    return bytes(data.tobytes())


def refused(path: Path) -> str:
    with pytest.raises(FrameError) as error:
        read_image(path)
    message = str(error.value)
    assert str(path) in message and "\n" not in message
    return message


@pytest.mark.parametrize("suffix, values", [(".png", COUNTS), (".png", GREY), (".tiff", COUNTS), (".tif", GREY),
                                            (".tiff", CELSIUS), (".pgm", GREY), (".bmp", GREY)])
def test_pictures_keep_their_values(tmp_path: Path, suffix: str, values: np.ndarray) -> None:
    path = tmp_path / f"image{suffix}"
    path.write_bytes(encoded(suffix, values))
    read = read_image(path)
    assert read.dtype == values.dtype and (read == values).all()


def test_a_grey_jpeg_is_grey(tmp_path: Path) -> None:
    path = tmp_path / "image.JPG"
    path.write_bytes(encoded(".jpg", GREY))
    assert read_image(path).shape == GREY.shape


@pytest.mark.parametrize("values, kind", [(COUNTS, np.uint16), (GREY, np.uint8), (COUNTS.astype(np.int32), np.uint16),
                                          (COUNTS.astype(">u2"), np.uint16), (CELSIUS, np.float32),
                                          (CELSIUS.astype(float), np.float32), (CELSIUS[..., None], np.float32)])
def test_arrays_keep_their_values(tmp_path: Path, values: np.ndarray, kind: type) -> None:
    path = tmp_path / "image.npy"
    np.save(path, values)
    read = read_image(path)
    assert read.dtype == kind and read.dtype.isnative
    assert read == pytest.approx(values.reshape(48, 64))


def test_the_orientation_tag_does_not_turn_the_stored_raster(tmp_path: Path) -> None:
    data = encoded(".jpg", GREY)
    # An Exif block that asks for a quarter turn.
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    path = tmp_path / "turned.jpg"
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
    assert read_image(path).shape == (48, 64)


def test_colour_stays_colour_and_16_bit_grey_in_three_channels_becomes_grey(tmp_path: Path) -> None:
    colour = np.dstack([GREY, GREY.T[:48, :48].repeat(2, 1)[:, :64], 255 - GREY])
    cv2.imwrite(str(tmp_path / "colour.png"), colour)
    assert (read_image(tmp_path / "colour.png") == colour).all()
    cv2.imwrite(str(tmp_path / "grey.png"), np.dstack([COUNTS] * 3))
    assert (read_image(tmp_path / "grey.png") == COUNTS).all()
    cv2.imwrite(str(tmp_path / "deep.png"), np.dstack([COUNTS, COUNTS, COUNTS + 1]))
    assert "16-bit colour" in refused(tmp_path / "deep.png")


@pytest.mark.parametrize("suffix", (".jpg", ".png", ".tiff"))
@pytest.mark.parametrize("part", (0.02, 0.3, 0.7, 0.98))
def test_a_file_that_was_cut_is_refused(tmp_path: Path, suffix: str, part: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (120, 160), np.uint8)
    data = encoded(suffix, noise)
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(data[: int(part * len(data))])
    assert "again" in refused(path) or "damaged" in refused(path)


@pytest.mark.parametrize("progressive", (0, 1))
def test_data_behind_the_end_of_a_jpeg_does_no_harm(tmp_path: Path, progressive: int) -> None:
    data = encoded(".jpg", GREY, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive, cv2.IMWRITE_JPEG_RST_INTERVAL, 4)
    path = tmp_path / "image.jpg"
    path.write_bytes(data + b"maker's data \xff\xda and more")
    assert read_image(path).shape == GREY.shape


def test_what_is_not_an_image_is_named(tmp_path: Path) -> None:
    cases = {"empty.png": b"", "text.jpg": b"hello", "noise.npy": b"\x93NUMPY nothing", "text.npy": b"1 2 3"}
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        refused(tmp_path / name)
    assert "cannot be read" in refused(tmp_path / "absent.png")
    assert "cannot be read" in refused(tmp_path)


@pytest.mark.parametrize("suffix, values", [(".tiff", COUNTS), (".tiff", CELSIUS), (".bmp", GREY), (".pgm", COUNTS)])
def test_of_a_cut_file_only_our_sentence_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str], suffix: str,
                                                 values: np.ndarray) -> None:
    data = encoded(suffix, values)
    (tmp_path / f"cut{suffix}").write_bytes(data[: len(data) // 2])
    level = cv2.getLogLevel() if hasattr(cv2, "getLogLevel") else None
    refused(tmp_path / f"cut{suffix}")
    assert capfd.readouterr() == ("", "")
    assert level is None or cv2.getLogLevel() == level


def numpy_file(header: str) -> bytes:
    return b"\x93NUMPY\x01\0" + (118).to_bytes(2, "little") + header.ljust(117).encode() + b"\n"


@pytest.mark.parametrize("data", [
    b"1 2 3", b"PK\x03\x04 no archive", numpy_file("{'descr': '<f4', 'fortran_order': False, 'shape': (4"),
    numpy_file("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 4), }"),
], ids=["text", "zip", "cut header", "huge"])
def test_what_is_no_array_is_told_in_our_words(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(data)
    assert "write it with numpy.save" in refused(tmp_path / "a.npy") and "pickle" not in refused(tmp_path / "a.npy")


@pytest.mark.parametrize("values, words", [
    (np.ones(5), "shape (5,)"), (np.ones((0, 7)), "shape (0, 7)"), (np.ones((2, 4, 4, 3)), "shape (2, 4, 4, 3)"),
    (np.full((4, 4), np.nan), "no finite value"), (np.full((4, 4), 1e300), "beyond float32"),
])
def test_arrays_that_are_no_image_are_refused_with_a_remedy(tmp_path: Path, values: np.ndarray, words: str) -> None:
    np.save(tmp_path / "a.npy", values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message = refused(tmp_path / "a.npy")
    assert words in message and "; save " in message


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert "is no file but a pipe" in refused(tmp_path / "pipe.png")


def test_pages_that_are_not_used_are_told(tmp_path: Path) -> None:
    several, said = tmp_path / "several.tiff", list[str]()
    assert cv2.imwritemulti(str(several), [COUNTS, COUNTS + 1, COUNTS + 2])
    assert (read_image(several, said.append) == COUNTS).all()
    assert len(said) == 1 and str(several) in said[0] and "3 pages" in said[0]
    (tmp_path / "one.tiff").write_bytes(encoded(".tiff", COUNTS))
    assert (read_image(tmp_path / "one.tiff", said.append) == COUNTS).all() and len(said) == 1


def test_arrays_of_objects_and_archives_are_refused_without_running_them(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    refused(tmp_path / "objects.npy")
    with (tmp_path / "archive.npy").open("wb") as file:
        np.savez(file, a=COUNTS)
    assert "archive" in refused(tmp_path / "archive.npy")
    np.save(tmp_path / "negative.npy", np.full((4, 4), -5, np.int16))
    assert "float32" in refused(tmp_path / "negative.npy")
    np.save(tmp_path / "complex.npy", CELSIUS.astype(np.complex64))
    assert "complex64" in refused(tmp_path / "complex.npy")


def test_folders_are_searched_in_order_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/10.PNG", "a.tiff", "notes.txt", ".hidden.png", ".cache/x.png", "c/z.npy"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    found = [p.relative_to(tmp_path).as_posix() for p in find_images(tmp_path)]
    assert found == ["a.tiff", "b/10.PNG", "b/2.png", "c/z.npy"]
    assert find_images(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]


def test_a_folder_without_images_and_a_missing_path_are_named(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="has no image"):
        find_images(tmp_path)
    with pytest.raises(FrameError, match="no such file"):
        find_images(tmp_path / "absent")


def test_a_picture_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    values = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1000
    write_image(tmp_path / "new" / "a.png", values)
    np.testing.assert_array_equal(read_image(tmp_path / "new" / "a.png"), values)
    with pytest.raises(OSError, match=r"a\.foo.*\.png"):
        write_image(tmp_path / "a.foo", values)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        write_image(tmp_path / "file" / "a.png", values)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "new"]
