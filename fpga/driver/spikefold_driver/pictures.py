"""Picture files as the project's own commands decode them, so that board and simulators see the same pixels.

Needs Pillow 8 or later. Turned upright as the EXIF data says, 16 bits scaled to 8, transparent parts on black, grey or
RGB, the middle of the picture in the network's form resized by Pillow's bilinear filter.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from .errors import ImageError, MissingPackageError, first_line

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "WEBP")
"""Pillow's names of all formats that are read. Others stay closed: for some Pillow starts a program."""
CHANNELS = (1, 3)
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
_TO_EIGHT_BITS = 257
"""65535 / 255."""
_ORIENTATION = 0x0112
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""What brings an image of each EXIF orientation (EXIF 2.32) upright."""
_GIVE = "give a PNG, JPEG, BMP, GIF, PPM or WebP file"


def read_picture(file: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels uint8 [height, width, channels] of a picture; raises ImageError or MissingPackageError."""
    try:
        from PIL import Image
    except ImportError:
        raise MissingPackageError(
            f"{file} is a picture, and Pillow is not installed", "`pip install Pillow`, or give a .npy file"
        ) from None
    if len(shape) != 3 or shape[-1] not in CHANNELS:
        raise ImageError(f"{file} is a picture, but the network takes {list(shape)}", "give a .npy file")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damaged EXIF data
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(file, formats=FORMATS) as image:
                return _pixels(image, shape, Image)
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise ImageError(f"{file} has more than {Image.MAX_IMAGE_PIXELS:,} pixels", "make it smaller") from None
        except Exception as error:  # the decoders raise whatever damaged bytes lead them to
            raise ImageError(f"{file} is no picture that Pillow reads ({first_line(error)})", _GIVE) from None


def _pixels(image: Any, shape: tuple[int, ...], pillow: Any) -> np.ndarray:
    height, width, channels = shape
    kind = image.format
    image.load()
    colours = _rgb(_upright(image, pillow), kind, pillow)
    if channels == 1:
        colours = colours.convert("L")
    return np.asarray(_resize(colours, height, width, pillow)).reshape(shape)


def _resize(image: Any, height: int, width: int, pillow: Any) -> Any:
    if image.size == (width, height):
        return image
    kept_width = min(image.width, max(1, image.height * width // height))
    kept_height = min(image.height, max(1, image.width * height // width))
    left, top = (image.width - kept_width) // 2, (image.height - kept_height) // 2
    middle = image.crop((left, top, left + kept_width, top + kept_height))
    return middle.resize((width, height), getattr(pillow, "Resampling", pillow).BILINEAR)


def _upright(image: Any, pillow: Any) -> Any:
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # whatever damaged bytes lead to; the pixels are already decoded
        return image
    if orientation not in _TURNS:
        return image
    return image.transpose(getattr(getattr(pillow, "Transpose", pillow), _TURNS[orientation]))


def _rgb(image: Any, kind: Any, pillow: Any) -> Any:
    # Pillow opens 16-bit PGM files as 32-bit integers, with the file's white at 65535.
    if image.mode in _SIXTEEN_BITS or (image.mode == "I" and kind in ("PNG", "PPM")):
        return _eight_bits(image, pillow)
    if image.mode in ("I", "F"):
        raise ValueError("it holds numbers without a known white; save it with 8 or 16 bits")
    if not _is_transparent(image):
        return image.convert("RGB")
    ground = pillow.new("RGBA", image.size, (0, 0, 0, 255))
    return pillow.alpha_composite(ground, image.convert("RGBA")).convert("RGB")


def _is_transparent(image: Any) -> bool:
    """What Pillow 10.1 calls has_transparency_data."""
    palette = getattr(image, "palette", None)
    return (
        image.mode in ("LA", "La", "PA", "RGBA", "RGBa")
        or "transparency" in image.info
        or (image.mode == "P" and palette is not None and palette.mode.endswith("A"))
    )


def _eight_bits(image: Any, pillow: Any) -> Any:
    """16-bit grey rounded to 8 bits; the one level that a PNG may call transparent becomes black."""
    levels = np.asarray(image).astype(np.uint32)
    transparent = levels == image.info.get("transparency", -1)
    eight = np.where(transparent, 0, (levels + _TO_EIGHT_BITS // 2) // _TO_EIGHT_BITS)
    return pillow.fromarray(eight.astype(np.uint8)).convert("RGB")
