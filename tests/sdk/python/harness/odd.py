"""Odd files, row by row: those of `tests/fixtures`, and the larger collection that may lie beside the checkout."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from harness.server import ROOT

IMAGE_EXTENSIONS = (".bmp", ".jpg", ".jpeg", ".png", ".tiff")
ARCHIVE_EXTENSIONS = (".zip", ".tar", ".gz", ".tgz")


FIXTURES = ROOT / "tests/fixtures/odd"


def collection() -> Path | None:
    """`shared/data/odd-dev` beside the checkout or further up."""
    candidates = (parent / "shared/data/odd-dev" for parent in ROOT.parents)
    return next((path for path in candidates if (path / "manifest.csv").is_file()), None)


@dataclass(frozen=True)
class OddFile:
    path: Path
    what: str
    expected: str
    why: str

    @property
    def upload_name(self) -> str:
        """The name to upload under: an extension that the API refuses gets an accepted one behind it, the content decides."""
        name = self.path.name
        if name.lower().endswith(IMAGE_EXTENSIONS + ARCHIVE_EXTENSIONS):
            return name
        return name + (".tar" if name.startswith("arc-") else ".jpg")

    @property
    def is_archive(self) -> bool:
        return self.upload_name.lower().endswith(ARCHIVE_EXTENSIONS)

    @property
    def photo_count(self) -> int:
        """How many photos an accepted file holds, by the manifest's own words."""
        if not self.is_archive:
            return 1
        if self.path.name == "arc-gen-duplicates.zip":
            return 2  # one of its three members has the name of another
        count = re.match(r"(\d+) photos?\b", self.why) or re.search(r"(\d+) (?:small )?photos?\b", self.what)
        assert count, f"the manifest does not say how many photos {self.path.name} holds"
        return int(count[1])


def rows(folder: Path) -> list[OddFile]:
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as table:
        return [OddFile(folder / row["file"], row["what"], row["expected"], row["why"]) for row in csv.DictReader(table)]


def files() -> list[OddFile]:
    """Every odd file there is here, each name once."""
    beside = collection()
    every = [*rows(FIXTURES), *(rows(beside) if beside else [])]
    return sorted({file.path.name: file for file in every}.values(), key=lambda file: file.path.name)
