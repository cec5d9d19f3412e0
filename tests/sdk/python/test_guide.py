"""Every sample of the vendor's guide, run as it stands.

Only placeholders get values, and the endpoint line of `create_client` becomes the lines that `lookalike serve` prints.
The misspelt module name is served by `compat/`, which a user of the page needs as well.
"""

import re
from pathlib import Path

import pytest
from PIL import Image, ImageShow

from harness import pictures
from harness.api import REGION, Api, make_collection, needs
from harness.server import ACCESS_KEY_ID, ACCESS_KEY_SECRET

GUIDE = Path(__file__).parent / "guide"
CLOUD_ENDPOINT = '    config.endpoint = "gpdb.aliyuncs.com"\n    return gpdb20160503Client(config)\n'
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

pytestmark = [pytest.mark.docs, needs("QueryContent", "file_url")]


def local_endpoint(address: str) -> str:
    return (
        f'    config.endpoint = "{address}"\n'
        '    config.protocol = "http"\n'
        "    client = gpdb20160503Client(config)\n"
        f'    client._open_platform_endpoint = "{address}"\n'
        "    return client\n"
    )


class Guide:
    """Runs the samples of the page one after the other in one namespace, as a reader would."""

    def __init__(self, server, api: Api):
        self.values = {
            "<your-instance-region-id>": REGION,
            "<your-instance-id>": api.instance,
            "<your-namespace-name>": api.namespace,
            "<your-namespace-password>": api.password,
            "<your-collection-name>": api.collection,
        }
        self.names: dict = {}
        source = (GUIDE / "initialize_client.py").read_text(encoding="utf-8")
        assert CLOUD_ENDPOINT in source
        self.run_source(source.replace(CLOUD_ENDPOINT, local_endpoint(server.address)))

    def run(self, sample: str, **values: str):
        source = (GUIDE / f"{sample}.py").read_text(encoding="utf-8")
        for placeholder, value in (self.values | {f"<{k.replace('__', '-')}>": v for k, v in values.items()}).items():
            source = source.replace(placeholder, value)
        assert not re.search(r'"<[a-z_-]+>"', source), "a placeholder has no value"
        self.run_source(source)

    def run_source(self, source: str):
        exec(compile(source, "<guide>", "exec"), self.names)


class RecordingViewer(ImageShow.Viewer):
    """What PIL's `show()` calls: keeps the picture instead of opening a window."""

    def __init__(self):
        self.shown: list[Image.Image] = []

    def show(self, image, **_):
        self.shown.append(image.copy())
        return True


@pytest.fixture
def viewer(monkeypatch):
    viewer = RecordingViewer()
    monkeypatch.setattr(ImageShow, "_viewers", [viewer])
    return viewer


@pytest.fixture
def guide(server, api, monkeypatch):
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", ACCESS_KEY_ID)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", ACCESS_KEY_SECRET)
    return Guide(server, api)


def printed_job_id(capsys) -> str:
    output = capsys.readouterr().out
    job_id = re.fullmatch(rf"Job ID: ({UUID})\n", output)
    assert job_id, output
    return job_id[1]


def test_upload_a_local_image(guide, api, capsys):
    guide.run("upload_local_image", image_file_path=str(pictures.PHOTOS / "eagle.jpg"), filename__with__extension="eagle.jpg")
    assert api.finished(printed_job_id(capsys)).status == "Success"
    match = api.query("eagle", top_k=1)[0]
    assert match.file_name == "eagle.jpg"
    assert match.metadata == {"caption": "sample image", "category": "nature"}


def test_upload_a_remote_image(guide, api, pages, capsys):
    url = pages.put("/guide/frog.jpg", pictures.photo("frog.jpg"))
    guide.run("upload_remote_image", image_file_url=url, filename__with__extension="frog.jpg")
    assert api.finished(printed_job_id(capsys)).status == "Success"
    assert [match.file_name for match in api.query("frog")] == ["frog.jpg"]


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("images.zip", pictures.zipped),
        ("images.tar", pictures.tarred),
        ("images.tar.gz", lambda members: pictures.tarred(members, compressed=True)),
        ("images.gz", lambda members: pictures.tarred(members, compressed=True)),
    ],
)
def test_upload_an_archive(guide, api, tmp_path, capsys, name, pack):
    members = {name: pictures.photo(name) for name in ("rose.jpg", "daisy.jpg", "tulips.jpg")}
    archive = tmp_path / name
    archive.write_bytes(pack(members))
    guide.run("upload_archive", compress_file_path=str(archive), archive__filename__with__extension=name)
    assert api.finished(printed_job_id(capsys)).status == "Success"
    matches = api.query("flower")
    assert {match.file_name for match in matches} == set(members)
    assert all(match.metadata == {"batch": "upload-batch-1"} for match in matches)


def test_check_upload_progress(guide, api, capsys):
    job_id = api.submit(pictures.photo("rose.jpg"), "rose.jpg")
    api.finished(job_id)
    guide.run("check_progress", job_id=job_id)
    assert capsys.readouterr().out == "Status: Success\n"


def lines_of_matches(capsys) -> list[tuple[str, str]]:
    lines = capsys.readouterr().out.splitlines()
    found = [re.fullmatch(r"URL: (\S+), Caption: (.*)", line) for line in lines]
    assert all(found), lines
    return [(match[1], match[2]) for match in found]


def test_search_by_text_opens_the_pictures(guide, api, viewer, capsys):
    captions = {name: f"a picture of {' and '.join(shown)}" for name, shown in pictures.labels().items()}
    dogs = sorted(pictures.photos_of("dog"))
    for name in [*dogs, "fork.jpg", "lemons.jpg", "rocket.jpg"]:
        api.upload(pictures.photo(name), name, metadata={"caption": captions[name]})
    guide.run("search_by_text")
    found = lines_of_matches(capsys)
    assert sorted(caption for _, caption in found) == sorted(captions[name] for name in dogs)
    assert len(viewer.shown) == 3


def test_search_by_image_opens_the_pictures(guide, album, viewer, capsys):
    guide.values["<your-namespace-name>"] = album.namespace
    guide.values["<your-collection-name>"] = album.collection
    guide.run("search_by_image", image_file_path=str(pictures.PHOTOS / "dog-and-bicycle.jpg"))
    assert len(lines_of_matches(capsys)) == 3
    with Image.open(pictures.PHOTOS / "dog-and-bicycle.jpg") as picture:
        assert viewer.shown[0].size == picture.size


def test_metadata_must_be_declared_before_it_is_sent(guide, namespace, capsys):
    """The page never shows this step; the sample prints what the service answers."""
    undeclared = make_collection(namespace, metadata='{"title":"text"}')
    guide.values["<your-collection-name>"] = undeclared.collection
    guide.run("upload_local_image", image_file_path=str(pictures.PHOTOS / "rose.jpg"), filename__with__extension="rose.jpg")
    output = capsys.readouterr().out
    assert "Job ID" not in output
    assert "InvalidParameter" in output and "caption" in output
