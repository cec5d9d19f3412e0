//! The splitters on texts whose chunks can be counted by hand.

use super::*;

fn splitting(splitter: &str, size: i64, overlap: i64) -> Splitting {
    let options = SplitOptions {
        chunk_size: Some(size),
        chunk_overlap: Some(overlap),
        splitter: Some(splitter.to_owned()),
        ..SplitOptions::default()
    };
    let name = match splitter {
        "MarkdownHeaderTextSplitter" => "a.md",
        _ => "a.txt",
    };
    Splitting::checked(&options, &FileName::new(name).unwrap()).unwrap()
}

fn chunks(splitting: &Splitting, text: &str) -> Vec<String> {
    let chunks = splitting.split(text, 1000).unwrap();
    chunks.into_iter().map(|chunk| chunk.content).collect()
}

fn refused(options: &SplitOptions, name: &str) -> &'static str {
    match Splitting::checked(options, &FileName::new(name).unwrap()) {
        Err(EngineError::Invalid { field, .. }) => field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn paragraphs_are_joined_while_they_fit() {
    let by = splitting("RecursiveCharacterTextSplitter", 20, 0);
    assert_eq!(
        chunks(&by, "one two\n\nthree four\n\nfive six seven"),
        ["one two\n\nthree four", "five six seven"]
    );
    assert_eq!(
        chunks(&by, "a paragraph that is too long\n\nshort"),
        ["a paragraph that is", "too long", "short"]
    );
}

#[test]
fn chunk_begins_with_the_end_of_the_one_before() {
    let by = splitting("RecursiveCharacterTextSplitter", 11, 4);
    assert_eq!(
        chunks(&by, "aa bb cc dd ee ff"),
        ["aa bb cc dd", "dd ee ff"]
    );
    // Without anything to cut at: by length.
    let by = splitting("RecursiveCharacterTextSplitter", 4, 1);
    assert_eq!(chunks(&by, "abcdefgh"), ["abcd", "defg", "gh"]);
    let by = splitting("RecursiveCharacterTextSplitter", 2, 2);
    assert_eq!(chunks(&by, "abcd"), ["ab", "bc", "cd"]);
}

#[test]
fn chinese_sentences_keep_their_full_stops() {
    let by = splitting("ChineseRecursiveTextSplitter", 8, 0);
    assert_eq!(
        chunks(&by, "今天天气很好。我们去公园！你呢？\n\n\n好的"),
        ["今天天气很好。", "我们去公园！", "你呢？", "好的"]
    );
    let by = splitting("ChineseRecursiveTextSplitter", 30, 0);
    assert_eq!(chunks(&by, "第一段\n\n第二段"), ["第一段\n第二段"]);
}

#[test]
fn sentences_are_not_torn() {
    let by = splitting("SpacyTextSplitter", 30, 0);
    assert_eq!(
        chunks(
            &by,
            "It rains. We stay at home, all of us! Why? Because it rains."
        ),
        [
            "It rains.",
            "We stay at home, all of us!",
            "Why? Because it rains."
        ]
    );
}

#[test]
fn own_separators_take_the_place_of_the_splitters() {
    let options = SplitOptions {
        chunk_size: Some(6),
        chunk_overlap: Some(0),
        separators: Some(vec!["|".to_owned(), String::new(), " ".to_owned()]),
        splitter: Some("RecursiveCharacterTextSplitter".to_owned()),
        ..SplitOptions::default()
    };
    let by = Splitting::checked(&options, &FileName::new("a.txt").unwrap()).unwrap();
    assert_eq!(chunks(&by, "ab cd|efghijkl"), ["ab cd", "|efghi", "jkl"]);
}

#[test]
fn sections_know_their_headings() {
    let by = splitting("MarkdownHeaderTextSplitter", 100, 0);
    let text = "intro\n# Guide\n## Install\nrun it\n```sh\n# no heading\n```\n### Deep\nx\n## Use #\nclick\n####### seven\n";
    let found = by.split(text, 10).unwrap();
    let shown: Vec<String> = found
        .iter()
        .map(|chunk| {
            let titles: Vec<String> = chunk
                .headings
                .iter()
                .map(|(level, title)| format!("{}:{title}", &level[7..]))
                .collect();
            format!(
                "{} | {}",
                titles.join(" "),
                chunk.content.replace('\n', "/")
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            " | intro",
            "1:Guide 2:Install | # Guide/## Install/run it/```sh/# no heading/```",
            "1:Guide 2:Install 3:Deep | ### Deep/x",
            "1:Guide 2:Use | ## Use #/click/####### seven",
        ]
    );
}

#[test]
fn defaults_are_the_samples_and_follow_the_extension() {
    let defaults = |name: &str| {
        Splitting::checked(&SplitOptions::default(), &FileName::new(name).unwrap()).unwrap()
    };
    let text = defaults("a.txt");
    assert_eq!((text.size, text.overlap), (250, 50));
    assert_eq!(text.splitter.name(), "ChineseRecursiveTextSplitter");
    assert_eq!(
        defaults("a.MD").splitter.name(),
        "MarkdownHeaderTextSplitter"
    );
}

#[test]
fn numbers_and_names_are_checked_at_their_edges() {
    let options = |size: i64, overlap: i64| SplitOptions {
        chunk_size: Some(size),
        chunk_overlap: Some(overlap),
        ..SplitOptions::default()
    };
    for (size, overlap) in [(1, 0), (1, 1), (2048, 2048)] {
        let name = FileName::new("a.txt").unwrap();
        assert!(Splitting::checked(&options(size, overlap), &name).is_ok());
    }
    for size in [0, -1, 2049] {
        assert_eq!(refused(&options(size, 0), "a.txt"), "ChunkSize");
    }
    for overlap in [-1, 251] {
        assert_eq!(refused(&options(250, overlap), "a.txt"), "ChunkOverlap");
    }
    for name in ["LLMSplitter", "MarkdownHeaderTextSplitter", "x"] {
        let options = SplitOptions {
            splitter: Some(name.to_owned()),
            ..SplitOptions::default()
        };
        assert_eq!(refused(&options, "a.txt"), "TextSplitterName");
    }
    let many = SplitOptions {
        separators: Some(vec!["x".to_owned(); MAX_SEPARATORS + 1]),
        ..SplitOptions::default()
    };
    assert_eq!(refused(&many, "a.txt"), "Separators");
}

#[test]
fn too_many_chunks_are_noticed_at_the_edge() {
    let by = splitting("RecursiveCharacterTextSplitter", 1, 0);
    assert_eq!(by.split("abc", 3).unwrap().len(), 3);
    assert_eq!(by.split("abcd", 3), Err(TooManyChunks));
    let by = splitting("MarkdownHeaderTextSplitter", 5, 0);
    assert_eq!(by.split("# a\nb\n# c\nd\n", 1), Err(TooManyChunks));
}

#[test]
fn no_chunk_is_too_long_or_empty_and_nothing_is_lost() {
    let mut text = String::new();
    for i in 0..400 {
        text.push('w');
        text.push_str(&i.to_string());
        text.push_str(["\n\n", " ", ". ", "。", "\n", ", "][i % 6]);
    }
    let visible = |text: &str| -> String { text.split_whitespace().collect() };
    for splitter in [
        "RecursiveCharacterTextSplitter",
        "ChineseRecursiveTextSplitter",
        "SpacyTextSplitter",
        "MarkdownHeaderTextSplitter",
    ] {
        for (size, overlap) in [(7, 0), (30, 0), (2048, 0), (30, 10), (100, 99)] {
            let found = chunks(&splitting(splitter, size, overlap), &text);
            for chunk in &found {
                let length = chunk.chars().count();
                let most = usize::try_from(size).unwrap();
                assert!(0 < length && length <= most, "{chunk:?}");
                // Without the line breaks that one of the splitters joins.
                assert!(visible(&text).contains(&visible(chunk)), "{chunk:?}");
            }
            if overlap == 0 {
                assert_eq!(
                    visible(&found.concat()),
                    visible(&text),
                    "{splitter} {size}"
                );
            }
        }
    }
}

#[test]
fn texts_of_white_space_have_no_chunks() {
    let by = splitting("ChineseRecursiveTextSplitter", 250, 50);
    for text in ["", " ", "\n\n \t\n"] {
        assert!(chunks(&by, text).is_empty());
    }
}
