"""Records what Pillow makes of the example photos.

    python3 -m venv .venv && .venv/bin/pip install pillow==13.0.0
    .venv/bin/python make_jpeg.py > jpeg.txt

Lines of jpeg.txt: the photo, its columns and rows, the checksum of its decoded bytes, the checksum of what CLIP's preprocessing
makes of it at 224 pixels, and for a few of them what it makes at 64 pixels, in hexadecimal.
"""

import zlib
from pathlib import Path

import PIL
from PIL import Image, features

assert PIL.__version__ == "13.0.0", PIL.__version__
assert features.check("libjpeg_turbo")

PHOTOS = Path(__file__).resolve().parents[4] / "examples/photos"
# A photo with each kind of chroma subsampling.
IN_FULL = {"bananas.jpg", "kitchen.jpg", "eagle.jpg"}


def clip(picture, side):
    width, height = picture.size
    if width <= height:
        size = (side, int(side * height / width))
    else:
        size = (int(side * width / height), side)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    return picture.resize(size, Image.Resampling.BICUBIC).crop((left, top, left + side, top + side)).tobytes()


def crc(content):
    return f"{zlib.crc32(content):08x}"


for path in sorted(PHOTOS.glob("*.jpg")):
    picture = Image.open(path).convert("RGB")
    shown = clip(picture, 64).hex() if path.name in IN_FULL else "-"
    print(path.name, *picture.size, crc(picture.tobytes()), crc(clip(picture, 224)), shown)
