//! Listing, describing and deleting documents (semantics.md, `ListDocuments` to `DeleteDocument`;
//! rows 14 and 47).

use crate::support::*;
use lookalike_engine::{DataLocation, Engine, EngineError, Page, Subject};
use md5::{Digest as _, Md5};

async fn with_documents(count: usize) -> (Engine, Vec<String>) {
    let engine = ready(config(DataLocation::Memory)).await;
    let names: Vec<String> = (0..count).map(|n| format!("{n:02}.bmp")).collect();
    let files: Vec<(&str, Vec<u8>)> = names
        .iter()
        .rev()
        .map(|name| (name.as_str(), plain([9, 9, 9])))
        .collect();
    let job = index(&engine, "all.tar", &tar(&files)).await;
    assert_eq!(job.failure, None);
    (engine, names)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_paging_everything_is_listed_in_order() {
    let (engine, expected) = with_documents(12).await;
    assert_eq!(names(&engine).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_cover_the_list_once_and_the_last_has_no_token() {
    let (engine, expected) = with_documents(12).await;
    for size in [1, 4, 5, 12, 100] {
        let mut page = Page {
            max_results: Some(size),
            next_token: None,
        };
        let mut listed = Vec::new();
        let mut pages = 0;
        loop {
            let part = engine
                .list_documents(&access(), &collection(PHOTOS), &page)
                .await
                .unwrap();
            assert!(part.file_names.len() <= size as usize);
            listed.extend(part.file_names.iter().map(ToString::to_string));
            pages += 1;
            match part.next_token {
                Some(token) => page.next_token = Some(token),
                None => break,
            }
        }
        assert_eq!(listed, expected, "pages of {size}");
        assert_eq!(pages, 12_u32.div_ceil(size), "pages of {size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_page_sizes_and_tokens_are_refused() {
    let (engine, _) = with_documents(1).await;
    let list = |page: Page| {
        let engine = engine.clone();
        async move {
            engine
                .list_documents(&access(), &collection(PHOTOS), &page)
                .await
        }
    };
    for size in [0, 101] {
        let page = Page {
            max_results: Some(size),
            next_token: None,
        };
        assert_eq!(invalid_field(list(page).await), "MaxResults");
    }
    let page = Page {
        max_results: Some(1),
        next_token: Some("guess".to_owned()),
    };
    assert_eq!(invalid_field(list(page).await), "NextToken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_described_by_its_original() {
    let engine = ready(config(DataLocation::Memory)).await;
    let picture = plain([1, 2, 3]);
    indexed(&engine, "a/b.BMP", &picture).await;
    let name = file("a/b.BMP");
    let document = engine
        .describe_document(&access(), &collection(PHOTOS), &name)
        .await
        .unwrap();
    assert_eq!(document.file_name, name);
    assert_eq!(document.md5, <[u8; 16]>::from(Md5::digest(&picture)));
    assert_eq!(document.size, picture.len() as u64);
    assert_eq!((document.version, document.chunks), (1, 1));
    assert_eq!(name.extension(), "bmp");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_document_is_gone_from_everywhere_and_starts_anew() {
    let (engine, expected) = with_documents(3).await;
    let (photos, name) = (collection(PHOTOS), file(&expected[1]));
    engine
        .delete_document(&access(), &photos, &name)
        .await
        .unwrap();
    assert_eq!(
        names(&engine).await,
        [expected[0].as_str(), expected[2].as_str()]
    );
    let result = search(&engine, &text_query("black")).await;
    assert_eq!(found(&result), [expected[0].as_str(), expected[2].as_str()]);
    let again = engine.delete_document(&access(), &photos, &name).await;
    let described = engine
        .describe_document(&access(), &photos, &name)
        .await
        .map(|_| ());
    for outcome in [again, described] {
        assert!(
            matches!(
                outcome,
                Err(EngineError::NotFound {
                    what: Subject::File,
                    ..
                })
            ),
            "{outcome:?}"
        );
    }
    indexed(&engine, name.as_str(), &plain([9, 9, 9])).await;
    let document = engine
        .describe_document(&access(), &photos, &name)
        .await
        .unwrap();
    assert_eq!(document.version, 1);
}
