"""Hostile and unusual files through the real API: indexed, or refused with name and reason; never a crash, a hang or a file outside.

Some are fixtures, the others lie beside the checkout and are not part of it: tests about single ones of those are skipped loudly without them.
One server takes them all, so that the memory it needed at its worst can be read at the end.
"""

import zipfile
from pathlib import Path

import pytest

from harness import odd, pictures
from harness.api import END_STATES, make_client, make_collection, make_namespace
from harness.server import Server

pytestmark = pytest.mark.ours
needs_collection = pytest.mark.skipif(odd.collection() is None, reason="no shared/data/odd-dev beside the checkout")

# docs/testing.md states this bound; 250 MB were measured.
PEAK_MEMORY_BYTES = 1024 * 1024 * 1024
JOB_DEADLINE_S = 60

# Where a member of arc-gen-absolute.tar wants to be written.
ABSOLUTE_ESCAPE = Path("/tmp/absolute-escape.jpg")

# The manifest calls these acceptable or not by other rules than ours; the reason is beside each.
OUR_RULE = {
    "arc-gen-mixed.zip": "reject",  # an archive is all or nothing unless `keep_good_members` is set
}


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def cage(tmp_path_factory):
    """A folder some levels deep, so that `../..` of a member still lands inside what is compared."""
    return tmp_path_factory.mktemp("cage")


@pytest.fixture(scope="module")
def odd_server(cage):
    inside = cage / "a/b/c"
    inside.mkdir(parents=True)
    ABSOLUTE_ESCAPE.unlink(missing_ok=True)
    with Server(inside / "data", "--allow-private-urls", cwd=inside) as running:
        yield running


@pytest.fixture(scope="module")
def odd_namespace(odd_server):
    return make_namespace(make_client(odd_server), ignore_ssl=True)


def outcome(api, pages, file: odd.OddFile):
    """(Success or Failed or Refused, reason)."""
    content = file.path.read_bytes()
    try:
        if len(content) == 1024:  # the SDK's form writer never ends at this size
            job_id = api.submit_url(pages.put(f"/odd/{file.upload_name}", content), file.upload_name)
        else:
            job_id = api.submit(content, file.upload_name)
    except Exception as error:
        assert getattr(error, "code", None), f"not a refusal by the server: {error!r}"
        assert getattr(error, "status_code", 400) < 500, error
        return "Refused", str(error)
    job = api.finished(job_id, JOB_DEADLINE_S)
    assert job.status in END_STATES
    return job.status, job.error


@pytest.mark.parametrize("file", odd.files(), ids=lambda file: file.path.name)
def test_odd_file(odd_server, odd_namespace, pages, file):
    api = make_collection(odd_namespace)
    status, reason = outcome(api, pages, file)
    assert odd_server.alive(), odd_server.output()[-4000:]
    expected = OUR_RULE.get(file.path.name, file.expected)
    names = api.documents()
    if expected == "accept":
        assert status == "Success", reason
    elif expected == "reject":
        assert status in {"Failed", "Refused"}, f"{file.why}: was accepted as {names}"
    if status == "Success":
        if expected == "accept":
            assert len(names) == file.photo_count
        assert len(api.query("picture", top_k=100)) == len(names)
    else:
        assert names == [], "nothing is kept of what was refused"
        assert reason
        if status == "Failed":
            assert file.upload_name in reason or file.is_archive, "the reason names the file"


@needs_collection
def test_bad_members_are_named_one_by_one(odd_namespace, pages):
    mixed = next(file for file in odd.files() if file.path.name == "arc-gen-mixed.zip")
    api = make_collection(odd_namespace)
    status, reason = outcome(api, pages, mixed)
    assert status == "Failed"
    assert api.documents() == []
    with zipfile.ZipFile(mixed.path) as archive:
        members = archive.namelist()
    named = [member for member in members if member in reason]
    assert len(named) >= 3, f"of {members} only {named} are named in: {reason}"


@needs_collection
def test_keep_good_members_indexes_the_good_ones(tmp_path):
    mixed = next(file for file in odd.files() if file.path.name == "arc-gen-mixed.zip")
    with Server(tmp_path / "data", "--keep-good-members") as keeping:
        api = make_collection(make_namespace(make_client(keeping), ignore_ssl=True))
        job = api.finished(api.submit(mixed.path.read_bytes(), mixed.path.name))
        assert job.status == "Failed", "Success would mean that all images are indexed"
        assert job.error
        assert len(api.documents()) in (3, 4), "the cut JPEG may be taken"


@needs_collection
@pytest.mark.parametrize("number", range(2, 9))
def test_all_eight_orientations_look_alike(odd_namespace, number):
    base = odd.collection()
    api = make_collection(odd_namespace)
    api.upload((base / "orient-Landscape_1.jpg").read_bytes(), "upright.jpg")
    match = api.query_image((base / f"orient-Landscape_{number}.jpg").read_bytes(), "query.jpg")[0]
    assert match.score > 0.94, "unturned, those that lie on a side or on their head score 0.42 to 0.64"


def test_nothing_was_written_outside_and_memory_stayed_bounded(cage, odd_server, odd_namespace):
    """Runs last: looks at what all the files above left behind."""
    api = make_collection(odd_namespace)
    api.upload(pictures.photo("rose.jpg"), "rose.jpg")
    outside = [path for path in tree(cage) if not path.startswith("a/b/c/data") and path not in ("a", "a/b", "a/b/c")]
    assert outside == []
    assert not ABSOLUTE_ESCAPE.exists()
    peak = odd_server.peak_memory_bytes()
    print(f"peak memory of the server: {peak / 1e6:.0f} MB")
    assert peak < PEAK_MEMORY_BYTES
