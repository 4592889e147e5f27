"""Pixels of a sensor_msgs/CompressedImage: PNG of 8 or 16 bits, TIFF and JPEG, as image_transport writes them."""

from __future__ import annotations

import numpy as np

from .frames import ENCODINGS, FrameError
from .images import PNG_SIGNATURE, decode_picture

JPEG_SIGNATURE = b"\xff\xd8"
_DEPTH_HEADER = 12
"""Bytes that image_transport's depth plugin puts before the picture."""
_BY_TYPE = {"uint8": "mono8", "uint16": "mono16", "float32": "32FC1"}
_BY_CHANNELS = {3: "bgr8", 4: "bgra8"}


def decode_compressed(data: memoryview | bytes | np.ndarray, format: str) -> tuple[np.ndarray, str]:
    """Pixels (H, W) uint8, uint16 or float32, or (H, W, 3 or 4) uint8 in BGR order, and their encoding.

    ``format`` is the message's, e.g. ``mono16; png compressed`` or ``jpeg``: the picture itself says how it is
    compressed, and the part before the semicolon what it was before. Raises FrameError, naming the remedy, for damaged
    data, for depth pictures, and for pictures that have fewer bits than the image that they were made of.
    """
    picture = bytes(data)
    if "compresseddepth" in format.lower() or picture[_DEPTH_HEADER:].startswith(PNG_SIGNATURE):
        raise FrameError(f"format '{format}' is a compressed depth image, whose values are no temperatures; let the "
                         "camera publish format png by the transport 'compressed', or its raw image")
    if not picture:
        raise FrameError("the compressed image has no data: the driver sends an empty message")
    before = format.partition(";")[0].strip()
    layout = ENCODINGS.get(before)
    deep = layout is not None and layout.dtype != "u1"
    if deep and picture.startswith(JPEG_SIGNATURE):
        raise FrameError(f"format '{format}': JPEG has 8 bits, which crush {before}; set the publisher's format to png "
                         "(parameter <image topic>.compressed.format)")
    try:
        pixels = decode_picture(picture)
    except FrameError as error:
        raise FrameError(f"a compressed image of format '{format}': {error}") from None
    if deep and pixels.dtype == np.uint8:
        raise FrameError(f"format '{format}': the picture has 8 bits, which crush {before}; let the publisher keep the "
                         "depth of its image")
    if pixels.ndim == 3:
        return pixels, _BY_CHANNELS[pixels.shape[2]]
    # 16UC1 stays 16UC1, so that the raw and the compressed images of a camera count as the same.
    same = layout is not None and layout.channels == 1 and np.dtype(layout.dtype) == pixels.dtype
    return pixels, before if same else _BY_TYPE[pixels.dtype.name]
