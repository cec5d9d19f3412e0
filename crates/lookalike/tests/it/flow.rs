//! The whole way of a program written for the cloud, on real photos and the built-in encoder.

use std::io::{Cursor, Write};

use lookalike_wire::Secret;
use lookalike_wire::dto::{
    DeleteDocumentRequest, DescribeDocumentRequest, GetUploadDocumentJobRequest,
    ListDocumentsRequest, QueryContentRequest,
};

use crate::server::{
    COLLECTION, INSTANCE, NAMESPACE, PASSWORD, REGION, photo, photos, query, start, upload,
};
use crate::wire::Call;

/// Every example photo in one zip, as a user would pack them.
fn zip_of_all() -> (Vec<u8>, usize) {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut count = 0;
    for entry in fs_err::read_dir(photos()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !lookalike_media::extension::is_image_name(&name) {
            continue;
        }
        archive
            .start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        archive.write_all(&fs_err::read(&path).unwrap()).unwrap();
        count += 1;
    }
    (archive.finish().unwrap().into_inner(), count)
}

/// Photos that show a dog, by the labels beside them.
fn dogs() -> Vec<String> {
    let labels = fs_err::read_to_string(photos().join("labels.csv")).unwrap();
    let rows = labels
        .lines()
        .skip(1)
        .map(|line| line.splitn(3, ',').collect::<Vec<_>>());
    rows.filter(|row| row[1].split(';').any(|label| label == "dog"))
        .map(|row| row[0].to_owned())
        .collect()
}

/// docs: the guide's flow: archive, job, search by text, search by image, open every link.
#[tokio::test]
async fn archive_of_photos_is_found_by_text_and_by_image() {
    let server = start().await;
    server.set_up().await;
    let (archive, count) = zip_of_all();
    let job = server.index("photos.zip", &archive).await;
    assert_eq!(
        (job.status.as_str(), job.progress, job.error),
        ("Success", 100, None)
    );

    let dogs = dogs();
    assert!(dogs.len() >= 3, "the examples hold several dogs: {dogs:?}");
    let found = server
        .search("dog", i64::try_from(dogs.len()).unwrap())
        .await;
    let names: Vec<&str> = found
        .matches
        .match_list
        .iter()
        .map(|found| found.file_name.as_str())
        .collect();
    assert!(
        names.iter().all(|name| dogs.iter().any(|dog| dog == name)),
        "{names:?} are not all of {dogs:?}"
    );
    assert!(
        found
            .matches
            .match_list
            .is_sorted_by(|a, b| a.score >= b.score)
    );
    for found in &found.matches.match_list {
        let original = photo(&found.file_name);
        assert_eq!(
            server
                .client
                .open(found.file_url.as_ref().unwrap())
                .await
                .unwrap(),
            original
        );
        assert!(
            found.loader_metadata.contains("width")
                && found.content.is_empty()
                && found.retrieval_source == 1
        );
    }
    assert_eq!(found.usage.unwrap().embedding_entries, "1");

    let file_url = server.client.upload(&photo(&dogs[0])).await.unwrap();
    let by_image = QueryContentRequest {
        file_url: Some(file_url),
        file_name: Some("query.jpg".to_owned()),
        top_k: Some(1),
        ..query()
    };
    let found = server.client.call(&by_image).await.unwrap();
    assert_eq!(found.matches.match_list[0].file_name, dogs[0]);
    assert!((found.matches.match_list[0].score - 1.0).abs() < 1e-3);
    assert_eq!(found.usage.unwrap().embedding_entries, "2");

    let list = ListDocumentsRequest {
        db_instance_id: INSTANCE.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        namespace_password: Secret::from(PASSWORD),
        collection: COLLECTION.to_owned(),
        region_id: REGION.to_owned(),
        ..ListDocumentsRequest::default()
    };
    assert_eq!(
        server.client.call(&list).await.unwrap().count,
        i64::try_from(count).unwrap()
    );
}

/// sdk: a link of a result is a `FileUrl` for a search by "more like this".
#[tokio::test]
async fn link_of_a_match_is_a_query_image() {
    let server = start().await;
    server.set_up().await;
    for name in ["rose.jpg", "bananas.jpg"] {
        assert_eq!(server.index(name, &photo(name)).await.status, "Success");
    }
    let found = server.search("fruit", 1).await.matches.match_list.remove(0);
    let more = QueryContentRequest {
        file_url: found.file_url,
        top_k: Some(1),
        ..query()
    };
    assert_eq!(
        server.client.call(&more).await.unwrap().matches.match_list[0].file_name,
        found.file_name
    );
}

/// docs: metadata sent with an upload comes back as text; vectors and fields as asked.
#[tokio::test]
async fn metadata_and_vectors_come_back_as_asked() {
    let server = start().await;
    server.set_up().await;
    let file_url = server.client.upload(&photo("rose.jpg")).await.unwrap();
    let mut request = upload("rose.jpg", &file_url);
    let metadata = serde_json::json!({"caption": "a rose", "year": 2024});
    request.metadata = Some(lookalike_wire::dto::Json(
        metadata.as_object().unwrap().clone(),
    ));
    let job_id = server.client.call(&request).await.unwrap().job_id;
    assert_eq!(
        crate::server::finished_job(&server.client, &job_id)
            .await
            .status,
        "Success"
    );

    let all = server.search("rose", 1).await.matches.match_list.remove(0);
    assert_eq!(
        all.metadata
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect::<Vec<_>>(),
        [("caption", "a rose"), ("year", "2024")]
    );
    assert!(all.vector.is_none());
    let some = QueryContentRequest {
        content: Some("rose".to_owned()),
        include_vector: Some(true),
        include_metadata_fields: Some("caption".to_owned()),
        recall_window: Some(lookalike_wire::dto::Json(vec![0, 0])),
        ..query()
    };
    let reply = server.client.call(&some).await.unwrap();
    let found = &reply.matches.match_list[0];
    assert_eq!(found.metadata.len(), 1);
    let vector = &found.vector.as_ref().unwrap().vector_list;
    let length: f32 = vector.iter().map(|x| x * x).sum();
    assert!(vector.len() == 512 && (length - 1.0).abs() < 1e-3);
    assert_eq!(
        reply.window_matches.unwrap().window_matches[0]
            .window_match
            .window_match[0]
            .id,
        found.id
    );
}

/// ours: the answer says that a stand-in serves the collection.
#[tokio::test]
async fn stand_in_is_named_in_the_answer() {
    let server = start().await;
    server.set_up().await;
    let fields = [
        ("DBInstanceId", INSTANCE),
        ("Namespace", NAMESPACE),
        ("NamespacePassword", PASSWORD),
        ("RegionId", REGION),
        ("Collection", COLLECTION),
        ("Content", "dog"),
    ];
    let answer = Call::new(&server.endpoint, "QueryContent", &fields)
        .send()
        .await;
    assert_eq!(answer.json()["Matches"]["MatchList"], serde_json::json!([]));
    let encoder = answer.header(lookalike::ENCODER_HEADER.as_str()).unwrap();
    assert!(encoder.starts_with("stand-in builtin"), "{encoder}");
}

/// docs: a document is described, replaced by its name, deleted.
#[tokio::test]
async fn document_lives_and_dies() {
    let server = start().await;
    server.set_up().await;
    let describe = DescribeDocumentRequest {
        db_instance_id: INSTANCE.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        namespace_password: Secret::from(PASSWORD),
        collection: COLLECTION.to_owned(),
        file_name: "flower.jpg".to_owned(),
        region_id: REGION.to_owned(),
        ..DescribeDocumentRequest::default()
    };
    server.index("flower.jpg", &photo("rose.jpg")).await;
    let first = server.client.call(&describe).await.unwrap();
    assert_eq!(
        (
            first.file_version,
            first.docs_count,
            first.file_ext.as_str()
        ),
        (1, 1, "jpg")
    );
    assert_eq!(
        first.file_size,
        i64::try_from(photo("rose.jpg").len()).unwrap()
    );
    server.index("flower.jpg", &photo("daisy.jpg")).await;
    let second = server.client.call(&describe).await.unwrap();
    assert_eq!(second.file_version, 2);
    assert_eq!(
        server
            .client
            .open(second.file_url.as_ref().unwrap())
            .await
            .unwrap(),
        photo("daisy.jpg")
    );

    let delete = DeleteDocumentRequest {
        db_instance_id: INSTANCE.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        namespace_password: Secret::from(PASSWORD),
        collection: COLLECTION.to_owned(),
        file_name: "flower.jpg".to_owned(),
        region_id: REGION.to_owned(),
        ..DeleteDocumentRequest::default()
    };
    server.client.call(&delete).await.unwrap();
    assert!(server.client.call(&delete).await.is_err());
    assert!(
        server
            .search("flower", 10)
            .await
            .matches
            .match_list
            .is_empty()
    );
}

/// docs: a job of a bad file ends as failed and says why, in the fields that pollers read.
#[tokio::test]
async fn bad_file_fails_its_job() {
    let server = start().await;
    server.set_up().await;
    let job = server.index("broken.jpg", b"not a picture").await;
    assert_eq!(
        (
            job.status.as_str(),
            job.completed,
            job.error_code.as_deref()
        ),
        ("Failed", true, Some("InvalidParameter"))
    );
    assert!(job.error.unwrap().contains("broken.jpg"));
}

/// ours: a dry run decodes, stores nothing, and has its chunk file.
#[tokio::test]
async fn dry_run_stores_nothing() {
    let server = start().await;
    server.set_up().await;
    let file_url = server.client.upload(&photo("rose.jpg")).await.unwrap();
    let mut request = upload("rose.jpg", &file_url);
    request.dry_run = Some(true);
    let job_id = server.client.call(&request).await.unwrap().job_id;
    assert_eq!(
        crate::server::finished_job(&server.client, &job_id)
            .await
            .status,
        "Success"
    );
    assert!(server.search("rose", 1).await.matches.match_list.is_empty());
    let poll = GetUploadDocumentJobRequest {
        db_instance_id: INSTANCE.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        namespace_password: Secret::from(PASSWORD),
        collection: COLLECTION.to_owned(),
        job_id,
        region_id: REGION.to_owned(),
        ..GetUploadDocumentJobRequest::default()
    };
    let url = server
        .client
        .call(&poll)
        .await
        .unwrap()
        .chunk_result
        .unwrap()
        .chunk_file_url
        .unwrap();
    let chunks = server.client.open(&url).await.unwrap();
    let line: serde_json::Value =
        serde_json::from_slice(chunks.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    assert!(
        line.get("page_content").is_some() && line.get("metadata").is_some(),
        "{line}"
    );
}
