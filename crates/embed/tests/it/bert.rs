//! Text encoders of the BERT kind against transformers, and folders that are not what they should be.
//!
//! The checkpoints and their vectors are made by `tests/goldens/make_bert.py`.

use std::path::{Path, PathBuf};

use fs_err as fs;
use lookalike_embed::catalogue::ModelKind;
use lookalike_embed::{
    EmbedError, Models, ModelsConfig, Precision, Priority, ServedModel, open_folder,
};
use lookalike_media::Pixels;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{block_on, cosine, embed_text};

const CHECKPOINTS: [&str; 2] = ["bert-mean", "roberta-first"];

#[derive(Deserialize)]
struct Golden {
    text: String,
    ids: Vec<u32>,
    embedding: Vec<f32>,
}

fn folder(checkpoint: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/goldens")
        .join(checkpoint)
}

fn goldens(checkpoint: &str) -> Vec<Golden> {
    let bytes = fs::read(folder(checkpoint).join("golden.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn config(precision: Precision, threads: usize) -> ModelsConfig {
    ModelsConfig {
        threads,
        precision,
        ..ModelsConfig::default()
    }
}

fn open(checkpoint: &str, precision: Precision, threads: usize) -> ServedModel {
    open_folder(&folder(checkpoint), &config(precision, threads)).unwrap()
}

#[test]
fn vectors_are_those_of_transformers() {
    for checkpoint in CHECKPOINTS {
        for (precision, least) in [(Precision::F32, 0.99999), (Precision::Bf16, 0.999)] {
            let model = open(checkpoint, precision, 2);
            assert_eq!(model.kind(), ModelKind::Text);
            for golden in goldens(checkpoint) {
                let found = embed_text(&model, &golden.text);
                let likeness = cosine(&found.vector, &golden.embedding);
                assert!(
                    likeness > least,
                    "{checkpoint} in {precision:?}, {:?}: {likeness}",
                    golden.text
                );
                assert_eq!(found.tokens as usize, golden.ids.len(), "{:?}", golden.text);
            }
        }
    }
}

#[test]
fn text_is_the_same_bits_alone_and_in_a_batch() {
    for checkpoint in CHECKPOINTS {
        let texts: Vec<String> = goldens(checkpoint)
            .into_iter()
            .map(|golden| golden.text)
            .collect();
        let together =
            block_on(open(checkpoint, Precision::F32, 3).embed_document_texts(texts.clone()))
                .unwrap();
        let alone = open(checkpoint, Precision::F32, 1);
        for (text, together) in texts.iter().zip(together) {
            assert_eq!(embed_text(&alone, text), together, "{checkpoint} {text:?}");
        }
    }
}

#[test]
fn text_model_refuses_pictures() {
    let model = open("bert-mean", Precision::F32, 1);
    let picture = model.prepare(&Pixels {
        width: 1,
        height: 1,
        rgb: vec![0; 3],
    });
    let answer = block_on(model.embed_images(vec![picture], Priority::Query));
    assert!(matches!(answer, Err(EmbedError::TextOnly)), "{answer:?}");
}

#[test]
fn own_weights_serve_a_text_model_lifted_and_named() {
    let serve = |name: &str| {
        let paths = vec![(name.to_owned(), folder("bert-mean"))];
        Models::open(ModelsConfig {
            paths,
            ..config(Precision::F32, 1)
        })
    };
    let models = serve("text-embedding-v3").unwrap();
    let model = models.resolve("text-embedding-v3", Some(512)).unwrap();
    assert_eq!(
        model.label(),
        "stand-in bert (bert-mean), lifted from 48 to 512 dimensions"
    );
    assert_eq!(embed_text(&model, "invoice").vector.len(), 512);
    // A model whose weights are public has only one dimension.
    let error = serve("m3e-base").err().unwrap().to_string();
    assert!(error.contains("48") && error.contains("768"), "{error}");
    // Weights of one kind do not serve the other.
    assert!(serve("clip-vit-b-32").is_err());
}

fn copy(checkpoint: &str) -> TempDir {
    let copied = tempfile::tempdir().unwrap();
    fs::create_dir(copied.path().join("1_Pooling")).unwrap();
    for file in [
        "config.json",
        "tokenizer.json",
        "model.safetensors",
        "pytorch_model.bin",
        "1_Pooling/config.json",
        "sentence_bert_config.json",
    ] {
        let from = folder(checkpoint).join(file);
        if from.exists() {
            fs::copy(from, copied.path().join(file)).unwrap();
        }
    }
    copied
}

fn edit(folder: &TempDir, file: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.path().join(file);
    let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut json);
    fs::write(&path, json.to_string()).unwrap();
}

/// What opening a copy of a good folder says after `harm` was done to it.
fn complaint(harm: impl FnOnce(&TempDir)) -> String {
    let folder = copy("bert-mean");
    harm(&folder);
    let paths = vec![("text-embedding-v3".to_owned(), folder.path().to_owned())];
    let opened = Models::open(ModelsConfig {
        paths,
        ..config(Precision::F32, 1)
    });
    opened
        .err()
        .expect("the harmed folder was opened")
        .to_string()
}

fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
}

#[test]
fn missing_file_is_named_with_the_layout_that_was_expected() {
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        let text = complaint(|folder| fs::remove_file(folder.path().join(file)).unwrap());
        assert_says(
            &text,
            &[file, "expected a BERT folder", "pytorch_model.bin"],
        );
    }
}

#[test]
fn damaged_file_is_named() {
    for (file, keep) in [
        ("config.json", 20),
        ("tokenizer.json", 400),
        ("model.safetensors", 2000),
        ("1_Pooling/config.json", 5),
        ("sentence_bert_config.json", 5),
    ] {
        let text = complaint(|folder| {
            let path = folder.path().join(file);
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..keep]).unwrap();
        });
        assert_says(&text, &[file.rsplit('/').next().unwrap(), "damaged"]);
    }
}

#[test]
fn what_this_release_cannot_run_is_refused_by_field() {
    type Case<'a> = (&'a str, &'a str, Value, &'a [&'a str]);
    let cases: [Case<'_>; 8] = [
        (
            "config.json",
            "model_type",
            json!("t5"),
            &["t5", "xlm-roberta"],
        ),
        (
            "config.json",
            "hidden_act",
            json!("relu"),
            &["hidden_act", "relu"],
        ),
        (
            "config.json",
            "position_embedding_type",
            json!("relative_key"),
            &["position_embedding_type"],
        ),
        (
            "config.json",
            "num_attention_heads",
            json!(7),
            &["num_attention_heads"],
        ),
        (
            "config.json",
            "num_hidden_layers",
            json!(0),
            &["num_hidden_layers"],
        ),
        (
            "config.json",
            "vocab_size",
            json!(9),
            &["tokenizer.json", "vocab_size"],
        ),
        (
            "config.json",
            "intermediate_size",
            json!(64),
            &["intermediate.dense", "64"],
        ),
        (
            "1_Pooling/config.json",
            "pooling_mode_max_tokens",
            json!(true),
            &["pooling_mode_max_tokens"],
        ),
    ];
    for (file, field, value, parts) in cases {
        let text = complaint(|folder| edit(folder, file, |json| json[field] = value));
        assert_says(&text, parts);
    }
    let text = complaint(|folder| {
        let modules = json!([{ "type": "sentence_transformers.models.Dense" }]);
        fs::write(folder.path().join("modules.json"), modules.to_string()).unwrap();
    });
    assert_says(&text, &["modules.json", "Dense"]);
}

#[test]
fn fingerprint_follows_every_file_that_matters() {
    let fingerprint = |folder: &Path| {
        let model = open_folder(folder, &config(Precision::F32, 1)).unwrap();
        model.fingerprint().to_owned()
    };
    let original = fingerprint(&folder("bert-mean"));
    assert_eq!(fingerprint(copy("bert-mean").path()), original);
    let pooled = copy("bert-mean");
    edit(&pooled, "1_Pooling/config.json", |json| {
        json["pooling_mode_mean_tokens"] = json!(false);
        json["pooling_mode_cls_token"] = json!(true);
    });
    let shorter = copy("bert-mean");
    edit(&shorter, "sentence_bert_config.json", |json| {
        json["max_seq_length"] = json!(12);
    });
    let (pooled, shorter) = (fingerprint(pooled.path()), fingerprint(shorter.path()));
    assert!(original != pooled && original != shorter && pooled != shorter);
}
