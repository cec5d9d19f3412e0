//! `Filter` and `OrderBy` of a query, over rows that come, change and go.

use crate::support::{
    access, config, finished, found, plain, ready, search, text_query, upload, uploaded,
};
use lookalike_engine::{DataLocation, QueryContent, SubmitUpload};
use serde_json::json;

const RED: crate::support::Rgb = [200, 20, 20];

/// Uploads a red picture with a caption and a page.
async fn index(engine: &lookalike_engine::Engine, name: &str, caption: &str, page: i64) {
    let metadata = json!({"caption": caption, "page": page});
    let submit = SubmitUpload {
        metadata: metadata.as_object().unwrap().clone(),
        ..upload(name, uploaded(engine, &plain(RED)).await)
    };
    let id = engine.submit_upload(&access(), &submit).await.unwrap();
    let job = finished(engine, &id).await;
    assert_eq!(job.failure, None);
}

fn filtered(filter: &str) -> QueryContent {
    QueryContent {
        filter: filter.to_owned(),
        ..text_query("red")
    }
}

/// docs, row 36: only rows that match are found, among the rows as they are now.
#[tokio::test]
async fn a_filter_follows_the_rows() {
    let engine = ready(config(DataLocation::Memory)).await;
    let query = filtered("page > 1 AND caption LIKE 'b%'");
    assert!(search(&engine, &query).await.matches.is_empty());
    index(&engine, "1.bmp", "a", 1).await;
    index(&engine, "2.bmp", "b", 2).await;
    index(&engine, "3.bmp", "bb", 3).await;
    assert_eq!(found(&search(&engine, &query).await), ["2.bmp", "3.bmp"]);
    // The same again, out of what is in memory by now, then after changes of the rows.
    assert_eq!(found(&search(&engine, &query).await), ["2.bmp", "3.bmp"]);
    index(&engine, "2.bmp", "c", 2).await;
    index(&engine, "1.bmp", "b", 4).await;
    assert_eq!(found(&search(&engine, &query).await), ["1.bmp", "3.bmp"]);
    engine
        .delete_document(&access(), &query.collection, &crate::support::file("3.bmp"))
        .await
        .unwrap();
    assert_eq!(found(&search(&engine, &query).await), ["1.bmp"]);
    assert_eq!(
        found(&search(&engine, &filtered("doc_name = '2.bmp'")).await),
        ["2.bmp"]
    );
    assert_eq!(
        found(&search(&engine, &filtered("loader_metadata->>'format' = 'BMP'")).await),
        ["1.bmp", "2.bmp"]
    );
}

/// docs: `TopK` and `Offset` count what matches, and `OrderBy` orders what they leave.
#[tokio::test]
async fn an_order_is_of_the_nearest_that_match() {
    let engine = ready(config(DataLocation::Memory)).await;
    for (name, caption, page) in [
        ("a.bmp", "x", 3),
        ("b.bmp", "y", 2),
        ("c.bmp", "x", 1),
        ("d.bmp", "x", 2),
    ] {
        index(&engine, name, caption, page).await;
    }
    let ordered = |order_by: &str| QueryContent {
        order_by: order_by.to_owned(),
        ..filtered("caption = 'x'")
    };
    assert_eq!(
        found(&search(&engine, &ordered("page")).await),
        ["c.bmp", "d.bmp", "a.bmp"]
    );
    assert_eq!(
        found(&search(&engine, &ordered("page DESC")).await),
        ["a.bmp", "d.bmp", "c.bmp"]
    );
    assert_eq!(
        found(&search(&engine, &ordered("caption, doc_name desc")).await),
        ["d.bmp", "c.bmp", "a.bmp"]
    );
    // Equal scores go by name, so that the first two are a and c.
    let two = QueryContent {
        top_k: Some(2),
        ..ordered("page")
    };
    assert_eq!(found(&search(&engine, &two).await), ["c.bmp", "a.bmp"]);
    let last = QueryContent {
        offset: Some(2),
        ..ordered("page")
    };
    assert_eq!(found(&search(&engine, &last).await), ["d.bmp"]);
}
