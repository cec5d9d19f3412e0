"""Upload jobs: life cycle, overwriting, cancelling, dry runs, remote sources, archives."""

import pytest

from harness import pictures
from harness.api import END_STATES, IS_OLD_SDK, make_client, make_collection, make_namespace, refused
from harness.server import Server
from harness.web import opened


@pytest.mark.docs
def test_a_finished_job_reports_its_usage(api):
    job_id = api.submit(pictures.zipped({f"{n}.png": pictures.drawing(n) for n in range(3)}), "three.zip")
    assert api.finished(job_id).status == "Success"
    body = api.call("GetUploadDocumentJob", job_id=job_id)
    assert body.status == "success"
    assert body.job.id == job_id
    assert IS_OLD_SDK or body.usage.embedding_entries == 6, "one image counts two entries"


@pytest.mark.docs
def test_the_same_name_overwrites_and_counts_the_version(api):
    for version, seed in enumerate((1, 2, 3), start=1):
        api.upload(pictures.drawing(seed), "same.png", metadata={"caption": f"version {version}"})
        assert api.call("DescribeDocument", file_name="same.png").file_version == version
    matches = api.query("x")
    assert [match.metadata["caption"] for match in matches] == ["version 3"]
    assert opened(matches[0].file_url) == pictures.drawing(3)


@pytest.mark.ours
def test_a_failed_overwrite_leaves_the_old_version(api):
    api.upload(pictures.drawing(1), "same.png")
    job = api.finished(api.submit(b"this is no picture at all", "same.png"))
    assert job.status == "Failed"
    assert "same.png" in job.error
    assert opened(api.query("x")[0].file_url) == pictures.drawing(1)


@pytest.mark.ours
def test_a_smaller_archive_replaces_only_the_names_in_it(api):
    api.upload(pictures.zipped({"a.png": pictures.drawing(1), "b.png": pictures.drawing(2)}), "pair.zip")
    api.upload(pictures.zipped({"b.png": pictures.drawing(3)}), "pair.zip")
    urls = {match.file_name: match.file_url for match in api.query("x")}
    assert opened(urls["a.png"]) == pictures.drawing(1)
    assert opened(urls["b.png"]) == pictures.drawing(3)


@pytest.mark.docs
def test_a_finished_job_cannot_be_cancelled(api):
    job_id = api.submit(pictures.drawing(1), "one.png")
    api.finished(job_id)
    with refused("InvalidParameter", 400) as refusal:
        api.call("CancelUploadDocumentJob", job_id=job_id)
    assert "Success" in refusal.message


@pytest.mark.docs
def test_a_cancelled_job_ends_cancelled_and_leaves_nothing(api):
    """The first job keeps the worker busy, so that the second is still waiting when it is cancelled."""
    busy = api.submit(pictures.zipped({f"busy-{n}.jpg": pictures.photo("frog.jpg") for n in range(60)}), "busy.zip")
    waiting = api.submit(pictures.drawing(1), "cancelled.png")
    assert api.call("CancelUploadDocumentJob", job_id=waiting).status == "success"
    assert api.finished(waiting).status == "Cancelled"
    assert api.call("CancelUploadDocumentJob", job_id=busy).status == "success"
    assert api.finished(busy).status == "Cancelled"
    assert api.documents() == []


@pytest.mark.ours
def test_an_unknown_job_is_404(api):
    with refused("Job.NotFound", 404):
        api.job("00000000-0000-0000-0000-000000000000")


@pytest.mark.ours
def test_a_job_of_another_collection_is_404(api, namespace):
    job_id = api.submit(pictures.drawing(1), "one.png")
    with refused("Job.NotFound", 404):
        make_collection(namespace).job(job_id)
    assert api.finished(job_id).status == "Success"


@pytest.mark.docs
def test_a_dry_run_stores_nothing(api):
    job = api.finished(api.submit(pictures.drawing(1), "one.png", dry_run=True))
    assert job.status == "Success"
    assert api.documents() == [] and api.query("x") == []


@pytest.mark.ours
def test_a_dry_run_still_finds_what_is_no_picture(api):
    job = api.finished(api.submit(b"this is no picture at all", "one.png", dry_run=True))
    assert job.status == "Failed" and "one.png" in job.error


@pytest.mark.ours
def test_a_bad_member_fails_the_whole_archive_and_is_named(api):
    members = {"good.png": pictures.drawing(1), "folder/bad.jpg": b"no picture", "notes.txt": b"text"}
    job = api.finished(api.submit(pictures.zipped(members), "mixed.zip"))
    assert job.status == "Failed"
    assert "folder/bad.jpg" in job.error and "notes.txt" in job.error and "good.png" not in job.error
    assert api.documents() == []


@pytest.mark.ours
def test_system_litter_in_an_archive_is_passed_over(api):
    members = {"good.png": pictures.drawing(1), "__MACOSX/._good.png": b"x", ".DS_Store": b"x", "Thumbs.db": b"x"}
    api.upload(pictures.zipped(members), "litter.zip")
    assert api.documents() == ["good.png"]


@pytest.mark.docs
@pytest.mark.parametrize("count", [100, 101])
def test_an_archive_holds_up_to_a_hundred_images(api, count):
    picture = pictures.drawing(1)
    job = api.finished(api.submit(pictures.zipped({f"{n:03}.png": picture for n in range(count)}), "many.zip"))
    if count == 100:
        assert job.status == "Success" and len(api.documents()) == 100
    else:
        assert job.status == "Failed" and "100" in job.error
        assert api.documents() == []


@pytest.mark.ours
@pytest.mark.parametrize("name", ["picture.gif", "picture.webp", "picture.tif", "picture", "picture.exe"])
def test_an_extension_that_is_not_listed_is_refused_at_once(api, name):
    with refused("InvalidParameter", 400) as refusal:
        api.submit(pictures.drawing(1), name)
    assert "FileName" in refusal.message


@pytest.mark.ours
def test_the_content_decides_the_format_and_capitals_are_accepted(api):
    api.upload(pictures.drawing(1, "BMP"), "really-a-bitmap.JPG")
    assert api.documents() == ["really-a-bitmap.JPG"]


@pytest.mark.docs
def test_a_remote_image_is_fetched(api, pages):
    url = pages.put("/jobs/rose.jpg", pictures.photo("rose.jpg"))
    moved = pages.redirect("/jobs/moved.jpg", url)
    job = api.finished(api.submit_url(moved, "rose.jpg"))
    assert job.status == "Success", job.error
    assert opened(api.query("rose")[0].file_url) == pictures.photo("rose.jpg")


@pytest.mark.ours
def test_a_remote_image_that_is_missing_fails_its_job(api, pages):
    job = api.finished(api.submit_url(f"{pages.base}/jobs/missing.jpg", "missing.jpg"))
    assert job.status == "Failed"
    assert "404" in job.error


@pytest.mark.ours
def test_redirects_have_an_end(api, pages):
    circle = pages.redirect("/jobs/circle.jpg", f"{pages.base}/jobs/circle.jpg")
    job = api.finished(api.submit_url(circle, "circle.jpg"))
    assert job.status == "Failed"
    assert "redirect" in job.error


@pytest.mark.ours
def test_deleting_the_collection_ends_its_jobs(api):
    job_id = api.submit(pictures.zipped({f"{n}.jpg": pictures.photo("frog.jpg") for n in range(40)}), "many.zip")
    api.call("DeleteDocumentCollection")
    job = api.finished(job_id)
    assert job.status == "Failed"
    assert IS_OLD_SDK or job.error_code == "Collection.NotFound"


@pytest.mark.sdk
def test_every_reply_of_a_job_obeys_the_pollers_rules(api):
    """`finished` checks each reply; a job of many pictures gives it several to check."""
    job_id = api.submit(pictures.zipped({f"{n}.jpg": pictures.photo("frog.jpg") for n in range(20)}), "many.zip")
    assert api.finished(job_id).status in END_STATES


@pytest.mark.ours
def test_private_addresses_are_refused_by_default(tmp_path, pages):
    """The only test that needs a server without `--allow-private-urls`."""
    with Server(tmp_path / "data") as careful:
        api = make_collection(make_namespace(make_client(careful), ignore_ssl=True))
        url = pages.put("/private/rose.jpg", pictures.photo("rose.jpg"))
        seen = len(pages.seen)
        for address in (url, url.replace("127.0.0.1", "localhost")):
            job = api.finished(api.submit_url(address, "rose.jpg"))
            assert job.status == "Failed"
            assert "--allow-private-urls" in job.error or "private" in job.error
        assert len(pages.seen) == seen, "not even asked"
        api.upload(pictures.photo("rose.jpg"), "rose.jpg")


@pytest.mark.sdk
def test_one_upload_too_many_is_throttled(tmp_path):
    """The newest SDK raises its throttling exception when the answer says how long to wait."""
    with Server(tmp_path / "data", "--max-unfinished-jobs", "0") as busy:
        api = make_collection(make_namespace(make_client(busy), ignore_ssl=True))
        with refused("Throttling.User", 400) as refusal:
            api.submit(pictures.drawing(1), "one.png")
        if not IS_OLD_SDK:
            assert type(refusal.error).__name__ == "ThrottlingException"
            assert refusal.error.retry_after > 0
