"""QueryContent: ranking, scores, fields, and the URLs that it hands out."""

import json
import math
import urllib.error
import urllib.request

import pytest
from PIL import Image

from harness import pictures
from harness.api import make_collection, needs, refused
from harness.web import opened

pytestmark = needs("QueryContent", "file_url")


@pytest.mark.docs
def test_dog_ranks_every_dog_first(album):
    dogs = pictures.photos_of("dog")
    matches = album.query("Dog", top_k=len(dogs) + 3)
    assert {match.file_name for match in matches[: len(dogs)]} == dogs


@pytest.mark.docs
@pytest.mark.parametrize("text", ["cat", "truck", "banana", "lemon", "pineapple", "rocket", "frog", "giraffe", "toucan"])
def test_a_text_finds_its_picture(album, text):
    assert album.query(text, top_k=1)[0].file_name in pictures.photos_of(text)


@pytest.mark.docs
def test_a_picture_finds_itself_and_then_its_like(album):
    matches = album.query_image(pictures.photo("lemons.jpg"), "query.jpg", top_k=3)
    assert matches[0].file_name == "lemons.jpg"
    assert math.isclose(matches[0].score, 1.0, abs_tol=1e-4)
    assert matches[1].file_name in pictures.photos_of("fruit")


@pytest.mark.docs
def test_every_file_url_opens_to_the_bytes_that_were_uploaded(album):
    matches = album.query("thing", top_k=100)
    assert {match.file_name for match in matches} == set(pictures.labels())
    for match in matches:
        assert opened(match.file_url) == pictures.photo(match.file_name)


@pytest.mark.docs
@needs("QueryContent", "include_vector")
def test_a_match_has_the_documented_fields(album):
    body = album.call("QueryContent", content="dog", top_k=2, include_vector=True)
    assert (body.status, body.message) == ("success", "success")
    assert body.usage.embedding_entries == "1", "a text, unlike the same field of a job"
    for match in body.matches.match_list:
        assert match.id
        assert match.content in (None, "")
        assert match.metadata["batch"] == "examples"
        with Image.open(pictures.PHOTOS / match.file_name) as picture:
            facts = json.loads(match.loader_metadata)
            assert (facts["width"], facts["height"]) == picture.size
        assert len(match.vector.vector_list) == 512
        assert math.isclose(math.fsum(value * value for value in match.vector.vector_list), 1.0, abs_tol=1e-4)


@pytest.mark.docs
def test_no_vector_unless_it_is_asked_for(album):
    match = album.query("dog", top_k=1)[0]
    assert not match.vector or not match.vector.vector_list


@pytest.mark.docs
@pytest.mark.parametrize("metrics", ["cosine", "ip", "l2"])
def test_scores_are_the_databases_own(album, metrics):
    cosine = {match.file_name: match.score for match in album.query("dog", top_k=10)}
    matches = album.query("dog", top_k=10, metrics=metrics)
    scores = [match.score for match in matches]
    assert scores == sorted(scores, reverse=metrics != "l2"), "best first"
    assert [match.file_name for match in matches] == list(cosine), "unit vectors rank alike under all three"
    for match in matches:
        similarity = cosine[match.file_name]
        expected = math.sqrt(max(0.0, 2 - 2 * similarity)) if metrics == "l2" else similarity
        assert math.isclose(match.score, expected, abs_tol=1e-3)


@pytest.mark.ours
def test_equal_pictures_are_ordered_by_name(api):
    picture = pictures.drawing(5)
    for name in ("b.png", "c.png", "a.png"):
        api.upload(picture, name)
    matches = api.query_image(picture, "query.png")
    assert [match.file_name for match in matches] == ["a.png", "b.png", "c.png"]
    assert len({match.score for match in matches}) == 1


@pytest.mark.ours
@pytest.mark.parametrize("top_k", [1, 1000])
def test_top_k_at_its_edges(album, top_k):
    assert len(album.query("dog", top_k=top_k)) == min(top_k, len(pictures.labels()))


@pytest.mark.ours
@pytest.mark.parametrize("top_k", [0, -1, 1001])
def test_top_k_beyond_its_edges_is_refused(album, top_k):
    with refused("InvalidParameter", 400) as refusal:
        album.query("dog", top_k=top_k)
    assert "TopK" in refusal.message


@pytest.mark.ours
def test_top_k_defaults_to_ten(album):
    assert len(album.query("dog")) == 10


@pytest.mark.docs
def test_an_empty_collection_answers_an_empty_list(api):
    assert api.query("dog") == []


@pytest.mark.sdk
def test_an_empty_content_beside_a_picture_counts_as_absent(album):
    """The vendor's demo sends both."""
    matches = album.query_image(pictures.photo("rocket.jpg"), "query.jpg", content="", top_k=1)
    assert matches[0].file_name == "rocket.jpg"


@pytest.mark.ours
def test_a_query_for_nothing_is_refused(album):
    with refused("InvalidParameter", 400):
        album.call("QueryContent", top_k=3)


@pytest.mark.docs
@needs("QueryContent", "include_metadata_fields")
def test_only_the_metadata_fields_asked_for_come_back(api):
    api.upload(pictures.drawing(3), "three.png", metadata={"caption": "three", "category": "number"})
    assert api.query("x")[0].metadata == {"caption": "three", "category": "number"}
    assert api.query("x", include_metadata_fields="caption")[0].metadata == {"caption": "three"}


@pytest.mark.docs
def test_metadata_values_come_back_as_text(namespace):
    api = make_collection(namespace, metadata='{"page":"int","ratio":"float8","shown":"bool"}')
    api.upload(pictures.drawing(3), "three.png", metadata={"page": 7, "ratio": 0.5, "shown": True})
    metadata = api.query("x")[0].metadata
    assert metadata["page"] == "7"
    assert float(metadata["ratio"]) == 0.5
    assert all(isinstance(value, str) for value in metadata.values())


@pytest.mark.docs
@needs("QueryContent", "url_expiration")
@pytest.mark.parametrize("expiration", ["60s", "1d", "365d", "7200"])
def test_the_life_of_a_file_url_can_be_chosen(album, expiration):
    match = album.query("dog", top_k=1, url_expiration=expiration)[0]
    assert opened(match.file_url) == pictures.photo(match.file_name)


@pytest.mark.ours
@needs("QueryContent", "url_expiration")
@pytest.mark.parametrize("expiration", ["59s", "366d", "soon"])
def test_an_impossible_life_of_a_file_url_is_refused(album, expiration):
    with refused("InvalidParameter", 400) as refusal:
        album.query("dog", top_k=1, url_expiration=expiration)
    assert "UrlExpiration" in refusal.message


@pytest.mark.ours
def test_a_changed_file_url_is_403_in_the_object_stores_xml(album):
    url = album.query("dog", top_k=1)[0].file_url
    tampered = url.replace("Expires=", "Expires=9")
    assert tampered != url
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(tampered, timeout=10)
    body = caught.value.read().decode()
    assert caught.value.code == 403
    assert caught.value.headers["Content-Type"] == "application/xml"
    assert "<Error>" in body and "<Code>" in body and "<RequestId>" in body


@pytest.mark.ours
def test_a_file_url_serves_ranges_and_entity_tags(album):
    match = album.query("dog", top_k=1)[0]
    content = pictures.photo(match.file_name)
    request = urllib.request.Request(match.file_url, headers={"Range": "bytes=10-19"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert reply.status == 206
        assert reply.read() == content[10:20]
        assert reply.headers["Content-Range"] == f"bytes 10-19/{len(content)}"
        tag = reply.headers["ETag"]
    request = urllib.request.Request(match.file_url, headers={"If-None-Match": tag})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    assert caught.value.code == 304
