"""QueryContent with text beside the vector: full text over the fields declared for it, and every mode of HybridSearch."""

import json
import math

import pytest

from harness import pictures
from harness.api import knows, make_collection, make_namespace, needs, refused

pytestmark = needs("QueryContent", "use_full_text_retrieval")

PHOTOS = ["bulldog-waiting.jpg", "cabbages.jpg", "cup-of-coffee.png", "lemons.jpg", "rocket.jpg"]
VECTOR, FULL_TEXT, BOTH = 1, 2, 3

has_modes = needs("QueryContent", "hybrid_search", "hybrid_search_args")


@pytest.fixture(scope="module")
def captioned(client):
    """Photos with their captions, which full text looks into."""
    api = make_collection(make_namespace(client), full_text_retrieval_fields="caption")
    for name in PHOTOS:
        api.upload(pictures.photo(name), name, metadata={"caption": pictures.captions()[name], "category": "中文分类"})
    return api


def names(matches) -> list[str]:
    return [match.file_name for match in matches]


@pytest.mark.docs
def test_full_text_finds_words_of_the_declared_fields_only(captioned):
    matches = captioned.query("espresso", top_k=5, use_full_text_retrieval=True)
    assert matches[0].file_name == "cup-of-coffee.png"
    assert matches[0].retrieval_source == BOTH
    assert {match.retrieval_source for match in matches[1:]} == {VECTOR}
    undeclared = captioned.query("分类", top_k=5, use_full_text_retrieval=True)
    assert {match.retrieval_source for match in undeclared} == {VECTOR}


@pytest.mark.docs
def test_without_full_text_everything_is_found_by_its_vector(captioned):
    assert {match.retrieval_source for match in captioned.query("espresso", top_k=5)} == {VECTOR}


@pytest.mark.docs
def test_the_best_of_both_scores_counts_without_a_mode(captioned):
    matches = captioned.query("espresso", top_k=5, use_full_text_retrieval=True)
    by_vector = {match.file_name: match.score for match in captioned.query("espresso", top_k=5)}
    scores = [match.score for match in matches]
    assert scores == sorted(scores, reverse=True)
    for match in matches[1:]:
        assert math.isclose(match.score, by_vector[match.file_name], abs_tol=1e-6)
    assert matches[0].score >= by_vector["cup-of-coffee.png"]


@has_modes
@pytest.mark.docs
@pytest.mark.parametrize("k", [None, 2])
def test_rrf_adds_reciprocal_ranks(captioned, k):
    arguments = {} if k is None else {"hybrid_search_args": {"RRF": {"k": k}}}
    matches = captioned.query("yellow lemons", top_k=5, hybrid_search="RRF", **arguments)
    places = {name: place for place, name in enumerate(names(captioned.query("yellow lemons", top_k=5)), start=1)}
    for match in matches:
        expected = 1 / ((k or 60) + places[match.file_name])
        if match.retrieval_source == BOTH:
            expected += 1 / ((k or 60) + 1)
        assert math.isclose(match.score, expected, rel_tol=1e-5)
    assert [match.file_name for match in matches if match.retrieval_source == BOTH] == ["lemons.jpg"]


@has_modes
@pytest.mark.docs
def test_weight_goes_from_text_to_vector(captioned):
    def weighted(alpha):
        arguments = {"Weight": {"alpha": alpha}}
        return captioned.query("dog espresso", top_k=5, hybrid_search="Weight", hybrid_search_args=arguments)

    assert weighted(0)[0].file_name == "cup-of-coffee.png"
    by_vector = captioned.query("dog espresso", top_k=5)
    assert names(weighted(1)) == names(by_vector)
    for match, alone in zip(weighted(1), by_vector, strict=True):
        assert math.isclose(match.score, alone.score, abs_tol=1e-6)


@has_modes
@pytest.mark.docs
def test_cascaded_looks_for_vectors_within_the_text_hits(captioned):
    matches = captioned.query("shop bowl", top_k=5, hybrid_search="Cascaded")
    assert set(names(matches)) == {"bulldog-waiting.jpg", "cabbages.jpg", "lemons.jpg"}
    by_vector = {match.file_name: match.score for match in captioned.query("shop bowl", top_k=5)}
    for match in matches:
        assert math.isclose(match.score, by_vector[match.file_name], abs_tol=1e-6)
    assert captioned.query("zebra", hybrid_search="Cascaded") == []


@has_modes
@pytest.mark.docs
def test_paths_can_be_named(captioned):
    only_text = {"HybridPathsSetting": {"paths": "fulltext"}}
    body = captioned.call("QueryContent", content="bulldog", top_k=5, hybrid_search="RRF", hybrid_search_args=only_text)
    assert [match.retrieval_source for match in body.matches.match_list] == [FULL_TEXT]
    assert names(body.matches.match_list) == ["bulldog-waiting.jpg"]


@has_modes
@pytest.mark.ours
def test_an_image_that_no_path_looks_for_is_refused(captioned):
    only_text = {"HybridPathsSetting": {"paths": "fulltext"}}
    with refused("InvalidParameter", 400) as seen:
        captioned.query_image(pictures.photo("rocket.jpg"), "query.jpg", content="bulldog", hybrid_search_args=only_text)
    assert "dense" in seen.message


@has_modes
@pytest.mark.sdk
@pytest.mark.parametrize("declares_fields", [True, False])
def test_what_the_vendors_endpoint_sends_together_works_on_images(captioned, api, declares_fields):
    # The vendor's external-knowledge endpoint sends these three with every query.
    together = {"use_full_text_retrieval": True, "hybrid_search": "RRF", "rerank_factor": 2.0}
    target = captioned if declares_fields else api
    if not declares_fields:
        api.upload(pictures.photo("rocket.jpg"), "rocket.jpg")
    matches = target.query("rocket", top_k=3, **together)
    assert matches[0].file_name == "rocket.jpg"
    assert all(match.rerank_score is None for match in matches)
    assert target.query_image(pictures.photo("rocket.jpg"), "query.jpg", top_k=3, **together)[0].file_name == "rocket.jpg"


@has_modes
@pytest.mark.ours
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"hybrid_search": "rrf"}, "HybridSearch"),
        ({"hybrid_search": "RRF", "hybrid_search_args": {"RRF": {"k": 1}}}, "RRF.k"),
        ({"hybrid_search": "Weight", "hybrid_search_args": {"Weight": {"alpha": 2}}}, "Weight.alpha"),
        ({"hybrid_search": "RRF", "hybrid_search_args": {"Other": {}}}, "'Other'"),
        ({"hybrid_search_args": {"HybridPathsSetting": {"paths": "sparse"}}}, "SupportSparse"),
    ],
)
def test_bad_arguments_are_named(captioned, fields, named):
    with refused("InvalidParameter", 400) as seen:
        captioned.query("dog", **fields)
    assert named in seen.message, json.dumps(fields)


@has_modes
@pytest.mark.ours
def test_pages_and_orders_do_not_go_with_a_mode(captioned):
    for fields in ({"offset": 1}, {"order_by": "caption"}):
        if not knows("QueryContent", *fields):
            continue
        with refused("InvalidParameter", 400):
            captioned.query("dog", hybrid_search="RRF", **fields)
