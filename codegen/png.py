"""Pictures as PNG, in text: what results and pages hold."""

from __future__ import annotations

import base64
import io

from PIL import Image


def png_of(picture: Image.Image, **options: int) -> bytes:
    """The content of a PNG file; ``options`` are those of Pillow's writer."""
    content = io.BytesIO()
    picture.save(content, format="PNG", optimize=True, **options)
    return content.getvalue()


def base64_of(content: bytes) -> str:
    """Bytes as text for JSON and for data addresses of pages."""
    return base64.b64encode(content).decode()
