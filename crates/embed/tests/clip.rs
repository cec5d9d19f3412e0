//! CLIP against `PyTorch` and transformers, on the small checkpoints that `tests/goldens/make.py` makes, and against folders that are
//! not what they should be.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use std::path::{Path, PathBuf};

use fs_err as fs;
use lookalike_embed::{ModelError, Models, ModelsConfig, ServedModel, open_folder};
use lookalike_media::Pixels;
use serde::Deserialize;
use serde_json::{Value, json};
use support::{cosine, embed_images, embed_text, png};
use tempfile::TempDir;

const CHECKPOINTS: [&str; 3] = ["quick-gelu-f16", "gelu-bf16", "gelu-f32"];

#[derive(Deserialize)]
struct Golden {
    texts: Vec<GoldenText>,
    images: Vec<GoldenImage>,
}

#[derive(Deserialize)]
struct GoldenText {
    text: String,
    ids: Vec<u32>,
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct GoldenImage {
    file: String,
    embedding: Vec<f32>,
}

fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens")
}

fn golden(checkpoint: &str) -> Golden {
    serde_json::from_slice(&fs::read(goldens().join(checkpoint).join("golden.json")).unwrap())
        .unwrap()
}

fn open(checkpoint: &str, threads: usize) -> ServedModel {
    open_folder(
        &goldens().join(checkpoint),
        &ModelsConfig {
            threads,
            ..ModelsConfig::default()
        },
    )
    .unwrap()
}

fn pictures(golden: &Golden) -> Vec<Pixels> {
    golden
        .images
        .iter()
        .map(|image| png(&goldens().join(&image.file)))
        .collect()
}

#[test]
fn texts_match_transformers() {
    for checkpoint in CHECKPOINTS {
        let model = open(checkpoint, 2);
        for expected in golden(checkpoint).texts {
            let found = embed_text(&model, &expected.text);
            assert_eq!(
                found.tokens as usize,
                expected.ids.len(),
                "{checkpoint}: {:?}",
                expected.text
            );
            let cosine = cosine(&found.vector, &expected.embedding);
            assert!(
                cosine >= 0.9999,
                "{checkpoint}: {:?}: cosine {cosine}",
                expected.text
            );
        }
    }
}

#[test]
fn images_match_transformers_from_the_file_on() {
    for checkpoint in CHECKPOINTS {
        let golden = golden(checkpoint);
        let found = embed_images(&open(checkpoint, 2), &pictures(&golden));
        for (found, expected) in found.iter().zip(&golden.images) {
            let cosine = cosine(found, &expected.embedding);
            assert!(
                cosine >= 0.9999,
                "{checkpoint}: {}: cosine {cosine}",
                expected.file
            );
        }
    }
}

#[test]
fn goldens_are_sharp_enough_to_tell_inputs_apart() {
    for checkpoint in CHECKPOINTS {
        let golden = golden(checkpoint);
        for (i, a) in golden.images.iter().enumerate() {
            for b in &golden.images[..i] {
                assert!(
                    cosine(&a.embedding, &b.embedding) < 0.95,
                    "{checkpoint}: {} and {}",
                    a.file,
                    b.file
                );
            }
        }
    }
}

#[test]
fn image_alone_equals_itself_in_a_batch_on_any_number_of_threads() {
    for checkpoint in CHECKPOINTS {
        let pictures = pictures(&golden(checkpoint));
        let together = embed_images(&open(checkpoint, 3), &pictures);
        let model = open(checkpoint, 1);
        for (picture, expected) in pictures.iter().zip(&together) {
            assert_eq!(
                &embed_images(&model, std::slice::from_ref(picture))[0],
                expected,
                "{checkpoint}"
            );
        }
    }
}

#[test]
fn text_is_cut_to_the_models_positions() {
    assert_eq!(
        embed_text(&open("quick-gelu-f16", 1), &"dog ".repeat(500)).tokens,
        77
    );
    assert_eq!(
        embed_text(&open("gelu-f32", 1), &"dog ".repeat(500)).tokens,
        20
    );
}

#[test]
fn fingerprint_follows_every_file() {
    let original = open("gelu-f32", 1).fingerprint().to_owned();
    assert_eq!(original.len(), 64);
    assert_eq!(open("gelu-f32", 2).fingerprint(), original);

    let folder = copy("gelu-f32");
    edit(&folder, "preprocessor_config.json", |json| {
        json["image_mean"] = json!([0.5, 0.5, 0.5]);
    });
    assert_ne!(
        open_folder(folder.path(), &ModelsConfig::default())
            .unwrap()
            .fingerprint(),
        original
    );
}

#[test]
fn weights_serve_the_name_they_are_given_for() {
    let path = goldens().join("quick-gelu-f16");
    let models = Models::open(ModelsConfig {
        paths: vec![("clip-vit-b-32".to_owned(), path.clone())],
        ..ModelsConfig::default()
    })
    .unwrap();
    let model = models.resolve("clip-vit-b-32", None).unwrap();
    assert!(!model.is_stand_in());
    assert_eq!(model.encoder().name, "clip-vit (quick-gelu-f16)");
    let expected = &golden("quick-gelu-f16").texts[0];
    assert!(
        cosine(
            &embed_text(&model, &expected.text).vector,
            &expected.embedding
        ) >= 0.9999
    );
    assert_eq!(
        models
            .resolve("clip-vit-b-16", None)
            .unwrap()
            .encoder()
            .name,
        "builtin-imagenet-words"
    );
}

#[test]
fn clip_for_a_proprietary_name_is_a_lifted_stand_in() {
    let path = goldens().join("quick-gelu-f16");
    let models = Models::open(ModelsConfig {
        paths: vec![("qwen3-vl-embedding".to_owned(), path)],
        ..ModelsConfig::default()
    })
    .unwrap();
    let model = models.resolve("qwen3-vl-embedding", Some(1536)).unwrap();
    assert!(model.is_stand_in());
    assert_eq!(
        model.label(),
        "stand-in clip-vit (quick-gelu-f16), lifted from 512 to 1536 dimensions"
    );
    let golden = golden("quick-gelu-f16");
    let found = embed_images(&model, &pictures(&golden));
    let difference = cosine(&found[0], &found[1])
        - cosine(&golden.images[0].embedding, &golden.images[1].embedding);
    assert!(difference.abs() < 1e-4, "{difference}");
    assert!(matches!(
        models.resolve("qwen3-vl-embedding", Some(256)),
        Err(ModelError::TooSmallForStandIn { .. })
    ));
}

fn refusal(name: &str, folder: &Path) -> String {
    let config = ModelsConfig {
        paths: vec![(name.to_owned(), folder.to_owned())],
        ..ModelsConfig::default()
    };
    Models::open(config).err().unwrap().to_string()
}

#[test]
fn weights_of_another_model_are_refused() {
    let text = refusal("clip-vit-b-16", &goldens().join("quick-gelu-f16"));
    assert!(
        text.contains("224 pixels in patches of 32, the model 224 in patches of 16"),
        "{text}"
    );
    let text = refusal("clip-rn50", &goldens().join("quick-gelu-f16"));
    assert!(text.contains("ResNet"), "{text}");
    let text = refusal("clip-vit-b-99", &goldens().join("quick-gelu-f16"));
    assert!(
        text.contains("unknown embedding model \"clip-vit-b-99\"")
            && text.contains("clip-vit-b-32"),
        "{text}"
    );
}

fn copy(checkpoint: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "preprocessor_config.json",
    ] {
        fs::copy(
            goldens().join(checkpoint).join(file),
            folder.path().join(file),
        )
        .unwrap();
    }
    folder
}

fn edit(folder: &TempDir, file: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.path().join(file);
    let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut json);
    fs::write(&path, json.to_string()).unwrap();
}

/// What opening a copy of a good folder says after `harm` was done to it.
fn complaint(harm: impl FnOnce(&TempDir)) -> String {
    let folder = copy("gelu-f32");
    harm(&folder);
    match open_folder(folder.path(), &ModelsConfig::default()) {
        Ok(_) => panic!("the harmed folder was opened"),
        Err(error) => error.to_string(),
    }
}

fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
}

#[test]
fn missing_file_is_named() {
    for file in [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "preprocessor_config.json",
    ] {
        let text = complaint(|folder| fs::remove_file(folder.path().join(file)).unwrap());
        assert_says(&text, &[file, "expected"]);
    }
}

#[test]
fn truncated_file_is_named_with_what_was_expected() {
    for (file, keep) in [
        ("model.safetensors", 4),
        ("model.safetensors", 500),
        ("model.safetensors", 200_000),
        ("tokenizer.json", 999),
        ("config.json", 20),
    ] {
        let text = complaint(|folder| {
            let path = folder.path().join(file);
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..keep]).unwrap();
        });
        assert_says(&text, &[file, "damaged"]);
    }
}

#[test]
fn file_that_is_no_safetensors_is_refused_without_asking_for_memory() {
    let text =
        complaint(|folder| fs::write(folder.path().join("model.safetensors"), [0xff; 64]).unwrap());
    assert_says(
        &text,
        &["model.safetensors", "expected the safetensors format"],
    );
    let text = complaint(|folder| {
        fs::write(
            folder.path().join("model.safetensors"),
            b"<!DOCTYPE html><html>not found</html>",
        )
        .unwrap();
    });
    assert_says(
        &text,
        &["model.safetensors", "expected the safetensors format"],
    );
}

#[test]
fn pickled_weights_are_pointed_out() {
    let text = complaint(|folder| {
        fs::rename(
            folder.path().join("model.safetensors"),
            folder.path().join("pytorch_model.bin"),
        )
        .unwrap();
    });
    assert_says(&text, &["pytorch_model.bin", "model.safetensors"]);
}

#[test]
fn open_clip_layout_is_pointed_out() {
    let text = complaint(|folder| {
        fs::rename(
            folder.path().join("config.json"),
            folder.path().join("open_clip_config.json"),
        )
        .unwrap();
    });
    assert_says(&text, &["open_clip_config.json", "Hugging Face layout"]);
}

#[test]
fn foreign_model_type_is_refused() {
    let text = complaint(|folder| {
        edit(folder, "config.json", |json| {
            json["model_type"] = json!("siglip");
        });
    });
    assert_says(&text, &["config.json", "\"siglip\"", "expected \"clip\""]);
}

#[test]
fn tensor_of_another_shape_is_named() {
    let text = complaint(|folder| {
        edit(folder, "config.json", |json| {
            json["vision_config"]["intermediate_size"] = json!(50);
        });
    });
    assert_says(
        &text,
        &[
            "model.safetensors",
            "vision_model.encoder.layers.0.mlp.fc1",
            "[50]",
            "[48]",
        ],
    );
    let text = complaint(|folder| {
        edit(folder, "config.json", |json| {
            json["text_config"]["num_hidden_layers"] = json!(3);
        });
    });
    assert_says(&text, &["model.safetensors", "text_model.encoder.layers.2"]);
}

#[test]
fn impossible_shapes_are_refused_before_anything_is_divided_by_them() {
    for (tower, field, value) in [
        ("vision_config", "patch_size", 0),
        ("vision_config", "image_size", 65),
        ("text_config", "num_attention_heads", 0),
        ("vision_config", "num_attention_heads", 5),
    ] {
        let text = complaint(|folder| {
            edit(folder, "config.json", |json| {
                json[tower][field] = json!(value);
            });
        });
        assert_says(&text, &["config.json", tower, field]);
    }
}

#[test]
fn unknown_activation_is_refused() {
    let text = complaint(|folder| {
        edit(folder, "config.json", |json| {
            json["text_config"]["hidden_act"] = json!("relu");
        });
    });
    assert_says(&text, &["config.json", "relu", "quick_gelu"]);
}

#[test]
fn preprocessing_that_is_not_clips_is_refused() {
    for (field, value) in [
        ("resample", json!(2)),
        ("do_center_crop", json!(false)),
        ("size", json!({"height": 64, "width": 64})),
        ("size", json!({"shortest_edge": 72})),
        ("crop_size", json!(63)),
        ("rescale_factor", json!(1.0)),
        ("image_std", json!([0.0, 1.0, 1.0])),
    ] {
        let text = complaint(|folder| {
            edit(folder, "preprocessor_config.json", |json| {
                json[field] = value;
            });
        });
        assert_says(&text, &["preprocessor_config.json", field, "expected"]);
    }
}

#[test]
fn older_ways_to_write_sizes_are_read() {
    let folder = copy("gelu-f32");
    edit(&folder, "preprocessor_config.json", |json| {
        json["size"] = json!(64);
        json["crop_size"] = json!(64);
    });
    let golden = golden("gelu-f32");
    let model = open_folder(folder.path(), &ModelsConfig::default()).unwrap();
    let found = embed_images(&model, &pictures(&golden));
    assert!(cosine(&found[0], &golden.images[0].embedding) >= 0.9999);
}

#[test]
fn tokenizer_of_another_model_is_refused() {
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/builtin/tokenizer.json");
    let text = complaint(|folder| {
        fs::copy(&other, folder.path().join("tokenizer.json")).unwrap();
    });
    assert_says(&text, &["tokenizer.json", "vocab_size"]);
    let text = complaint(|folder| {
        edit(folder, "tokenizer.json", |json| {
            json["decoder"] = json!({"type": "Unknown"});
        });
    });
    assert_says(&text, &["tokenizer.json", "damaged"]);
    let text = complaint(|folder| {
        edit(folder, "tokenizer.json", |json| {
            json["post_processor"] = Value::Null;
        });
    });
    assert_says(&text, &["tokenizer.json", "end-of-text"]);
}

#[test]
fn weights_that_give_no_numbers_are_an_error_and_not_a_vector() {
    let folder = copy("gelu-f32");
    let path = folder.path().join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let length = bytes.len();
    bytes[length - 40_000..].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let model = open_folder(folder.path(), &ModelsConfig::default()).unwrap();
    let prepared = vec![model.prepare(&png(&goldens().join("square.png")))];
    let error = support::block_on(model.embed_images(prepared, lookalike_embed::Priority::Query))
        .unwrap_err();
    assert_says(&error.to_string(), &["not finite"]);
}
