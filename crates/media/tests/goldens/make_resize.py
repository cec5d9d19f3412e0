"""Records what Pillow makes of pictures that the Rust test can compute for itself.

Needs Pillow 13.0.0, the version that the encoders' own pipelines were checked with:

    python3 -m venv .venv && .venv/bin/pip install pillow==13.0.0
    .venv/bin/python make_resize.py > resize.txt

Lines of resize.txt: source columns and rows, the box (left top right bottom), the size
it is resized to, the part of that which is kept (left top right bottom), and the bytes
of that part in hexadecimal or, where they are many, `crc32:` and their checksum.
"""

import zlib

import PIL
from PIL import Image

assert PIL.__version__ == "13.0.0", PIL.__version__


def source(width, height):
    """Noise on a slope: every level occurs, and overshoot beyond both ends."""
    picture = bytearray()
    for y in range(height):
        for x in range(width):
            for channel in range(3):
                noise = (x * 73856093 ^ y * 19349663 ^ channel * 83492791) >> 7
                slope = (x * 3 + y * 2 + channel * 40) >> 1
                picture.append((noise if (x // 5 + y // 7) % 2 else slope) & 255)
    return Image.frombytes("RGB", (width, height), bytes(picture))


def record(width, height, box, size, kept=None, checksum=False):
    resized = source(width, height).resize(size, Image.Resampling.BICUBIC, box=box)
    kept = kept or (0, 0, *size)
    content = resized.crop(kept).tobytes()
    shown = f"crc32:{zlib.crc32(content):08x}" if checksum else content.hex()
    print(width, height, *box, *size, *kept, shown)


def whole(width, height, size):
    record(width, height, (0, 0, width, height), size)


def clip(width, height, side, checksum=False):
    """The short side to `side`, the centre kept, as transformers' CLIPImageProcessor."""
    if width <= height:
        size = (side, int(side * height / width))
    else:
        size = (int(side * width / height), side)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    kept = (left, top, left + side, top + side)
    record(width, height, (0, 0, width, height), size, kept, checksum)


def center_square(width, height, side, checksum=False):
    """The built-in encoder's box: it may begin at half a pixel."""
    short = min(width, height)
    left, top = (width - short) / 2, (height - short) / 2
    box = (left, top, left + short, top + short)
    record(width, height, box, (side, side), None, checksum)


for shape in [(64, 48), (47, 61), (33, 33), (200, 7), (7, 200)]:
    whole(*shape, (16, 12))
whole(16, 12, (16, 12))  # nothing to do
whole(16, 12, (8, 12))  # one pass only
whole(16, 12, (16, 5))
whole(5, 4, (23, 19))  # enlarging
whole(1, 1, (3, 2))
whole(2, 1, (9, 4))
whole(300, 200, (1, 1))
whole(1000, 3, (7, 5))
whole(97, 89, (96, 88))  # almost the same
record(60, 50, (0.5, 0.25, 59.5, 49.75), (20, 17))
record(60, 50, (10, 20, 11, 21), (6, 6))
record(60, 50, (10.3, 20.7, 41.9, 33.1), (13, 21))
for height in (39, 40, 41):  # where the order of the passes changes
    whole(20, height, (15, 30))
record(20, 60, (3.5, 2, 17, 58), (15, 30))
for shape in [(500, 375), (375, 500), (100, 333), (333, 100), (31, 64), (1, 40)]:
    clip(*shape, 24)
    center_square(*shape, 24)
clip(500, 375, 224, checksum=True)
clip(1333, 1999, 224, checksum=True)
clip(640, 480, 336, checksum=True)
center_square(501, 374, 256, checksum=True)
center_square(1600, 1201, 256, checksum=True)
