//! `QueryContent` (semantics.md, `QueryContent` and "Score and metric definitions"; rows 9 to 13, 24,
//! 33).

use std::sync::Arc;

use crate::support::*;
use lookalike_engine::{
    DataLocation, Engine, EngineError, ImageQuery, Metric, QueryContent, Source, SubmitUpload,
    Usage, config::Stage,
};
use serde_json::json;

const RED: Rgb = [220, 20, 20];
const GREEN: Rgb = [20, 180, 20];
const BLUE: Rgb = [20, 20, 220];

/// Pictures that differ, so that every score differs.
fn patterns() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("red.bmp", plain(RED)),
        ("green.bmp", plain(GREEN)),
        ("blue.bmp", plain(BLUE)),
        (
            "stripes.bmp",
            bmp(64, 48, |x, _| if x % 8 < 4 { RED } else { BLUE }),
        ),
        (
            "ramp.bmp",
            bmp(80, 80, |x, y| {
                [x, y, 30].map(|step| (step * 3).to_le_bytes()[0])
            }),
        ),
    ]
}

async fn gallery() -> Engine {
    let engine = ready(config(DataLocation::Memory)).await;
    let job = index(&engine, "gallery.tar", &tar(&patterns())).await;
    assert_eq!(job.failure, None);
    engine
}

async fn image_query(engine: &Engine, picture: &[u8]) -> QueryContent {
    let source = uploaded(engine, picture).await;
    let image = ImageQuery {
        source,
        file_name: Some(file("query.bmp")),
    };
    QueryContent {
        image: Some(image),
        ..QueryContent::new(collection(PHOTOS))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colour_finds_the_picture_of_that_colour_first() {
    let engine = gallery().await;
    for colour in ["red", "green", "blue"] {
        let result = search(&engine, &text_query(colour)).await;
        assert_eq!(
            result.matches[0].file_name.as_ref().unwrap().as_str(),
            format!("{colour}.bmp")
        );
        assert_eq!(result.usage.entries, 1);
        assert!(result.usage.tokens > 0);
        assert!(
            result.encoder.contains("stand-in builtin-imagenet-words"),
            "{}",
            result.encoder
        );
        assert!(
            result
                .matches
                .is_sorted_by(|one, other| one.score >= other.score)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_finds_itself_first() {
    let engine = gallery().await;
    for (name, picture) in patterns() {
        let result = search(&engine, &image_query(&engine, &picture).await).await;
        assert_eq!(result.matches[0].file_name.as_ref().unwrap().as_str(), name);
        assert!(
            (result.matches[0].score - 1.0).abs() < 1e-5,
            "{}",
            result.matches[0].score
        );
        assert_eq!(
            result.usage,
            Usage {
                tokens: 0,
                entries: 2
            }
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_original_asks_for_its_likes() {
    let engine = gallery().await;
    let first = search(&engine, &text_query("red")).await.matches.remove(0);
    let image = ImageQuery {
        source: Source::Stored(first.object.unwrap()),
        file_name: None,
    };
    let query = QueryContent {
        image: Some(image),
        ..QueryContent::new(collection(PHOTOS))
    };
    assert_eq!(
        search(&engine, &query).await.matches[0].file_name,
        first.file_name
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_follow_each_metrics_definition() {
    let engine = gallery().await;
    let base = QueryContent {
        include_vector: true,
        ..image_query(&engine, &plain(RED)).await
    };
    let with = |metric| QueryContent {
        metric: Some(metric),
        ..base.clone()
    };
    let cosine = search(&engine, &with(Metric::Cosine)).await;
    let ip = search(&engine, &with(Metric::InnerProduct)).await;
    let l2 = search(&engine, &with(Metric::L2)).await;
    assert_eq!(found(&cosine), found(&ip));
    assert_eq!(
        found(&cosine),
        found(&l2),
        "for unit vectors the orders agree"
    );
    for ((cosine, ip), l2) in cosine.matches.iter().zip(&ip.matches).zip(&l2.matches) {
        assert!((cosine.score - ip.score).abs() < 1e-5);
        let distance = (2.0 - 2.0 * cosine.score.min(1.0)).sqrt();
        assert!(
            (distance - l2.score).abs() < 1e-3,
            "{distance} {}",
            l2.score
        );
        let norm: f32 = cosine.vector.as_ref().unwrap().iter().map(|x| x * x).sum();
        assert!(
            (norm - 1.0).abs() < 1e-5,
            "stored vectors have unit length (row 13)"
        );
    }
    assert!(
        l2.matches
            .is_sorted_by(|one, other| one.score <= other.score)
    );
    assert!(l2.matches[0].score < 1e-3);
    assert_eq!(cosine.matches[0].vector.as_ref().unwrap().len(), 512);
}

#[tokio::test(flavor = "multi_thread")]
async fn top_k_and_offset_cut_one_order_into_pages() {
    let engine = gallery().await;
    let all = search(&engine, &text_query("red")).await;
    assert_eq!(all.matches.len(), 5);
    let mut paged = Vec::new();
    for offset in 0..6 {
        let query = QueryContent {
            top_k: Some(1),
            offset: Some(offset),
            ..text_query("red")
        };
        paged.extend(search(&engine, &query).await.matches);
    }
    assert_eq!(paged, all.matches);
}

#[tokio::test(flavor = "multi_thread")]
async fn identical_pictures_are_ordered_by_name_wherever_the_cut_falls() {
    let engine = ready(config(DataLocation::Memory)).await;
    // Stored in an order that is not that of the names.
    for name in ["c.bmp", "a.bmp", "d.bmp", "b.bmp"] {
        indexed(&engine, name, &plain(RED)).await;
    }
    for top_k in 1..=4_u8 {
        let query = QueryContent {
            top_k: Some(top_k.into()),
            ..text_query("red")
        };
        let expected = &["a.bmp", "b.bmp", "c.bmp", "d.bmp"][..usize::from(top_k)];
        assert_eq!(found(&search(&engine, &query).await), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_the_same_in_another_process() {
    // Ids included: they are made of names and content alone.
    let query = QueryContent {
        include_vector: true,
        ..text_query("blue")
    };
    let one = search(&gallery().await, &query).await;
    let other = search(&gallery().await, &query).await;
    assert_eq!(one, other);
    assert!(one.matches[0].id.ends_with("_0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_shown_whole_or_as_asked() {
    let engine = ready(config(DataLocation::Memory)).await;
    let source = uploaded(&engine, &plain(RED)).await;
    let fields = metadata(json!({"caption": "red", "page": 1}));
    let upload = SubmitUpload {
        metadata: fields,
        ..upload("red.bmp", source)
    };
    let id = engine.submit_upload(&access(), &upload).await.unwrap();
    finished(&engine, &id).await;
    let shown = |fields: &'static str| {
        let engine = engine.clone();
        async move {
            let query = QueryContent {
                metadata_fields: fields.to_owned(),
                ..text_query("red")
            };
            let shown = search(&engine, &query).await.matches.remove(0).metadata;
            shown
                .into_iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(shown("").await, ["caption=red", "page=1"]);
    assert_eq!(shown("page").await, ["page=1"]);
    let unknown = QueryContent {
        metadata_fields: "colour".to_owned(),
        ..text_query("red")
    };
    let outcome = engine.query(&access(), &unknown).await;
    assert_eq!(invalid_field(outcome), "IncludeMetadataFields");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_numbers_and_missing_queries_are_refused() {
    let engine = gallery().await;
    let refused = |query: QueryContent| {
        let engine = engine.clone();
        async move { invalid_field(engine.query(&access(), &query).await) }
    };
    for top_k in [0, -1, 1001, i64::MAX] {
        assert_eq!(
            refused(QueryContent {
                top_k: Some(top_k),
                ..text_query("x")
            })
            .await,
            "TopK"
        );
    }
    for offset in [-1, 9_991, i64::MAX] {
        let query = QueryContent {
            offset: Some(offset),
            ..text_query("x")
        };
        assert_eq!(refused(query).await, "Offset");
    }
    for query in [QueryContent::new(collection(PHOTOS)), text_query("")] {
        assert_eq!(refused(query).await, "Content");
    }
    let filter = QueryContent {
        filter: "nothing = 1".to_owned(),
        ..text_query("x")
    };
    assert_eq!(refused(filter).await, "Filter");
    let order = QueryContent {
        order_by: "nothing".to_owned(),
        ..text_query("x")
    };
    assert_eq!(refused(order).await, "OrderBy");
    // The edges themselves are taken.
    for top_k in [1, 1000] {
        search(
            &engine,
            &QueryContent {
                top_k: Some(top_k),
                ..text_query("x")
            },
        )
        .await;
    }
    let far = QueryContent {
        offset: Some(9_990),
        ..text_query("x")
    };
    assert!(search(&engine, &far).await.matches.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_query_images_are_refused() {
    let engine = gallery().await;
    let html = image_query(&engine, b"<html>").await;
    assert_eq!(
        invalid_field(engine.query(&access(), &html).await),
        "FileUrl"
    );
    let mut named = image_query(&engine, &plain(RED)).await;
    named.image.as_mut().unwrap().file_name = Some(file("query.txt"));
    assert_eq!(
        invalid_field(engine.query(&access(), &named).await),
        "FileName"
    );
    let url = Source::Url("http://127.0.0.1/photo.jpg".parse().unwrap());
    let private = ImageQuery {
        source: url,
        file_name: None,
    };
    let private = QueryContent {
        image: Some(private),
        ..QueryContent::new(collection(PHOTOS))
    };
    let Err(EngineError::Invalid {
        field: "FileUrl",
        reason,
    }) = engine.query(&access(), &private).await
    else {
        panic!("a private address was asked")
    };
    assert!(reason.contains("allow_private_urls"), "{reason}");
    let url = Source::Url("http://example.com/photo".parse().unwrap());
    let unnamed = ImageQuery {
        source: url,
        file_name: None,
    };
    let unnamed = QueryContent {
        image: Some(unnamed),
        ..QueryContent::new(collection(PHOTOS))
    };
    assert_eq!(
        invalid_field(engine.query(&access(), &unnamed).await),
        "FileUrl"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_wins_over_a_text_and_empty_text_counts_as_none() {
    let engine = gallery().await;
    let by_image = image_query(&engine, &plain(BLUE)).await;
    let expected = search(&engine, &by_image).await;
    for text in ["", "red"] {
        let both = QueryContent {
            text: Some(text.to_owned()),
            ..by_image.clone()
        };
        assert_eq!(search(&engine, &both).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_queries_name_their_settings() {
    let mut limited = config(DataLocation::Memory);
    limited.limits.max_query_text_bytes = 8;
    limited.limits.max_concurrent_queries = 0;
    let engine = ready(limited).await;
    let Err(EngineError::Overloaded { reason }) = engine.query(&access(), &text_query("red")).await
    else {
        panic!("no permit was needed")
    };
    assert!(reason.contains("max_concurrent_queries"), "{reason}");

    let mut limited = config(DataLocation::Memory);
    limited.limits.max_query_text_bytes = 8;
    let engine = ready(limited).await;
    search(&engine, &text_query("12345678")).await;
    let Err(EngineError::TooLarge { reason }) =
        engine.query(&access(), &text_query("123456789")).await
    else {
        panic!("the text was taken")
    };
    assert!(reason.contains("max_query_text_bytes"), "{reason}");
}

/// While a job commits, queries see either nothing of its archive or all of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_sees_all_of_a_job_or_nothing() {
    let barrier = Barrier::at(Stage::BeforeCommit);
    let mut watched = config(DataLocation::Memory);
    watched.on_stage = Some(Arc::clone(&barrier.observer));
    let folder = tempfile::tempdir().unwrap();
    watched.data = DataLocation::Folder(folder.path().to_owned());
    let engine = ready(watched).await;
    let id = submit(&engine, "gallery.tar", &tar(&patterns())).await;
    let query = text_query("red");
    assert!(search(&engine, &query).await.matches.is_empty());
    until(&engine, &id, |job| job.progress == 99).await;
    // Asked while the transaction is open: waits for it or comes before it.
    let during = tokio::spawn({
        let (engine, query) = (engine.clone(), query.clone());
        async move { search(&engine, &query).await.matches.len() }
    });
    barrier.open();
    assert!([0, 5].contains(&during.await.unwrap()));
    finished(&engine, &id).await;
    assert_eq!(search(&engine, &query).await.matches.len(), 5);
}
