//! What is read, and what is refused by field and key.

use serde_json::json;

use super::*;

fn checked(mode: &str, args: Value) -> Result<Option<Hybrid>, EngineError> {
    let Value::Object(args) = args else {
        panic!("not an object: {args}")
    };
    HybridSearch {
        mode: mode.to_owned(),
        args,
        full_text: false,
    }
    .checked()
}

fn fusion(mode: &str, args: Value) -> Fusion {
    checked(mode, args).unwrap().unwrap().fusion
}

fn reason(mode: &str, args: &Value) -> (&'static str, String) {
    match checked(mode, args.clone()) {
        Err(EngineError::Invalid { field, reason }) => (field, reason),
        other => panic!("{mode} {args} is not refused: {other:?}"),
    }
}

#[test]
fn nothing_said_is_no_hybrid_search() {
    assert_eq!(checked("", json!({})).unwrap(), None);
    // Arguments of a mode that was not asked for have no effect.
    assert_eq!(checked("", json!({"RRF": {"k": 60}})).unwrap(), None);
    let full_text = HybridSearch {
        full_text: true,
        ..HybridSearch::default()
    };
    assert_eq!(
        full_text.checked().unwrap().unwrap().fusion,
        Fusion::AsTheyAre
    );
}

#[test]
fn modes_have_their_defaults() {
    let rrf = |k| Fusion::ReciprocalRank { k };
    assert_eq!(fusion("RRF", json!({})), rrf(60));
    assert_eq!(fusion("RRF", json!({"RRF": {"k": 2}})), rrf(2));
    assert_eq!(
        fusion("Weight", json!({})),
        Fusion::Weighted(Weights::Equal)
    );
    assert_eq!(
        fusion("Weight", json!({"Weight": {"alpha": 1}})),
        Fusion::Weighted(Weights::Alpha(1.0))
    );
    assert_eq!(fusion("Cascaded", json!({})), Fusion::Cascaded);
}

#[test]
fn weights_are_brought_to_the_sum_of_one() {
    let weights = fusion(
        "Weight",
        json!({"Weight": {"dense": 3, "sparse": 1e300, "fulltext": 1e300}}),
    );
    let Fusion::Weighted(Weights::Each(each)) = weights else {
        panic!("{weights:?}")
    };
    assert_eq!((each.sparse, each.full_text), (0.5, 0.5));
    assert!(each.dense < 1e-290);
    let two = PerPath {
        dense: true,
        sparse: false,
        full_text: true,
    };
    let half = PerPath {
        dense: 0.5,
        sparse: 0.0,
        full_text: 0.5,
    };
    assert_eq!(Weights::Equal.of(two), half);
    let vectors = PerPath {
        dense: true,
        sparse: true,
        full_text: false,
    };
    let beside_a_vector = Weights::Alpha(0.75).of(vectors);
    assert_eq!(
        (beside_a_vector.dense, beside_a_vector.sparse),
        (0.75, 0.25)
    );
}

#[test]
fn bad_arguments_are_refused_by_their_key() {
    let cases = [
        ("rrf", json!({}), "HybridSearch", "'rrf' is not a way"),
        (
            "RRF",
            json!({"RFF": {}}),
            "HybridSearchArgs",
            "'RFF' is not a key",
        ),
        (
            "RRF",
            json!({"RRF": 60}),
            "HybridSearchArgs",
            "RRF must be an object",
        ),
        (
            "RRF",
            json!({"RRF": {"K": 60}}),
            "HybridSearchArgs",
            "'K' is not a key of RRF",
        ),
        (
            "RRF",
            json!({"RRF": {"k": 1}}),
            "HybridSearchArgs",
            "RRF.k must be an integer above 1",
        ),
        (
            "RRF",
            json!({"RRF": {"k": 60.5}}),
            "HybridSearchArgs",
            "not 60.5",
        ),
        (
            "RRF",
            json!({"RRF": {"k": "60"}}),
            "HybridSearchArgs",
            "not \"60\"",
        ),
        (
            "Weight",
            json!({"Weight": {"alpha": 1.1}}),
            "HybridSearchArgs",
            "Weight.alpha must be a number from 0 to 1",
        ),
        (
            "Weight",
            json!({"Weight": {"dense": -1}}),
            "HybridSearchArgs",
            "Weight.dense must be a number of 0 or more",
        ),
        (
            "Weight",
            json!({"Weight": {"alpha": 1, "dense": 1}}),
            "HybridSearchArgs",
            "either alpha or",
        ),
        (
            "Weight",
            json!({"Weight": {"dense": 0}}),
            "HybridSearchArgs",
            "are all 0",
        ),
        (
            "RRF",
            json!({"HybridPathsSetting": {"paths": "dense,text"}}),
            "HybridSearchArgs",
            "names 'text'",
        ),
        (
            "RRF",
            json!({"HybridPathsSetting": {"paths": ["dense"]}}),
            "HybridSearchArgs",
            "must be a text",
        ),
    ];
    for (mode, args, field, wanted) in cases {
        let (named, reason) = reason(mode, &args);
        assert_eq!(named, field);
        assert!(reason.contains(wanted), "{reason}");
    }
}

const DEFAULTS: PerPath<bool> = PerPath {
    dense: true,
    sparse: false,
    full_text: true,
};

fn paths(
    mode: &str,
    args: Value,
    obstacles: PerPath<Option<&str>>,
) -> Result<PerPath<bool>, String> {
    let hybrid = checked(mode, args).unwrap().unwrap();
    hybrid
        .paths(DEFAULTS, obstacles)
        .map_err(|error| error.to_string())
}

#[test]
fn a_default_path_may_have_nothing_to_look_for_and_a_named_one_may_not() {
    let no_text = PerPath {
        full_text: Some("Content is empty"),
        ..PerPath::default()
    };
    assert_eq!(paths("RRF", json!({}), PerPath::default()), Ok(DEFAULTS));
    let dense = PerPath {
        full_text: false,
        ..DEFAULTS
    };
    assert_eq!(paths("RRF", json!({}), no_text), Ok(dense));
    let named = json!({"HybridPathsSetting": {"paths": "dense, fulltext"}});
    let refused = paths("RRF", named, no_text).unwrap_err();
    assert!(
        refused.contains("names fulltext, but Content is empty"),
        "{refused}"
    );
    let text = json!({"HybridPathsSetting": {"paths": "fulltext"}});
    let only_text = PerPath {
        dense: false,
        ..DEFAULTS
    };
    assert_eq!(paths("", text, PerPath::default()), Ok(only_text));
}

#[test]
fn a_cascade_needs_text_and_one_vector() {
    let no_text = PerPath {
        full_text: Some("Content is empty"),
        ..PerPath::default()
    };
    assert!(paths("Cascaded", json!({}), PerPath::default()).is_ok());
    assert!(
        paths("Cascaded", json!({}), no_text)
            .unwrap_err()
            .contains("Content is needed")
    );
    for list in ["fulltext", "dense,sparse,fulltext"] {
        let named = json!({"HybridPathsSetting": {"paths": list}});
        let refused = paths("Cascaded", named, PerPath::default()).unwrap_err();
        assert!(refused.contains("one path, dense or sparse"), "{refused}");
    }
}

#[test]
fn weights_fit_the_paths() {
    let three = "dense,sparse,fulltext";
    let alpha = json!({"Weight": {"alpha": 0.5}, "HybridPathsSetting": {"paths": three}});
    let refused = paths("Weight", alpha, PerPath::default()).unwrap_err();
    assert!(
        refused.contains("Weight.alpha weighs two paths"),
        "{refused}"
    );
    let nothing = json!({"Weight": {"sparse": 1}});
    let refused = paths("Weight", nothing, PerPath::default()).unwrap_err();
    assert!(refused.contains("0 to every path"), "{refused}");
}
