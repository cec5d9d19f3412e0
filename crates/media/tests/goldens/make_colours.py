"""Records what colours Pillow sees in the odd pictures, as a check of our own decoding.

Needs Pillow 13.0.0 (see make_resize.py); takes the folders of odd files:

    .venv/bin/python make_colours.py ../../../../tests/fixtures/odd SHARED/data/odd-dev > colours.txt

Lines of colours.txt: file, columns, rows, and the mean red, green and blue of each cell
of a grid of 4 x 4, rounded down, row by row; upright and flattened on white.
"""

import pathlib
import sys
import warnings

import PIL
from PIL import Image, ImageOps

assert PIL.__version__ == "13.0.0", PIL.__version__
warnings.simplefilter("ignore")

# Where Pillow and we differ on purpose, and why.
DIFFERENT = {
    # Pillow cuts 16-bit grey off at 255; we keep the upper byte.
    "png-basi0g16.png",
    "tiff-issue_69_lzw.tiff",
    "tiff-issue_69_packbits.tiff",
    "tiff-minisblack-1c-16b.tiff",
    # Pillow fills what the first frame leaves uncovered with the background colour; we with white.
    "many-frames.gif",
    # Pillow takes the orientation out of a text chunk, which the manifest calls optional.
    "png-exif_imagemagick_orientation.png",
    # Damaged inside the coded data: the decoders recover differently.
    "jpeg-corrupted.jpg",
    "jpeg-hopper_bad_exif.jpg",
}


def upright_on_white(path):
    picture = Image.open(path)
    picture.load()
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")


def edges(side, cell):
    start = side * cell // 4
    return start, max(side * (cell + 1) // 4, start + 1)


def cells(picture):
    for row in range(4):
        for column in range(4):
            left, right = edges(picture.width, column)
            top, bottom = edges(picture.height, row)
            content = picture.crop((left, top, right, bottom)).tobytes()
            count = len(content) // 3
            yield from (sum(content[channel::3]) // count for channel in range(3))


seen = set()
for folder in sys.argv[1:]:
    for path in sorted(pathlib.Path(folder).iterdir()):
        if path.name in seen or path.name in DIFFERENT or path.suffix in (".csv", ".tar", ".zip", ".gz"):
            continue
        seen.add(path.name)
        try:
            picture = upright_on_white(path)
        except Exception:
            continue  # not a picture, or not for Pillow
        print(path.name, picture.width, picture.height, *cells(picture))
