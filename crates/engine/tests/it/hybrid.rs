//! Text beside the vector: `UseFullTextRetrieval`, `HybridSearch`, `HybridSearchArgs` (semantics.md,
//! `QueryContent` and "Score and metric definitions"; rows 39 to 42).

use crate::support::*;
use lookalike_engine::{
    DataLocation, Engine, HybridSearch, Match, Metric, NewCollection, QueryContent,
    RetrievalSource, SubmitUpload,
};
use serde_json::{Value, json};

const RED: Rgb = [220, 20, 20];
const GREEN: Rgb = [20, 180, 20];
const BLUE: Rgb = [20, 20, 220];

/// A collection whose captions full text looks into.
const CAPTIONED: &str = "captioned";

fn captioned() -> NewCollection {
    NewCollection {
        full_text_fields: "caption".to_owned(),
        sparse_fields: "caption".to_owned(),
        ..new_collection(CAPTIONED, r#"{"caption":"text","page":"int"}"#)
    }
}

/// An engine with pictures whose captions say something else than their colours.
async fn gallery(location: DataLocation) -> Engine {
    let engine = ready(config(location)).await;
    engine
        .create_document_collection(&manager(), &captioned())
        .await
        .unwrap();
    for (name, colour, caption) in [
        ("apple.bmp", RED, "an apple on a table"),
        ("berry.bmp", BLUE, "a red bicycle, red as a berry"),
        ("cat.bmp", GREEN, "一只红色的猫 and its red ball"),
        ("door.bmp", RED, "门"),
    ] {
        add(&engine, name, colour, caption).await;
    }
    engine
}

async fn add(engine: &Engine, name: &str, colour: Rgb, caption: &str) {
    let submit = SubmitUpload {
        collection: collection(CAPTIONED),
        metadata: metadata(json!({"caption": caption, "page": 1})),
        ..upload(name, uploaded(engine, &plain(colour)).await)
    };
    let id = engine.submit_upload(&access(), &submit).await.unwrap();
    let ended = async {
        loop {
            let job = engine
                .job(&access(), &collection(CAPTIONED), &id)
                .await
                .unwrap();
            if job.status.is_finished() {
                return job;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    let job = tokio::time::timeout(std::time::Duration::from_mins(1), ended)
        .await
        .unwrap();
    assert_eq!(job.failure, None);
}

fn hybrid(mode: &str, args: Value) -> HybridSearch {
    HybridSearch {
        mode: mode.to_owned(),
        args: metadata(args),
        full_text: false,
    }
}

fn query(text: &str, hybrid: HybridSearch) -> QueryContent {
    QueryContent {
        text: Some(text.to_owned()),
        hybrid,
        ..QueryContent::new(collection(CAPTIONED))
    }
}

async fn matches(engine: &Engine, query: &QueryContent) -> Vec<Match> {
    search(engine, query).await.matches
}

fn names_of(matches: &[Match]) -> Vec<&str> {
    matches
        .iter()
        .map(|found| found.file_name.as_ref().unwrap().as_str())
        .collect()
}

fn only_text() -> HybridSearch {
    hybrid("", json!({"HybridPathsSetting": {"paths": "fulltext"}}))
}

async fn by_text(engine: &Engine, text: &str) -> Vec<String> {
    let found = matches(engine, &query(text, only_text())).await;
    names_of(&found).iter().map(ToString::to_string).collect()
}

/// docs, row 40: what full text finds in a collection of images is what the fields say.
#[tokio::test(flavor = "multi_thread")]
async fn text_is_looked_for_in_the_fields_it_was_declared_for() {
    let engine = gallery(DataLocation::Memory).await;
    let found = matches(&engine, &query("RED", only_text())).await;
    // Twice in eight words beats once in ten.
    assert_eq!(names_of(&found), ["berry.bmp", "cat.bmp"]);
    assert!(found[0].score > found[1].score && found[1].score > 0.0);
    assert!(
        found
            .iter()
            .all(|found| found.source == RetrievalSource::FullText)
    );
    assert_eq!(by_text(&engine, "红色").await, ["cat.bmp"]);
    assert_eq!(by_text(&engine, "门").await, ["door.bmp"]);
    assert!(
        by_text(&engine, "1 … !").await.is_empty(),
        "page is not a field of full text"
    );
    // Nothing was embedded, so nothing is charged.
    let result = search(&engine, &query("red", only_text())).await;
    assert_eq!((result.usage.entries, result.usage.tokens), (0, 0));
}

/// docs: the sum of 1 / (k + rank) over the paths.
#[tokio::test(flavor = "multi_thread")]
async fn reciprocal_ranks_bring_up_what_both_find() {
    let engine = gallery(DataLocation::Memory).await;
    let found = matches(&engine, &query("red", hybrid("RRF", json!({})))).await;
    assert_eq!(found.len(), 4);
    let places = vector_places(&engine).await;
    for found in &found {
        let name = found.file_name.as_ref().unwrap().as_str();
        let mut expected = 1.0 / (60.0 + places[name]);
        if let Some(text) = ["berry.bmp", "cat.bmp"].iter().position(|one| *one == name) {
            expected += 1.0 / (61.0 + if text == 0 { 0.0 } else { 1.0 });
            assert_eq!(found.source, RetrievalSource::Both);
        } else {
            assert_eq!(found.source, RetrievalSource::Vector);
        }
        assert!((f64::from(found.score) - expected).abs() < 1e-6, "{name}");
    }
    assert_eq!(names_of(&found)[0], "berry.bmp");
}

/// The place of each picture by its vector for "red"; equal scores share one.
async fn vector_places(engine: &Engine) -> std::collections::BTreeMap<String, f64> {
    let found = matches(engine, &query("red", HybridSearch::default())).await;
    let place = |one: &Match| {
        let better = found.iter().filter(|other| other.score > one.score);
        better.fold(1.0, |place, _| place + 1.0)
    };
    found
        .iter()
        .map(|one| (one.file_name.as_ref().unwrap().to_string(), place(one)))
        .collect()
}

/// docs: alpha × vector + (1 − alpha) × text, for every row by both of its scores.
#[tokio::test(flavor = "multi_thread")]
async fn weights_go_from_text_alone_to_vector_alone() {
    let engine = gallery(DataLocation::Memory).await;
    let vectors = matches(&engine, &query("red", HybridSearch::default())).await;
    let texts = matches(&engine, &query("red", only_text())).await;
    for alpha in [0.0, 0.25, 1.0] {
        let weight = hybrid("Weight", json!({"Weight": {"alpha": alpha}}));
        let found = matches(&engine, &query("red", weight)).await;
        assert_eq!(found.len(), 4);
        for found in &found {
            let of = |list: &[Match]| {
                let same = list.iter().find(|other| other.id == found.id);
                same.map_or(0.0, |other| f64::from(other.score))
            };
            let text = of(&texts);
            let expected = alpha * of(&vectors) + (1.0 - alpha) * text / (1.0 + text);
            assert!((f64::from(found.score) - expected).abs() < 1e-6);
        }
        assert!(found.is_sorted_by(|one, other| one.score >= other.score));
    }
    let vector_alone = hybrid("Weight", json!({"Weight": {"alpha": 1}}));
    let found = matches(&engine, &query("red", vector_alone)).await;
    assert_eq!(names_of(&found), names_of(&vectors));
}

/// docs: full text first, the vector within its hits, with the vector's scores.
#[tokio::test(flavor = "multi_thread")]
async fn a_cascade_ranks_what_the_text_finds_by_vector() {
    let engine = gallery(DataLocation::Memory).await;
    let vectors = matches(&engine, &query("red", HybridSearch::default())).await;
    for metric in [Metric::Cosine, Metric::L2] {
        let cascade = QueryContent {
            metric: Some(metric),
            ..query("red", hybrid("Cascaded", json!({})))
        };
        let found = matches(&engine, &cascade).await;
        let mut expected = names_of(&vectors);
        expected.retain(|name| ["berry.bmp", "cat.bmp"].contains(name));
        assert_eq!(names_of(&found), expected);
        assert!(
            found
                .iter()
                .all(|found| found.source == RetrievalSource::Both)
        );
        if metric == Metric::Cosine {
            let same = vectors.iter().find(|one| one.id == found[0].id).unwrap();
            assert_eq!(same.score.to_bits(), found[0].score.to_bits());
        }
    }
    let nothing = query("zebra", hybrid("Cascaded", json!({})));
    assert!(matches(&engine, &nothing).await.is_empty());
}

/// docs: without a mode both scores are compared as they are. Distances become likenesses first.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_mode_the_larger_score_counts() {
    let engine = gallery(DataLocation::Memory).await;
    let vectors = matches(&engine, &query("red", HybridSearch::default())).await;
    let texts = matches(&engine, &query("red", only_text())).await;
    let both = HybridSearch {
        full_text: true,
        ..HybridSearch::default()
    };
    let found = matches(&engine, &query("red", both.clone())).await;
    for found in &found {
        let of = |list: &[Match]| {
            let same = list.iter().find(|other| other.id == found.id);
            same.map_or(f32::NEG_INFINITY, |other| other.score)
        };
        let larger = of(&vectors).max(of(&texts));
        assert_eq!(found.score.to_bits(), larger.to_bits());
    }
    let distances = QueryContent {
        metric: Some(Metric::L2),
        ..query("red", both)
    };
    let found = matches(&engine, &distances).await;
    assert!(found.is_sorted_by(|one, other| one.score >= other.score));
    assert!(found.iter().all(|found| found.score > 0.0));
}

/// docs, client PLUG: what the vendor's endpoint sends together, on images, with and without fields
/// for full text, by text and by image.
#[tokio::test(flavor = "multi_thread")]
async fn images_are_found_by_what_the_vendors_endpoint_sends() {
    let engine = gallery(DataLocation::Memory).await;
    assert_eq!(index(&engine, "plain.bmp", &plain(RED)).await.failure, None);
    let endpoint = HybridSearch {
        full_text: true,
        ..hybrid("RRF", json!({}))
    };
    for name in [PHOTOS, CAPTIONED] {
        let by_text = QueryContent {
            collection: collection(name),
            ..query("red", endpoint.clone())
        };
        assert!(!matches(&engine, &by_text).await.is_empty(), "{name}");
        let image = lookalike_engine::ImageQuery {
            source: uploaded(&engine, &plain(RED)).await,
            file_name: Some(file("query.bmp")),
        };
        let by_image = QueryContent {
            text: None,
            image: Some(image.clone()),
            ..by_text.clone()
        };
        let found = matches(&engine, &by_image).await;
        assert!(
            found
                .iter()
                .all(|found| found.source == RetrievalSource::Vector)
        );
        assert!(["apple.bmp", "door.bmp", "plain.bmp"].contains(&names_of(&found)[0]));
        // The image is embedded, the text is looked for.
        let both = QueryContent {
            image: Some(image),
            text: Some("berry".to_owned()),
            ..by_text
        };
        if name == CAPTIONED {
            assert_eq!(names_of(&matches(&engine, &both).await)[0], "berry.bmp");
        }
    }
}

/// ours: an image that no path looks for is not passed over in silence.
#[tokio::test(flavor = "multi_thread")]
async fn an_image_needs_the_path_dense() {
    let engine = gallery(DataLocation::Memory).await;
    let image = lookalike_engine::ImageQuery {
        source: uploaded(&engine, &plain(RED)).await,
        file_name: Some(file("query.bmp")),
    };
    for (paths, is_taken) in [
        ("fulltext", false),
        ("sparse", false),
        ("sparse,fulltext", false),
        ("dense", true),
        ("dense,fulltext", true),
    ] {
        let args = json!({"HybridPathsSetting": {"paths": paths}});
        let asked = QueryContent {
            image: Some(image.clone()),
            ..query("apple", hybrid("", args))
        };
        let outcome = engine.query(&access(), &asked).await;
        if is_taken {
            assert_eq!(outcome.unwrap().usage.entries, 2, "{paths}: it is embedded");
        } else {
            assert_eq!(invalid_field(outcome), "FileUrl", "{paths}");
        }
    }
}

/// docs: filters bound every path; full text follows rows as they change.
#[tokio::test(flavor = "multi_thread")]
async fn text_follows_the_rows() {
    let engine = gallery(DataLocation::Memory).await;
    assert_eq!(by_text(&engine, "apple").await, ["apple.bmp"]);
    add(&engine, "apple.bmp", RED, "a pear").await;
    assert!(by_text(&engine, "apple").await.is_empty());
    assert_eq!(by_text(&engine, "pear").await, ["apple.bmp"]);
    engine
        .delete_document(&access(), &collection(CAPTIONED), &file("apple.bmp"))
        .await
        .unwrap();
    assert!(by_text(&engine, "pear").await.is_empty());
    add(&engine, "fig.bmp", GREEN, "a red fig").await;
    for mode in ["RRF", "Weight", "Cascaded"] {
        let filtered = QueryContent {
            filter: "doc_name IN ('cat.bmp', 'door.bmp')".to_owned(),
            ..query("red", hybrid(mode, json!({})))
        };
        let found = matches(&engine, &filtered).await;
        let mut names = names_of(&found);
        names.sort_unstable();
        let expected: &[&str] = if mode == "Cascaded" {
            &["cat.bmp"]
        } else {
            &["cat.bmp", "door.bmp"]
        };
        assert_eq!(names, expected, "{mode}");
    }
}

/// Nothing of full text is stored: after a stop at any point it is made of the rows there are.
#[tokio::test(flavor = "multi_thread")]
async fn text_is_found_after_a_restart_and_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let location = || DataLocation::Folder(folder.path().to_owned());
    let engine = gallery(location()).await;
    let before = matches(&engine, &query("red", hybrid("RRF", json!({})))).await;
    engine.shutdown().await;
    drop(engine);
    let engine = Engine::open(config(location()), models()).await.unwrap();
    assert_eq!(
        matches(&engine, &query("red", hybrid("RRF", json!({})))).await,
        before
    );
    add(&engine, "fig.bmp", GREEN, "a red fig").await;
    // No shutdown: what was committed counts.
    drop(engine);
    let engine = reopened(folder.path()).await;
    assert_eq!(by_text(&engine, "fig").await, ["fig.bmp"]);
}

/// Opens a folder that another engine is about to let go of.
async fn reopened(folder: &std::path::Path) -> Engine {
    let opened = async {
        loop {
            match Engine::open(in_folder(folder), models()).await {
                Ok(engine) => return engine,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), opened)
        .await
        .unwrap()
}

/// Sparse vectors of a document collection are made of the fields that were declared for them.
#[tokio::test(flavor = "multi_thread")]
async fn the_sparse_path_finds_words_too() {
    let engine = gallery(DataLocation::Memory).await;
    let sparse = hybrid("", json!({"HybridPathsSetting": {"paths": "sparse"}}));
    let found = matches(&engine, &query("red", sparse.clone())).await;
    assert_eq!(names_of(&found), ["berry.bmp", "cat.bmp"]);
    // 2 / 3.2 for two of the word, 1 / 2.2 for one.
    assert!((found[0].score - 0.625).abs() < 1e-6 && (found[1].score - 0.454_545).abs() < 1e-5);
    assert!(
        found
            .iter()
            .all(|found| found.source == RetrievalSource::Vector)
    );
    let all = json!({
        "Weight": {"dense": 2, "sparse": 1, "fulltext": 1},
        "HybridPathsSetting": {"paths": "dense,sparse,fulltext"},
    });
    let found = matches(&engine, &query("red", hybrid("Weight", all))).await;
    assert_eq!(names_of(&found)[..1], ["berry.bmp"]);
    assert_eq!(found[0].source, RetrievalSource::Both);
    let photos = QueryContent {
        collection: collection(PHOTOS),
        ..query("red", sparse)
    };
    let outcome = engine.query(&access(), &photos).await;
    assert_eq!(invalid_field(outcome), "HybridSearchArgs");
}

/// docs: pages and orders do not go with a hybrid search; what is wrong is named.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_hybrid_search_cannot_do_is_refused() {
    let engine = gallery(DataLocation::Memory).await;
    let base = query("red", hybrid("RRF", json!({})));
    let cases = [
        (
            "Offset",
            QueryContent {
                offset: Some(1),
                ..base.clone()
            },
        ),
        (
            "OrderBy",
            QueryContent {
                order_by: "page".to_owned(),
                ..base.clone()
            },
        ),
        ("HybridSearch", query("red", hybrid("Best", json!({})))),
        (
            "HybridSearchArgs",
            query("red", hybrid("RRF", json!({"RRF": {"k": 0}}))),
        ),
        (
            "Content",
            QueryContent {
                text: Some(String::new()),
                ..base.clone()
            },
        ),
    ];
    for (field, query) in cases {
        assert_eq!(invalid_field(engine.query(&access(), &query).await), field);
    }
    let first_page = QueryContent {
        offset: Some(0),
        ..base
    };
    assert_eq!(matches(&engine, &first_page).await.len(), 4);
}
