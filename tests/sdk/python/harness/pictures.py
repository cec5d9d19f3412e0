"""Pictures and archives: the example photos, and small ones drawn here whose bytes are the same at every run."""

import csv
import gzip
import io
import tarfile
import zipfile
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw

from harness.server import ROOT

PHOTOS = ROOT / "examples/photos"


@cache
def _table() -> list[dict[str, str]]:
    with (PHOTOS / "labels.csv").open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


def labels() -> dict[str, list[str]]:
    """What each example photo shows, most prominent first."""
    return {row["file"]: row["labels"].split(";") for row in _table()}


def captions() -> dict[str, str]:
    return {row["file"]: row["caption"] for row in _table()}


def photos_of(label: str) -> set[str]:
    return {name for name, shown in labels().items() if label in shown}


def photo(name: str) -> bytes:
    return (PHOTOS / name).read_bytes()


def example_photos() -> dict[str, bytes]:
    return {name: photo(name) for name in labels()}


def drawing(seed: int, image_format: str = "PNG", size: tuple[int, int] = (96, 64)) -> bytes:
    """A small picture that differs for every seed."""
    picture = Image.new("RGB", size, (seed * 37 % 256, seed * 91 % 256, seed * 53 % 256))
    pen = ImageDraw.Draw(picture)
    for stripe in range(1 + seed % 7):
        x = (seed * 13 + stripe * 17) % size[0]
        pen.rectangle((x, stripe * 5, x + 9, size[1] - stripe * 3), fill=(stripe * 41 % 256, seed * 29 % 256, 200))
    stream = io.BytesIO()
    picture.save(stream, image_format)
    return stream.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def tarred(members: dict[str, bytes], compressed: bool = False) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(stream.getvalue(), mtime=0) if compressed else stream.getvalue()
