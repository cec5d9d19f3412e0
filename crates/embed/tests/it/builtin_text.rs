//! The stand-in for text models: it knows some words by meaning and all by their letters.

use lookalike_embed::catalogue::ModelKind;
use lookalike_embed::{BUILTIN_TEXT_NAME, Models, ModelsConfig, ServedModel};

use crate::support::{block_on, cosine, embed_text};

fn model(name: &str, dimension: Option<u32>) -> ServedModel {
    let models = Models::open(ModelsConfig {
        threads: 1,
        ..ModelsConfig::default()
    });
    models.unwrap().resolve(name, dimension).unwrap()
}

fn default_model() -> ServedModel {
    model("text-embedding-v3", None)
}

/// The number of the text nearest to a query.
fn nearest(model: &ServedModel, query: &str, texts: &[&str]) -> usize {
    let query = embed_text(model, query).vector;
    let likeness = |text: &str| cosine(&query, &embed_text(model, text).vector);
    let scores: Vec<f64> = texts.iter().map(|text| likeness(text)).collect();
    let best = (0..texts.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    best.unwrap()
}

#[test]
fn default_model_works_out_of_the_box_and_says_who_answers() {
    let model = default_model();
    assert_eq!((model.kind(), model.dimension()), (ModelKind::Text, 1024));
    assert_eq!(
        model.label(),
        format!("stand-in {BUILTIN_TEXT_NAME}, lifted from 512 to 1024 dimensions")
    );
    let found = embed_text(&model, "How do I reset my password?");
    assert_eq!((found.vector.len(), found.tokens), (1024, 6));
    let length: f32 = found.vector.iter().map(|x| x * x).sum();
    assert!((length - 1.0).abs() < 1e-5, "{length}");
}

#[test]
fn words_are_found_by_meaning() {
    let texts = [
        "A puppy sleeps on the sofa.",
        "The invoice of the third quarter is overdue.",
        "Heavy rain is expected tomorrow.",
    ];
    let model = default_model();
    assert_eq!(nearest(&model, "dogs", &texts), 0);
    assert_eq!(nearest(&model, "weather forecast", &texts), 2);
}

#[test]
fn words_outside_the_table_and_chinese_are_found_by_letters() {
    let texts = [
        "Contoso signed the agreement.",
        "Fabrikam signed the agreement.",
        "向量数据库支持全文检索。",
        "今天天气很好，适合散步。",
        "Part number ZX-81.",
    ];
    let model = default_model();
    for (query, expected) in [
        ("What did Contoso do?", 0),
        ("fabrikam", 1),
        ("数据库如何检索？", 2),
        ("天气", 3),
        ("zx 81", 4),
    ] {
        assert_eq!(nearest(&model, query, &texts), expected, "{query}");
    }
}

#[test]
fn no_two_different_texts_are_one_vector() {
    let model = default_model();
    let texts = [
        "qwertz", "asdfgh", "退款", "付款", "the", "of", "!", "?", "12", "13", "",
    ];
    let vectors = texts.map(|text| embed_text(&model, text).vector);
    for (i, one) in vectors.iter().enumerate() {
        for (j, other) in vectors.iter().enumerate().skip(i + 1) {
            let likeness = cosine(one, other);
            assert!(likeness < 0.95, "{:?} {:?}: {likeness}", texts[i], texts[j]);
        }
    }
}

#[test]
fn likeness_survives_the_lift_and_the_batch() {
    let text = "Red cars and Contoso invoices";
    let (native, lifted) = (model("m3e-small", None), model("text-embedding-v1", None));
    assert_eq!((native.dimension(), lifted.dimension()), (512, 1536));
    assert_eq!(native.fingerprint(), lifted.fingerprint());
    let between = |model: &ServedModel| {
        let (one, other) = (embed_text(model, text), embed_text(model, "a red car"));
        cosine(&one.vector, &other.vector)
    };
    assert!((between(&native) - between(&lifted)).abs() < 1e-5);
    let texts = ["x", text, "y"].map(str::to_owned).to_vec();
    let batch = block_on(native.embed_document_texts(texts)).unwrap();
    assert_eq!(batch[1], embed_text(&native, text));
}

#[test]
fn whole_documents_are_read_to_their_end() {
    let model = default_model();
    let long = "The agreement is long and says little. ".repeat(50);
    let with_name = format!("{long} Contoso.");
    let (long, with_name) = (embed_text(&model, &long), embed_text(&model, &with_name));
    assert_eq!(with_name.tokens, long.tokens + 1);
    assert!(long.tokens > 300 && long.vector != with_name.vector);
}
