"""Draws the pictures beside it: two of each CIFAR-10 class, 32x32 RGB, named <class>-<number>.png.

    python zoo/images/draw.py [FOLDER]

Everything is filled ellipses, polygons and strokes on a gradient, each point of a grid of 8x8 points a pixel inside or
outside, averaged in integers: the pixels are the same on every machine. Coordinates are pixels, (0, 0) the upper left.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = 32
POINTS = 8
"""Points a pixel, each way."""

Colour = tuple[int, int, int]
Point = tuple[float, float]

SKY, PALE_SKY, DUSK = (120, 170, 225), (205, 222, 238), (225, 190, 170)
GRASS, DARK_GRASS, SAND, ROAD = (110, 150, 70), (60, 95, 45), (200, 180, 140), (120, 120, 122)
SEA, DARK_SEA = (60, 110, 150), (25, 60, 95)
BLACK, DARK, GREY, WHITE = (20, 20, 22), (60, 60, 64), (150, 152, 156), (238, 238, 236)
GLASS, TYRE = (70, 90, 110), (30, 30, 32)


def darker(colour: Colour) -> Colour:
    """Three quarters as bright."""
    red, green, blue = (round(0.75 * part) for part in colour)
    return red, green, blue


class Canvas:
    """A picture of 32x32 pixels under the brush."""

    def __init__(self, top: Colour, bottom: Colour, horizon: float = SIZE, ground: Colour | None = None) -> None:
        """A gradient from ``top`` to ``bottom``; below ``horizon`` one of ``ground`` that grows darker."""
        centres = (np.arange(SIZE * POINTS) + 0.5) / POINTS
        self._x, self._y = np.meshgrid(centres, centres)
        down = (centres / SIZE)[:, None, None]
        colours = np.array(top) + (np.array(bottom) - np.array(top)) * down
        self._points = np.broadcast_to(colours, (SIZE * POINTS, SIZE * POINTS, 3)).round().astype(np.int64)
        if ground is not None:
            shade = np.array(ground) * (1.15 - 0.35 * down)
            self._points = np.where((self._y > horizon)[..., None], shade.round().astype(np.int64), self._points)

    def ellipse(self, centre: Point, radii: Point, colour: Colour, degrees: float = 0.0) -> None:
        """A filled ellipse, turned clockwise."""
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        x, y = self._x - centre[0], self._y - centre[1]
        self._fill(((x * cos + y * sin) / radii[0]) ** 2 + ((y * cos - x * sin) / radii[1]) ** 2 <= 1, colour)

    def polygon(self, corners: list[Point], colour: Colour) -> None:
        """A filled polygon (even-odd rule)."""
        inside = np.zeros(self._x.shape, bool)
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
            if y0 == y1:
                continue
            crossed = (self._y > y0) != (self._y > y1)
            inside ^= crossed & (self._x < x0 + (self._y - y0) * (x1 - x0) / (y1 - y0))
        self._fill(inside, colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """A filled rectangle."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour)

    def stroke(self, course: list[Point], width: float, colour: Colour) -> None:
        """Straight pieces from point to point with round ends."""
        for (x0, y0), (x1, y1) in pairwise(course):
            length = (x1 - x0) ** 2 + (y1 - y0) ** 2
            along = np.clip(((self._x - x0) * (x1 - x0) + (self._y - y0) * (y1 - y0)) / length, 0, 1)
            distance = (self._x - x0 - along * (x1 - x0)) ** 2 + (self._y - y0 - along * (y1 - y0)) ** 2
            self._fill(distance <= (width / 2) ** 2, colour)

    def pixels(self, mirrored: bool = False) -> NDArray[np.uint8]:
        """The picture uint8 [32, 32, 3]."""
        blocks = self._points.reshape(SIZE, POINTS, SIZE, POINTS, 3).sum(axis=(1, 3))
        pixels = ((blocks + POINTS * POINTS // 2) // (POINTS * POINTS)).astype(np.uint8)
        return np.ascontiguousarray(pixels[:, ::-1] if mirrored else pixels)

    def _fill(self, inside: NDArray[np.bool_], colour: Colour) -> None:
        self._points = np.where(inside[..., None], np.array(colour), self._points)


def airplane(number: int) -> NDArray[np.uint8]:
    """An airliner from the side, climbing; a second one from below."""
    if number == 1:
        canvas = Canvas(SKY, PALE_SKY)
        canvas.polygon([(3, 13), (6, 6), (9, 6), (10, 14)], (40, 70, 140))
        canvas.ellipse((16, 16.5), (13.5, 3), WHITE, -4)
        canvas.polygon([(13, 17), (20, 16), (11, 26), (8, 26)], GREY)
        canvas.polygon([(2, 16), (7, 16), (3, 20), (1, 20)], GREY)
        canvas.ellipse((13, 22), (2.4, 1.1), DARK)
        canvas.stroke([(10, 16), (24, 15)], 0.8, GLASS)
        canvas.polygon([(26.5, 14), (28.5, 14.6), (27, 15.4)], GLASS)
        return canvas.pixels()
    canvas = Canvas((95, 145, 210), (150, 190, 230))
    canvas.polygon([(15, 12), (17, 12), (31, 20), (31, 22), (17, 19), (15, 19), (1, 22), (1, 20)], (205, 208, 214))
    canvas.polygon([(15.5, 25), (16.5, 25), (22, 29), (22, 30), (10, 30), (10, 29)], (190, 194, 202))
    canvas.ellipse((16, 16), (2.3, 14), (228, 230, 234))
    for x in (8, 24):
        canvas.ellipse((x, 17.2), (1.2, 2.2), DARK)
    return canvas.pixels()


def automobile(number: int) -> NDArray[np.uint8]:
    """A car from the side, red and blue."""
    paint, shade = ((190, 30, 30), (140, 20, 22)) if number == 1 else ((40, 70, 160), (25, 45, 110))
    canvas = Canvas(PALE_SKY, (225, 225, 220), 21, ROAD)
    canvas.ellipse((16, 26), (14, 1.8), (70, 70, 72))
    canvas.polygon([(7.5, 15), (11, 9), (21, 9), (26, 15)], paint)
    canvas.polygon([(9.5, 15), (12, 10.4), (16, 10.4), (16, 15)], GLASS)
    canvas.polygon([(17, 15), (17, 10.4), (20.4, 10.4), (24, 15)], GLASS)
    canvas.polygon([(1.5, 16), (4, 14.6), (26, 14.6), (30, 17), (30.5, 23), (1.5, 23)], paint)
    canvas.box(1.5, 20.5, 30.5, 23.5, shade)
    canvas.box(28.5, 17, 30.3, 18.6, (250, 235, 170))
    canvas.box(1.5, 16.8, 2.8, 18.4, (240, 90, 60))
    for x in (8, 24):
        canvas.ellipse((x, 23.5), (3.9, 3.9), TYRE)
        canvas.ellipse((x, 23.5), (1.9, 1.9), GREY)
    return canvas.pixels(mirrored=number == 2)


def bird(number: int) -> NDArray[np.uint8]:
    """A small bird on a branch, brown and blue."""
    back, breast = ((120, 85, 55), (205, 150, 105)) if number == 1 else ((55, 95, 165), (215, 160, 110))
    canvas = Canvas((165, 185, 150), (140, 165, 120)) if number == 1 else Canvas((195, 205, 200), (165, 185, 165))
    canvas.stroke([(-1, 28), (14, 26.5), (33, 27.5)], 2.2, (85, 65, 50))
    canvas.polygon([(2, 25.5), (11, 17), (13, 20), (4, 27)], back)
    canvas.ellipse((15.5, 17.5), (8, 5.6), back, -28)
    canvas.ellipse((17.5, 19), (5.6, 4.6), breast, -30)
    canvas.ellipse((21.5, 10), (4.1, 3.9), back)
    canvas.polygon([(25, 9.2), (29.5, 10.6), (25, 11.8)], (60, 50, 40))
    canvas.ellipse((22.7, 9.3), (0.9, 0.9), BLACK)
    canvas.polygon([(7, 20), (13, 14.5), (17, 18), (10, 21.5)], darker(back))
    canvas.stroke([(16, 22.5), (16.3, 26.5)], 0.8, DARK)
    canvas.stroke([(18.5, 22.5), (18.7, 26.5)], 0.8, DARK)
    return canvas.pixels(mirrored=number == 2)


def cat(number: int) -> NDArray[np.uint8]:
    """The face of a cat, grey tabby and ginger."""
    fur, stripe = ((150, 138, 125), (85, 76, 68)) if number == 1 else ((205, 140, 80), (150, 90, 45))
    canvas = Canvas((110, 95, 85), (70, 60, 55)) if number == 1 else Canvas((160, 165, 170), (110, 112, 116))
    canvas.ellipse((16, 33), (12, 8), fur)
    for sign in (-1, 1):
        canvas.polygon([(16 + sign * 4, 9), (16 + sign * 10.5, 1.5), (16 + sign * 12, 14)], fur)
        canvas.polygon([(16 + sign * 6, 9), (16 + sign * 9.7, 4.2), (16 + sign * 10.5, 11.5)], (205, 150, 145))
    canvas.ellipse((16, 16.5), (12, 10.5), fur)
    for x in (-3, 0, 3):
        canvas.stroke([(16 + x, 6.6), (16 + 0.6 * x, 10.5)], 1.1, stripe)
    for sign in (-1, 1):
        for y in (17, 20):
            canvas.stroke([(16 + sign * 11.5, y - 0.5), (16 + sign * 8, y)], 0.9, stripe)
        canvas.ellipse((16 + sign * 3, 21.5), (3.4, 2.8), (228, 218, 206))
        canvas.ellipse((16 + sign * 5, 14.8), (2.5, 2.1), (190, 200, 90))
        canvas.ellipse((16 + sign * 5, 14.8), (0.8, 2), BLACK)
        for y in (20.5, 22.5):
            canvas.stroke([(16 + sign * 4, 21.5), (16 + sign * 13.5, y)], 0.35, WHITE)
    canvas.polygon([(14.5, 18.4), (17.5, 18.4), (16, 20.2)], (190, 100, 100))
    canvas.stroke([(16, 20.2), (16, 22), (14, 23.2)], 0.6, DARK)
    canvas.stroke([(16, 22), (18, 23.2)], 0.6, DARK)
    return canvas.pixels()


def deer(number: int) -> NDArray[np.uint8]:
    """A stag from the side in a meadow; a hind at the edge of a wood."""
    coat = (150, 100, 60) if number == 1 else (165, 115, 75)
    canvas = (
        Canvas((175, 190, 150), GRASS, 20, GRASS) if number == 1 else Canvas((70, 90, 50), GRASS, 18, (125, 140, 75))
    )
    for x in (9, 11.5, 19.5, 21.5):
        canvas.stroke([(x, 20), (x + 0.3, 29.5)], 1.3, darker(coat))
    canvas.ellipse((15, 18.3), (8, 4), coat)
    canvas.polygon([(19, 16), (24, 7.5), (26.3, 9.5), (23, 20)], coat)
    canvas.ellipse((26, 8.3), (3.4, 1.9), coat, 22)
    canvas.ellipse((28.8, 9.5), (0.8, 0.7), BLACK)
    canvas.ellipse((26, 7.7), (0.5, 0.5), BLACK)
    canvas.ellipse((23, 6.3), (0.8, 2), coat, -50)
    canvas.ellipse((7.3, 17), (1.3, 1.9), WHITE)
    if number == 1:
        for lean in (0.0, 2.4):
            canvas.stroke([(24.3, 6.6), (22.5 + lean, 3.5), (23 + 1.6 * lean, 0.5)], 0.8, (215, 195, 160))
            canvas.stroke([(22.5 + lean, 3.5), (20 + 2 * lean, 1.2)], 0.7, (215, 195, 160))
    else:
        for x, y in ((11, 16.5), (14, 17.5), (17, 16.5), (13, 19.5), (16, 19.5)):
            canvas.ellipse((x, y), (0.6, 0.5), (225, 195, 160))
    return canvas.pixels(mirrored=number == 2)


def dog(number: int) -> NDArray[np.uint8]:
    """The face of a dog with hanging ears, brown and black and tan."""
    fur, ear, muzzle = (
        ((185, 140, 90), (120, 80, 45), (225, 195, 155))
        if number == 1
        else ((50, 44, 42), (30, 27, 26), (175, 120, 70))
    )
    canvas = Canvas((150, 175, 120), GRASS) if number == 1 else Canvas((200, 200, 205), (150, 150, 155))
    canvas.ellipse((16, 34), (11, 9), fur)
    canvas.ellipse((16, 14.5), (9.2, 9.8), fur)
    for sign in (-1, 1):
        canvas.ellipse((16 + sign * 9.2, 14.8), (3.1, 8), ear, sign * -14)
    canvas.ellipse((16, 20.5), (5.8, 5.6), muzzle)
    canvas.ellipse((16, 25), (1.9, 3), (205, 95, 105))
    canvas.stroke([(16, 19), (16, 22.5), (12.8, 24)], 0.7, BLACK)
    canvas.stroke([(16, 22.5), (19.2, 24)], 0.7, BLACK)
    canvas.ellipse((16, 18), (2.5, 1.8), BLACK)
    for sign in (-1, 1):
        canvas.ellipse((16 + sign * 3.9, 12.2), (1.5, 1.6), (60, 38, 22) if number == 1 else (120, 75, 40))
        canvas.ellipse((16 + sign * 3.9, 12.2), (0.9, 1), BLACK)
        canvas.ellipse((16 + sign * 4.2, 11.7), (0.4, 0.4), WHITE)
    return canvas.pixels()


def frog(number: int) -> NDArray[np.uint8]:
    """A frog that sits and looks at you, green and brown."""
    skin, dark = ((95, 150, 55), (60, 105, 35)) if number == 1 else ((140, 120, 70), (95, 80, 45))
    canvas = Canvas((120, 110, 85), (90, 80, 60)) if number == 1 else Canvas((95, 120, 75), (65, 85, 50))
    for sign in (-1, 1):
        canvas.ellipse((16 + sign * 9.5, 22), (4.6, 5.4), dark, sign * 25)
        canvas.stroke([(16 + sign * 11, 25), (16 + sign * 14, 28.5)], 2, dark)
    canvas.ellipse((16, 20), (9.5, 8.6), skin)
    canvas.ellipse((16, 23), (6.2, 5.2), (200, 205, 150))
    canvas.ellipse((16, 13.5), (9.6, 5.8), skin)
    for sign in (-1, 1):
        canvas.ellipse((16 + sign * 6, 8.6), (3.1, 3), skin)
        canvas.ellipse((16 + sign * 6, 8.4), (2, 2), (225, 195, 80))
        canvas.ellipse((16 + sign * 6, 8.4), (1.3, 0.8), BLACK)
        canvas.stroke([(16 + sign * 5, 22), (16 + sign * 6, 28)], 2.2, skin)
        canvas.stroke([(16 + sign * 4, 28.6), (16 + sign * 8.5, 28.8)], 1.2, dark)
        canvas.ellipse((16 + sign * 1.2, 12.2), (0.4, 0.4), BLACK)
    canvas.stroke([(7.5, 14.8), (12, 16.8), (20, 16.8), (24.5, 14.8)], 0.8, dark)
    return canvas.pixels()


def horse(number: int) -> NDArray[np.uint8]:
    """A horse from the side, brown and white."""
    coat, mane = ((120, 70, 40), (35, 25, 20)) if number == 1 else ((222, 216, 208), (150, 140, 130))
    canvas = Canvas(PALE_SKY, (225, 230, 220), 23, GRASS) if number == 1 else Canvas(DARK_GRASS, GRASS, 23, SAND)
    shade = darker(coat)
    canvas.stroke([(4.8, 13.5), (2.8, 18), (3.3, 23)], 2.2, mane)
    for course in ([(8, 19), (7, 24), (7.6, 29.5)], [(20, 19), (21, 24), (20.4, 29.5)]):
        canvas.stroke(course, 1.9, shade)
    for course in ([(9.5, 19), (10.6, 24), (10.2, 29.5)], [(18, 19), (17.4, 24), (17.6, 29.5)]):
        canvas.stroke(course, 2, coat)
    canvas.ellipse((13, 16.5), (9, 4.9), coat)
    canvas.polygon([(16.5, 15), (21.5, 4), (25.5, 5), (22, 18.5)], coat)
    canvas.polygon([(22, 3.2), (25, 3.4), (30.4, 10.4), (28.6, 12.2), (23, 9)], coat)
    canvas.polygon([(22.2, 4), (22.8, 1), (24.2, 3.6)], coat)
    canvas.stroke([(22, 3.4), (19, 8), (16.5, 13)], 2.2, mane)
    canvas.ellipse((25.3, 5.8), (0.6, 0.6), BLACK)
    canvas.ellipse((29.4, 10.6), (0.5, 0.5), BLACK)
    return canvas.pixels(mirrored=number == 2)


def ship(number: int) -> NDArray[np.uint8]:
    """A cargo ship on the sea; a sailing boat."""
    if number == 1:
        canvas = Canvas((170, 195, 220), PALE_SKY, 22, SEA)
        canvas.box(22, 9, 28, 18, WHITE)
        canvas.box(22.6, 10.5, 27.4, 11.8, GLASS)
        canvas.box(23.5, 5, 26.5, 9, (200, 70, 40))
        for x, colour in ((5, (190, 80, 50)), (9.2, (60, 100, 150)), (13.4, (200, 160, 60)), (17.6, (80, 130, 90))):
            canvas.box(x, 13.5, x + 3.8, 18, colour)
        canvas.polygon([(0.8, 17.5), (31, 17.5), (28.5, 24), (3.5, 24)], (45, 50, 65))
        canvas.polygon([(2.8, 22.4), (29.2, 22.4), (28.5, 24), (3.5, 24)], (150, 45, 40))
        canvas.stroke([(2, 24.3), (30, 24.3)], 0.7, (205, 220, 228))
        return canvas.pixels()
    canvas = Canvas(SKY, PALE_SKY, 23, (40, 95, 140))
    canvas.polygon([(16.6, 1.5), (16.6, 20.5), (28, 20.5)], WHITE)
    canvas.polygon([(15.2, 4), (15.2, 20.5), (6, 20.5)], (225, 228, 232))
    canvas.stroke([(16, 1), (16, 22)], 0.8, (110, 80, 55))
    canvas.polygon([(3.5, 21.5), (29.5, 21.5), (25.5, 26.5), (8, 26.5)], (135, 60, 40))
    canvas.stroke([(7, 26.9), (26, 26.9)], 0.7, (205, 222, 230))
    return canvas.pixels()


def truck(number: int) -> NDArray[np.uint8]:
    """A lorry from the side with a box, and one with a tank."""
    paint = (200, 60, 40) if number == 1 else (40, 110, 150)
    canvas = Canvas(PALE_SKY, (215, 215, 210), 23, ROAD)
    canvas.ellipse((16, 28), (14.5, 1.5), (70, 70, 72))
    canvas.box(1.5, 22, 30, 24.5, DARK)
    if number == 1:
        canvas.box(1.2, 6, 20.8, 22, (232, 230, 224))
        canvas.box(1.2, 12, 20.8, 14, paint)
    else:
        canvas.ellipse((11, 15.5), (10, 6), (196, 200, 206))
        canvas.stroke([(4, 12.5), (18, 12.5)], 1.6, (232, 234, 238))
    canvas.polygon([(22, 24), (22, 10), (27.4, 10), (30.6, 16.5), (30.6, 24)], paint)
    canvas.polygon([(23.6, 16.5), (23.6, 11.6), (26.6, 11.6), (29.2, 16.5)], GLASS)
    canvas.box(29.4, 19.5, 30.8, 21.2, (250, 235, 170))
    for x in (5.5, 12, 26):
        canvas.ellipse((x, 25.2), (3, 3), TYRE)
        canvas.ellipse((x, 25.2), (1.3, 1.3), GREY)
    return canvas.pixels(mirrored=number == 2)


SUBJECTS: tuple[Callable[[int], NDArray[np.uint8]], ...] = (
    airplane,
    automobile,
    bird,
    cat,
    deer,
    dog,
    frog,
    horse,
    ship,
    truck,
)
EACH = 2


def pictures() -> dict[str, NDArray[np.uint8]]:
    """All pictures uint8 [32, 32, 3] by file name."""
    return {f"{draw.__name__}-{number}.png": draw(number) for draw in SUBJECTS for number in range(1, EACH + 1)}


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, pixels in pictures().items():
        Image.fromarray(pixels).save(folder / name, optimize=True)


if __name__ == "__main__":
    main()
