"""Images brought to one size and number of channels, from files or arrays."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from sca_train.errors import TrainError

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "WEBP")
"""Pillow's names of all formats that are read. Others stay closed: some start programs (EPS runs an interpreter)."""
CHANNELS = {1: "L", 3: "RGB"}
"""Pillow's mode for the channels that a network may take from a picture."""
MOST_IMAGE_BYTES = 2**30
"""Of an image file: more than all pixels that one may have, as they are, in 16 bits and three channels."""

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings an image of each EXIF orientation (EXIF 2.32) upright; 1 is upright."""
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
_TO_EIGHT_BITS = 257
"""65535 / 255."""


@dataclass(frozen=True)
class Picture:
    """Pixels uint8 [height, width, channels] of an image file, and in words what was done to get them."""

    pixels: NDArray[np.uint8]
    changes: tuple[str, ...]


def resize(image: Image.Image, height: int, width: int) -> Image.Image:
    """The image as ``width`` x ``height``: unchanged if it is, else the middle of it in that form, resized.

    By Pillow's bilinear filter, which is integer arithmetic on 8-bit images.
    """
    if image.size == (width, height):
        return image
    kept_width = min(image.width, max(1, image.height * width // height))
    kept_height = min(image.height, max(1, image.width * height // width))
    left, top = (image.width - kept_width) // 2, (image.height - kept_height) // 2
    middle = image.crop((left, top, left + kept_width, top + kept_height))
    return middle.resize((width, height), Image.Resampling.BILINEAR)


def resized(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Images [N, H, W] or [N, H, W, 3] as ``size`` x ``size``."""
    if images.shape[1:3] == (size, size):
        return np.ascontiguousarray(images)
    return np.stack([np.asarray(resize(Image.fromarray(image), size, size)) for image in images])


def decoded(content: bytes, size: int, name: str) -> NDArray[np.uint8]:
    """The RGB image [size, size, 3] that the bytes of a file hold; TrainError, naming ``name``, when it is none."""
    return decode_picture(io.BytesIO(content), (size, size, 3), name).pixels


def read_picture(path: Path, shape: tuple[int, ...]) -> Picture:
    """An image file as a network of input ``shape`` (height, width, channels) takes it, as ``decode_picture`` does.

    Raises TrainError naming the file and what is wrong with it.
    """
    if not path.exists():
        raise TrainError(f"there is no image file {path}")
    if not path.is_file():
        raise TrainError(f"{path} is {'a folder' if path.is_dir() else 'no regular file'}; name one image file")
    try:
        with path.open("rb") as stream:
            return decode_picture(stream, shape, str(path))
    except OSError as error:
        raise TrainError(f"{path} cannot be read: {error.strerror or error}") from None


def decode_picture(stream: BinaryIO, shape: tuple[int, ...], name: str) -> Picture:
    """The image that a file holds, as a network of input ``shape`` (height, width, channels) takes it.

    Turned upright as its EXIF data says, 16 bits scaled to 8, transparent parts on black, grey or RGB, its middle
    resized. Raises TrainError, naming ``name``, where the bytes are no whole image of FORMATS, where it is too large to
    be decoded (Pillow's MAX_IMAGE_PIXELS), or where a network takes neither grey nor RGB.
    """
    if len(shape) != 3 or shape[-1] not in CHANNELS:
        taken = f"event frames {list(shape)}" if len(shape) > 3 else f"images of {shape[-1]} channels"
        raise TrainError(f"{name} cannot be classified: the network takes {taken}, and a picture has 1 or 3 channels")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damaged EXIF data
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return _picture(Image.open(stream, formats=FORMATS), shape)
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            limit = f"{Image.MAX_IMAGE_PIXELS:,}"
            raise TrainError(f"{name} has more than {limit} pixels; make it smaller first") from None
        except UnidentifiedImageError:
            raise TrainError(f"{name} is not an image that Pillow reads as one of {', '.join(FORMATS)}") from None
        except _UnknownRangeError as error:
            raise TrainError(f"{name} {error}") from None
        except Exception as error:  # the decoders raise whatever damaged bytes lead them to
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise TrainError(f"{name} is not an image that Pillow reads: {reason}") from None


class _UnknownRangeError(Exception):
    """Pixels of which nothing says which value is white."""


def _picture(image: Image.Image, shape: tuple[int, ...]) -> Picture:
    height, width, channels = shape
    kind = image.format
    image.load()
    colours, transparent = _rgb(_upright(image), kind)
    changes = ["laid on black where it is transparent"] if transparent else []
    if channels == 1:
        grey = colours.convert("L")
        if any(band.tobytes() != grey.tobytes() for band in colours.split()):
            changes.append("turned to grey")
        colours = grey
    if colours.size != (width, height):
        changes.append(f"resized to {width} x {height} from the middle of {colours.width} x {colours.height} pixels")
    pixels = np.asarray(resize(colours, height, width)).reshape(shape)
    return Picture(pixels, tuple(changes))


def _upright(image: Image.Image) -> Image.Image:
    """The image turned as its EXIF data says.

    Only the orientation is read: ImageOps.exif_transpose also writes all other entries anew, and fails where one of
    them is damaged. As it is where even the orientation cannot be read.
    """
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # whatever the damaged bytes lead to; the pixels are already decoded
        return image
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def _rgb(image: Image.Image, kind: str | None) -> tuple[Image.Image, bool]:
    """The image in 8-bit RGB on black, and whether any of it was transparent."""
    # Pillow opens 16-bit PGM files as 32-bit integers, with the file's white at 65535.
    if image.mode in _SIXTEEN_BITS or (image.mode == "I" and kind in ("PNG", "PPM")):
        return _eight_bits(image)
    if image.mode in ("I", "F"):
        raise _UnknownRangeError("holds numbers without a known white; save it with 8 or 16 bits")
    if not image.has_transparency_data:
        return image.convert("RGB"), False
    colours = image.convert("RGBA")
    ground = Image.new("RGBA", image.size, (0, 0, 0, 255))
    least, _ = colours.getchannel("A").getextrema()
    return Image.alpha_composite(ground, colours).convert("RGB"), least != 255


def _eight_bits(image: Image.Image) -> tuple[Image.Image, bool]:
    """16-bit grey rounded to 8 bits; the one level that a PNG may call transparent becomes black."""
    levels = np.asarray(image).astype(np.uint32)
    transparent = levels == image.info.get("transparency", -1)
    eight = np.where(transparent, 0, (levels + _TO_EIGHT_BITS // 2) // _TO_EIGHT_BITS)
    return Image.fromarray(eight.astype(np.uint8)).convert("RGB"), bool(transparent.any())
