"""Vector collections and their rows through the SDK: every action of them, with what its fields change."""

import json
import math

import pytest

from harness import pictures
from harness.api import END_STATES, IS_OLD_SDK, Api, fresh_name, make_collection, models, needs, refused
from harness.server import wait_until
from test_actions import check_envelope

FIELDS = {"title": "text", "page": "int", "extra": "jsonb"}


def make_vectors(api: Api, **fields) -> Api:
    """A vector collection of three dimensions; fields as in CreateCollection."""
    name = fresh_name("vectors")
    settings = {"metadata": json.dumps(FIELDS), "dimension": 3}
    check_envelope(api.with_collection(name).call("CreateCollection", **(settings | fields)))
    return api.with_collection(name)


def row(vector, id: str | None = None, **metadata):
    return models.UpsertCollectionDataRequestRows(id=id, vector=vector, metadata=metadata or None)


def upsert(api: Api, *rows):
    check_envelope(api.call("UpsertCollectionData", rows=list(rows)))


def query(api: Api, vector=None, top_k: int = 10, **fields):
    return api.call("QueryCollectionData", vector=vector, top_k=top_k, **fields).matches.match


def ids(matches) -> list[str]:
    return [match.id for match in matches]


@pytest.fixture
def vectors(namespace) -> Api:
    """Three rows, one along each axis."""
    api = make_vectors(namespace)
    upsert(
        api,
        row([1.0, 0.0, 0.0], "x", title="along x", page=1, extra={"k": ["v", 2]}),
        row([0.0, 2.0, 0.0], "y", title="it's y", page="2"),
        row([0.0, 0.0, 3.0], "z", title="along z"),
    )
    return api


@pytest.mark.docs
def test_a_collection_is_described_as_it_was_made(namespace):
    api = make_vectors(namespace, metrics="l2", full_text_retrieval_fields="title")
    body = api.call("DescribeCollection")
    check_envelope(body)
    assert (body.dimension, body.metrics, body.namespace, body.dbinstance_id, body.region_id) == (3, "l2", api.namespace, api.instance, "cn-hangzhou")
    assert (body.metadata, body.full_text_retrieval_fields, body.parser) == (FIELDS, "title", "zh_cn")
    assert IS_OLD_SDK or body.support_sparse is False


@pytest.mark.sdk
def test_a_missing_collection_is_404_and_a_second_one_exists_already(namespace):
    """Dify and LlamaIndex create what DescribeCollection answers 404 for."""
    with refused("Collection.NotFound", 404):
        namespace.with_collection("nothing").call("DescribeCollection")
    api = make_vectors(namespace)
    with refused("Collection.AlreadyExists", 409):
        api.call("CreateCollection", metadata="{}")


@pytest.mark.ours
def test_collections_of_both_kinds_are_listed(namespace):
    """Row 48 of the unknowns."""
    assert namespace.call("ListCollections").count == 0
    photos, api = make_collection(namespace), make_vectors(namespace)
    body = namespace.call("ListCollections")
    check_envelope(body)
    assert sorted([photos.collection, api.collection]) == body.collections.collection
    assert body.count == 2
    check_envelope(api.call("DeleteCollection"))
    assert namespace.call("ListCollections").collections.collection == [photos.collection]
    with refused("Collection.NotFound", 404):
        api.call("DeleteCollection")


@pytest.mark.docs
def test_without_a_dimension_the_index_says_it(namespace):
    api = make_vectors(namespace, dimension=None)
    check_envelope(api.call("CreateVectorIndex", dimension=2, metrics="ip"))
    upsert(api, row([2.0, 1.0], "a"))
    body = api.call("DescribeCollection")
    assert (body.dimension, body.metrics) == (2, "ip")
    assert query(api, [1.0, 1.0])[0].score == 3.0
    with refused("InvalidParameter", 400) as refusal:
        upsert(api, row([1.0, 1.0, 1.0]))
    assert "row 1: Vector has 3 numbers" in refusal.message


@pytest.mark.docs
@needs("ModifyCollection")
def test_fields_are_added_and_renamed(vectors):
    operations = [
        {"operator": "add", "newMetaName": "note", "newMetaType": "text"},
        {"operator": "replace", "oldMetaName": "page", "newMetaName": "number", "newMetaType": "text"},
    ]
    body = vectors.call("ModifyCollection", metadata=json.dumps({"operations": operations}))
    check_envelope(body)
    assert json.loads(body.metadata) == {"title": "text", "number": "text", "extra": "jsonb", "note": "text"}
    assert ids(query(vectors, filter="number = '2'")) == ["y"]


@pytest.mark.ours
def test_grants_and_the_switch_of_the_vector_engine_are_taken(namespace, vectors):
    check_envelope(vectors.call("GrantCollection", grant_to_namespace=namespace.namespace, grant_type="ro"))
    with refused("InvalidParameter", 400):
        vectors.call("GrantCollection", grant_to_namespace=namespace.namespace, grant_type="all")
    body = vectors.call("ModifyVectorConfiguration", vector_configuration_status="enabled")
    assert body.status is True and body.dbinstance_id == vectors.instance
    with refused("InvalidParameter", 400):
        vectors.call("ModifyVectorConfiguration", vector_configuration_status="disabled")


@pytest.mark.docs
@needs("CreateIndex")
def test_a_scalar_index_is_made_by_a_job_and_listed(vectors):
    job_id = vectors.call("CreateIndex", index_field="page", index_name="by_page").job_id
    job = vectors.call("DescribeCreateIndexJob", job_id=job_id).job
    assert (job.id, job.status, job.completed, job.progress, job.error) == (job_id, "Success", True, 100, None)
    with refused("InvalidParameter", 400):
        vectors.call("CancelCreateIndexJob", job_id=job_id)
    [listed] = vectors.call("ListIndices").indices.indices
    body = vectors.call("DescribeIndex", index_name="by_page")
    check_envelope(body)
    place = f"{vectors.namespace}.{vectors.collection}"
    assert body.index_def == listed.index_def == f"CREATE INDEX by_page ON {place} USING btree (page)"
    with refused("Index.AlreadyExists", 409):
        vectors.call("CreateIndex", index_field="page", index_name="by_page")
    with refused("InvalidParameter", 400):
        vectors.call("CreateIndex", index_field="colour")
    check_envelope(vectors.call("DeleteIndex", index_name="by_page"))
    with refused("Index.NotFound", 404):
        vectors.call("DescribeIndex", index_name="by_page")


@pytest.mark.sdk
def test_matches_carry_texts_and_typed_values(vectors):
    """Clients read `metadata` as texts and parse what was `jsonb`."""
    match = query(vectors, [1.0, 0.1, 0.0], include_values=True)[0]
    assert (match.id, match.values.value) == ("x", [1.0, 0.0, 0.0])
    assert math.isclose(match.score, 0.995037, abs_tol=1e-6)
    assert match.metadata == {"title": "along x", "page": "1", "extra": '{"k":["v",2]}'}
    if not IS_OLD_SDK:
        assert match.metadata_v2 == {"title": "along x", "page": 1, "extra": {"k": ["v", 2]}}
        assert match.sparse_values is None
    assert query(vectors, [1.0, 0.0, 0.0])[0].values is None


@pytest.mark.docs
def test_a_query_has_a_filter_a_metric_and_a_size(vectors):
    assert ids(query(vectors, [1.0, 1.0, 1.0], filter="page >= 1 AND title LIKE 'it%'")) == ["y"]
    assert ids(query(vectors, [1.0, 0.5, 0.2], top_k=2)) == ["x", "y"]
    nearest = query(vectors, [0.0, 2.0, 0.0], metrics="l2", top_k=1)[0]
    assert (nearest.id, nearest.score) == ("y", 0.0)
    assert query(vectors, [0.0, 2.0, 0.0], metrics="ip", top_k=1)[0].score == 4.0
    for fields in [{"vector": [1.0, 1.0]}, {"vector": [0.0] * 3}, {"vector": [1.0] * 3, "top_k": 0}, {"filter": "colour = 1"}, {}]:
        with refused("InvalidParameter", 400):
            query(vectors, **fields)


@pytest.mark.docs
@needs("QueryCollectionData", "offset", "order_by", "include_metadata_fields")
def test_pages_have_a_total_and_an_order(vectors):
    body = vectors.call("QueryCollectionData", vector=[1.0, 0.5, 0.2], top_k=1, offset=1)
    assert (ids(body.matches.match), body.total) == (["y"], 3)
    body = vectors.call("QueryCollectionData", filter="id <> 'x'", order_by="id DESC", top_k=5, offset=0, include_metadata_fields="title")
    assert (ids(body.matches.match), body.total) == (["z", "y"], 2)
    assert body.matches.match[0].metadata == {"title": "along z"}
    assert vectors.call("QueryCollectionData", vector=[1.0, 0.5, 0.2], top_k=1).total is None


@pytest.mark.docs
@needs("CreateCollection", "support_sparse")
def test_sparse_vectors_come_back(namespace):
    api = make_vectors(namespace, support_sparse=True)
    assert api.call("DescribeCollection").sparse_vector_metrics == "ip"
    sparse = models.UpsertCollectionDataRequestRowsSparseVector(indices=[9, 4], values=[0.5, 1.5])
    upsert(api, models.UpsertCollectionDataRequestRows(id="a", vector=[1.0, 0.0, 0.0], sparse_vector=sparse))
    [match] = query(api, [1.0, 0.0, 0.0], include_sparse_values=True)
    assert match.sparse_values.indices.indice == [4, 9]
    assert match.sparse_values.values.value == [1.5, 0.5]


@pytest.mark.ours
@needs("CreateVectorIndex", "type")
def test_a_sparse_index_needs_sparse_vectors(namespace):
    check_envelope(make_vectors(namespace, support_sparse=True).call("CreateVectorIndex", type="Sparse", metrics="ip"))
    with refused("InvalidParameter", 400) as seen:
        make_vectors(namespace).call("CreateVectorIndex", type="Sparse", metrics="ip")
    assert "SupportSparse" in seen.message


@pytest.mark.ours
@needs("CreateCollection", "sparse_vector_index_config")
def test_the_options_of_a_sparse_index_are_checked(namespace):
    def config(algorithm):
        return models.CreateCollectionRequestSparseVectorIndexConfig(algorithm=algorithm, hnsw_m=16)

    make_vectors(namespace, support_sparse=True, sparse_vector_index_config=config("novam"))
    with refused("InvalidParameter", 400) as seen:
        make_vectors(namespace, support_sparse=True, sparse_vector_index_config=config("novad"))
    assert "hnswflat, novam" in seen.message


@pytest.mark.docs
def test_a_known_id_is_updated_and_a_missing_one_is_made(vectors):
    upsert(vectors, row([0.0, 0.0, 1.0], "x", page=9), row([1.0, 1.0, 0.0]))
    found = {match.id: match for match in query(vectors, [0.0, 0.0, 1.0])}
    assert len(found) == 4 and found["x"].score == 1.0
    assert found["x"].metadata == {"title": "along x", "page": "9", "extra": '{"k":["v",2]}'}
    [made] = set(found) - {"x", "y", "z"}
    assert len(made) == 36


@pytest.mark.ours
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row([1.0, 2.0]), "row 2: Vector has 2 numbers"),
        (row([0.0, 0.0, 0.0]), "row 2: Vector is zero"),
        (row([1.0, math.nan, 0.0]), "row 2"),
        (row([1.0, 1e39, 0.0]), "row 2: Vector has a number that is not finite"),
        (row([1.0, 0.0, 0.0], colour="red"), "row 2: Metadata: the field 'colour' is not declared"),
        (row([1.0, 0.0, 0.0], page="one"), "row 2: Metadata: the value of 'page'"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_stored(vectors, bad, reason):
    with refused("InvalidParameter", 400) as refusal:
        upsert(vectors, row([1.0, 0.0, 0.0], "new"), bad)
    assert reason in refusal.message
    assert query(vectors, filter="id = 'new'") == []


@pytest.mark.docs
def test_a_call_may_have_ten_megabytes_of_rows(vectors):
    with refused("InvalidParameter", 400) as refusal:
        upsert(vectors, row([1.0, 0.0, 0.0], title="a" * 10_000_000))
    assert "max-rows-bytes" in refusal.message
    upsert(vectors, row([1.0, 0.0, 0.0], "long", title="a" * 9_900_000))
    assert len(query(vectors, filter="id = 'long'")[0].metadata["title"]) == 9_900_000


@pytest.mark.sdk
def test_rows_are_deleted_by_values_or_by_a_filter(vectors):
    """LlamaIndex deletes by `CollectionData`, Dify by `CollectionDataFilter`."""
    body = vectors.call("DeleteCollectionData", collection_data='{"title": ["it\'s y", "nobody"]}')
    check_envelope(body)
    assert body.applied_rows == 1
    assert vectors.call("DeleteCollectionData", collection_data_filter="title IN ('along z','x')").applied_rows == 1
    assert ids(query(vectors, [1.0, 1.0, 1.0])) == ["x"]
    with refused("InvalidParameter", 400):
        vectors.call("DeleteCollectionData")


@pytest.mark.docs
@needs("UpdateCollectionDataMetadata")
def test_metadata_is_updated_by_ids_or_by_a_filter(vectors):
    body = vectors.call("UpdateCollectionDataMetadata", ids=["x", "nobody"], metadata={"page": 10})
    check_envelope(body)
    assert body.applied_rows == 1
    assert vectors.call("UpdateCollectionDataMetadata", filter="page < 11", metadata={"title": "new", "extra": {"a": 1}}).applied_rows == 2
    assert ids(query(vectors, filter="title = 'new' AND page = 10")) == ["x"]
    with refused("InvalidParameter", 400):
        vectors.call("UpdateCollectionDataMetadata", metadata={"page": 1})


def finished(api: Api, job_id: str):
    def look():
        job = api.call("GetUpsertCollectionDataJob", job_id=job_id).job
        assert job.id == job_id
        assert job.completed is (job.status in END_STATES)
        assert bool(job.error) == (job.status == "Failed")
        return job if job.completed else None

    return wait_until(look, f"job {job_id} to end")


def lines(count: int) -> bytes:
    rows = ({"Id": str(n), "Vector": [1.0, n / 10, 0.0], "Metadata": {"page": n}} for n in range(count))
    return "".join(json.dumps(one) + "\n" for one in rows).encode()


@pytest.mark.docs
@needs("UpsertCollectionDataAsync")
def test_a_local_file_of_rows_is_stored_and_counted(vectors):
    body = vectors.call_with_file("UpsertCollectionDataAsync", lines(250))
    check_envelope(body)
    job = finished(vectors, body.job_id)
    assert (job.status, job.progress) == ("Success", 250)
    assert ids(query(vectors, filter="page = 249")) == ["249"]
    with refused("InvalidParameter", 400):
        vectors.call("CancelUpsertCollectionDataJob", job_id=body.job_id)
    with refused("Job.NotFound", 404):
        vectors.call("GetUploadDocumentJob", job_id=body.job_id)


@pytest.mark.docs
@needs("UpsertCollectionDataAsync")
def test_a_remote_file_of_rows_is_fetched(vectors, pages):
    url = pages.put("/rows.jsonl", lines(3))
    job = finished(vectors, vectors.call("UpsertCollectionDataAsync", file_url=url).job_id)
    assert (job.status, job.progress) == ("Success", 3)


@pytest.mark.ours
@needs("UpsertCollectionDataAsync")
def test_a_bad_line_is_named_and_nothing_is_stored(vectors):
    body = vectors.call_with_file("UpsertCollectionDataAsync", lines(20) + b'{"Vector": [1, 2]}\n')
    job = finished(vectors, body.job_id)
    assert (job.status, job.progress) == ("Failed", 0)
    assert "line 21 of the file" in job.error
    assert query(vectors, filter="page >= 5") == []


@pytest.mark.ours
@needs("UpsertCollectionDataAsync")
def test_a_waiting_file_of_rows_is_cancelled_and_holds_others_off(vectors, pages):
    url, gate = pages.put_held("/held.jsonl", lines(3))
    job_id = vectors.call("UpsertCollectionDataAsync", file_url=url).job_id
    with refused("InvalidParameter", 400) as refusal:
        vectors.call("UpsertCollectionDataAsync", file_url=url)
    assert job_id in refusal.message
    check_envelope(vectors.call("CancelUpsertCollectionDataJob", job_id=job_id))
    assert finished(vectors, job_id).status == "Cancelled"
    gate.set()


@pytest.mark.ours
def test_rows_of_a_document_collection_are_read_and_deleted_but_not_written(api):
    """Row 48 of the unknowns."""
    api.upload(pictures.drawing(1), "one.png")
    [match] = query(api, filter="doc_name = 'one.png'", include_values=True)
    assert query(api, match.values.value, top_k=1)[0].id == match.id
    with refused("InvalidParameter", 400):
        upsert(api, row([1.0] * 512))
    assert api.call("DeleteCollectionData", collection_data_filter="doc_name = 'one.png'").applied_rows == 1
    assert api.documents() == []
