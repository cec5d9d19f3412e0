//! Vector collections and their rows through the wire, with a client that signs as the SDKs do.

use lookalike::client::{Client, ClientError};
use lookalike_wire::Secret;
use lookalike_wire::dto::{
    CreateCollectionRequest, DeleteCollectionDataRequest, DescribeCollectionRequest,
    GetUpsertCollectionDataJobRequest, Json, QueryCollectionDataRequest, Request, Row, Rows,
    UpsertCollectionDataAsyncRequest, UpsertCollectionDataRequest,
};
use serde_json::{Map, Value, json};

use crate::server::{INSTANCE, NAMESPACE, PASSWORD, REGION, start, start_with};

const VECTORS: &str = "vectors";

fn create() -> CreateCollectionRequest {
    CreateCollectionRequest {
        collection: VECTORS.to_owned(),
        db_instance_id: Some(INSTANCE.to_owned()),
        dimension: Some(2),
        manager_account: "manager".to_owned(),
        manager_account_password: Secret::from("m4nager"),
        metadata: r#"{"title":"text","extra":"jsonb"}"#.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        region_id: REGION.to_owned(),
        ..CreateCollectionRequest::default()
    }
}

fn upsert(rows: Vec<Row>) -> UpsertCollectionDataRequest {
    UpsertCollectionDataRequest {
        collection: VECTORS.to_owned(),
        db_instance_id: Some(INSTANCE.to_owned()),
        namespace: Some(NAMESPACE.to_owned()),
        namespace_password: Secret::from(PASSWORD),
        region_id: REGION.to_owned(),
        rows: Some(Json(Rows(rows))),
        ..UpsertCollectionDataRequest::default()
    }
}

fn row(id: &str, vector: [f32; 2], metadata: Value) -> Row {
    let Value::Object(metadata) = metadata else {
        panic!("not an object")
    };
    Row {
        id: Some(id.to_owned()),
        vector: Some(vector.to_vec()),
        metadata: Some(metadata),
        sparse_vector: None,
    }
}

fn query(vector: Option<[f32; 2]>) -> QueryCollectionDataRequest {
    QueryCollectionDataRequest {
        collection: VECTORS.to_owned(),
        db_instance_id: Some(INSTANCE.to_owned()),
        namespace: Some(NAMESPACE.to_owned()),
        namespace_password: Secret::from(PASSWORD),
        region_id: REGION.to_owned(),
        top_k: 10,
        vector: vector.map(|vector| Json(vector.to_vec())),
        ..QueryCollectionDataRequest::default()
    }
}

async fn refusal<R: Request<Response: std::fmt::Debug>>(
    client: &Client,
    request: &R,
) -> (u16, String, String) {
    match client.call(request).await {
        Err(ClientError::Refused {
            status,
            code,
            message,
        }) => (status, code, message),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// sdk: published vector stores create on 404, upsert, query and delete so.
#[tokio::test]
async fn rows_go_in_and_come_out_in_the_shape_that_clients_read() {
    let server = start().await;
    server.set_up().await;
    let client = &server.client;
    let describe = DescribeCollectionRequest {
        collection: VECTORS.to_owned(),
        db_instance_id: Some(INSTANCE.to_owned()),
        namespace: Some(NAMESPACE.to_owned()),
        namespace_password: Secret::from(PASSWORD),
        region_id: REGION.to_owned(),
        ..DescribeCollectionRequest::default()
    };
    let (status, code, _) = refusal(client, &describe).await;
    assert_eq!((status, code.as_str()), (404, "Collection.NotFound"));
    client.call(&create()).await.unwrap();
    assert_eq!(client.call(&describe).await.unwrap().dimension, Some(2));

    let rows = vec![
        row("a", [1.0, 0.0], json!({"title": "A", "extra": {"k": 1}})),
        row("b", [0.0, 1.0], json!({"title": "B"})),
    ];
    client.call(&upsert(rows)).await.unwrap();
    let asked = QueryCollectionDataRequest {
        include_values: Some(true),
        offset: Some(0),
        ..query(Some([1.0, 0.0]))
    };
    let answer = client.call(&asked).await.unwrap();
    assert_eq!(answer.total, Some(2));
    let found = &answer.matches.list[0];
    assert_eq!((found.id.as_str(), found.score), ("a", 1.0));
    assert_eq!(found.metadata["extra"], r#"{"k":1}"#);
    assert_eq!(found.metadata_v2["extra"], json!({"k": 1}));
    assert_eq!(found.values.as_ref().unwrap().value, [1.0, 0.0]);

    let filtered = QueryCollectionDataRequest {
        filter: Some("title='B'".to_owned()),
        ..query(None)
    };
    let answer = client.call(&filtered).await.unwrap();
    assert_eq!(
        (answer.matches.list[0].id.as_str(), answer.total),
        ("b", None)
    );
    let delete = DeleteCollectionDataRequest {
        collection: VECTORS.to_owned(),
        collection_data: Some(r#"{"title":["A","B"]}"#.to_owned()),
        db_instance_id: Some(INSTANCE.to_owned()),
        namespace: Some(NAMESPACE.to_owned()),
        namespace_password: Secret::from(PASSWORD),
        region_id: REGION.to_owned(),
        ..DeleteCollectionDataRequest::default()
    };
    assert_eq!(client.call(&delete).await.unwrap().applied_rows, 2);
}

/// ours: the limit of a call is a setting, and the refusal names it.
#[tokio::test]
async fn a_call_has_at_most_so_many_bytes_of_rows() {
    let row = |id: &str| Row {
        id: Some(id.to_owned()),
        vector: Some(vec![1.0, 0.0]),
        ..Row::default()
    };
    let request = upsert(vec![row("a"), row("b")]);
    let bytes = serde_json::to_string(&request.rows.as_ref().unwrap().0)
        .unwrap()
        .len();
    for (max_bytes, fits) in [(bytes, true), (bytes - 1, false)] {
        let server = start_with(&["--max-rows-bytes", &max_bytes.to_string()]).await;
        server.set_up().await;
        server.client.call(&create()).await.unwrap();
        if fits {
            server.client.call(&request).await.unwrap();
        } else {
            let (status, code, message) = refusal(&server.client, &request).await;
            assert_eq!((status, code.as_str()), (400, "InvalidParameter"));
            assert!(message.contains("max-rows-bytes"), "{message}");
        }
    }
}

/// docs: `UpsertCollectionDataAsync` counts rows.
#[tokio::test]
async fn a_file_of_rows_is_a_job_of_its_own_kind() {
    let server = start().await;
    server.set_up().await;
    let client = &server.client;
    client.call(&create()).await.unwrap();
    let file = r#"{"Id":"a","Vector":[1,0]}
{"Vector":[0,1],"Metadata":{"title":"made"}}"#;
    let job_id = client
        .call(&UpsertCollectionDataAsyncRequest {
            collection: VECTORS.to_owned(),
            db_instance_id: Some(INSTANCE.to_owned()),
            file_url: client.upload(file.as_bytes()).await.unwrap(),
            namespace: Some(NAMESPACE.to_owned()),
            namespace_password: Secret::from(PASSWORD),
            region_id: REGION.to_owned(),
            ..UpsertCollectionDataAsyncRequest::default()
        })
        .await
        .unwrap()
        .job_id;
    let get = GetUpsertCollectionDataJobRequest {
        collection: VECTORS.to_owned(),
        db_instance_id: Some(INSTANCE.to_owned()),
        job_id,
        namespace: Some(NAMESPACE.to_owned()),
        namespace_password: Secret::from(PASSWORD),
        region_id: REGION.to_owned(),
        ..GetUpsertCollectionDataJobRequest::default()
    };
    let poll = async {
        loop {
            let job = client.call(&get).await.unwrap().job;
            if job.completed {
                return job;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let job = tokio::time::timeout(std::time::Duration::from_mins(1), poll)
        .await
        .unwrap();
    assert_eq!(
        (job.status.as_str(), job.progress, job.error),
        ("Success", 2, None)
    );
}

/// ours: what a search cannot do is refused, not left out.
#[tokio::test]
async fn a_join_is_refused() {
    let server = start().await;
    server.set_up().await;
    server.client.call(&create()).await.unwrap();
    let join = QueryCollectionDataRequest {
        relational_table_filter: Some(Json(
            serde_json::from_value(Value::Object(Map::new())).unwrap(),
        )),
        ..query(Some([1.0, 0.0]))
    };
    let (status, code, _) = refusal(&server.client, &join).await;
    assert_eq!((status, code.as_str()), (400, "UnsupportedOperation"));
}
