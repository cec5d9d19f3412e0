"""QueryCollectionData by text, by sparse vector, and by several at once."""

import json
import math

import pytest

from harness.api import models, needs, refused
from test_rows import ids, make_vectors, query, row, upsert

has_text = needs("QueryCollectionData", "content")
has_modes = needs("QueryCollectionData", "content", "hybrid_search", "hybrid_search_args")
has_sparse = needs("QueryCollectionData", "sparse_vector")


@pytest.fixture
def titled(namespace):
    """Rows whose titles full text looks into."""
    api = make_vectors(namespace, full_text_retrieval_fields="title", metrics="ip")
    upsert(
        api,
        row([1.0, 0.0, 0.0], "x", title="a dog"),
        row([0.0, 1.0, 0.0], "y", title="一只猫"),
        row([0.0, 0.0, 1.0], "z", title="a cat and a dog"),
    )
    return api


@has_text
@pytest.mark.docs
def test_content_alone_is_full_text(titled):
    assert ids(query(titled, content="dog")) == ["x", "z"]
    assert ids(query(titled, content="猫")) == ["y"]
    assert query(titled, content="zebra") == []
    assert ids(query(titled, content="dog", filter="id = 'z'")) == ["z"]


@has_text
@pytest.mark.docs
def test_content_beside_a_vector_compares_the_scores_as_they_are(titled):
    by_text = {match.id: match.score for match in query(titled, content="dog")}
    matches = query(titled, [0.0, 1.0, 0.0], content="dog")
    for match in matches:
        expected = max(1.0 if match.id == "y" else 0.0, by_text.get(match.id, 0.0))
        assert math.isclose(match.score, expected, abs_tol=1e-6)


@has_modes
@pytest.mark.docs
def test_modes_mix_vector_and_text(titled):
    rrf = query(titled, [0.0, 0.0, 1.0], content="dog", hybrid_search="RRF", hybrid_search_args={"RRF": {"k": 9}})
    # z: first by vector, second by text. x: shares the second place by vector with y, first by text.
    # Equal scores are ordered by id.
    assert ids(rrf) == ["x", "z", "y"]
    assert math.isclose({m.id: m.score for m in rrf}["z"], 1 / 10 + 1 / 11, rel_tol=1e-5)
    assert math.isclose({m.id: m.score for m in rrf}["y"], 1 / 11, rel_tol=1e-5)
    weight = {"Weight": {"alpha": 0.9}}
    assert ids(query(titled, [0.0, 1.0, 0.0], content="dog", hybrid_search="Weight", hybrid_search_args=weight))[0] == "y"
    cascaded = query(titled, [0.1, 0.9, 0.2], content="dog", hybrid_search="Cascaded")
    assert [(match.id, round(match.score, 5)) for match in cascaded] == [("z", 0.2), ("x", 0.1)]


@has_modes
@pytest.mark.ours
@pytest.mark.parametrize("fields", [{"order_by": "title"}, {"offset": 1}, {"hybrid_search": "Sum"}])
def test_what_does_not_go_together_is_refused(titled, fields):
    with refused("InvalidParameter", 400) as seen:
        query(titled, [1.0, 0.0, 0.0], content="dog", **fields)
    assert {"order_by": "OrderBy", "offset": "Offset", "hybrid_search": "HybridSearch"}[next(iter(fields))] in seen.message


@has_sparse
@pytest.mark.docs
def test_sparse_vectors_are_compared_by_inner_product(namespace):
    api = make_vectors(namespace, support_sparse=True, metrics="ip")

    def sparse_row(id, vector, indices, values):
        sparse = models.UpsertCollectionDataRequestRowsSparseVector(indices=indices, values=values)
        return models.UpsertCollectionDataRequestRows(id=id, vector=vector, sparse_vector=sparse)

    upsert(
        api,
        sparse_row("a", [1.0, 0.0, 0.0], [9, 4], [0.5, 1.5]),
        sparse_row("b", [0.0, 1.0, 0.0], [4], [2.0]),
        sparse_row("c", [0.0, 0.0, 1.0], [5], [2.0]),
    )

    def sparse(indices, values):
        return models.QueryCollectionDataRequestSparseVector(indices=indices, values=values)

    found = query(api, sparse_vector=sparse([4, 9], [1.0, 2.0]))
    assert [(match.id, match.score) for match in found] == [("a", 2.5), ("b", 2.0)]
    arguments = {"Weight": {"dense": 3, "sparse": 1}}
    both = query(
        api, [0.0, 0.0, 1.0], sparse_vector=sparse([4], [1.0]), hybrid_search="Weight", hybrid_search_args=arguments
    )
    assert ids(both) == ["c", "b", "a"], json.dumps([match.score for match in both])
    with refused("InvalidParameter", 400) as seen:
        query(api, sparse_vector=sparse([4, 4], [1.0, 1.0]))
    assert "SparseVector" in seen.message
