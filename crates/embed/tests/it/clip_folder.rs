//! Folders of CLIP weights that are not what they should be: refused, with the file and what was expected of it.

use std::path::Path;

use fs_err as fs;
use lookalike_embed::{EmbedError, ModelsConfig, Priority, open_folder};
use lookalike_media::Pixels;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Builder;

/// A copy of a checkpoint of `tests/goldens`, to do harm to.
fn copy(checkpoint: &str) -> TempDir {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
    let folder = tempfile::tempdir().unwrap();
    for file in [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "preprocessor_config.json",
    ] {
        fs::copy(
            goldens.join(checkpoint).join(file),
            folder.path().join(file),
        )
        .unwrap();
    }
    folder
}

/// Changes a JSON file of it.
fn edit(folder: &TempDir, file: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.path().join(file);
    let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut json);
    fs::write(&path, json.to_string()).unwrap();
}

/// The vector of a picture of the model's own size.
fn embed_ramp(folder: &TempDir) -> Result<Vec<f32>, EmbedError> {
    let model = open_folder(folder.path(), &ModelsConfig::default()).unwrap();
    let ramp = Pixels {
        width: 64,
        height: 64,
        rgb: (0..=255).cycle().take(64 * 64 * 3).collect(),
    };
    let answer = model.embed_images(vec![model.prepare(&ramp)], Priority::Query);
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime
        .block_on(answer)
        .map(|mut vectors| vectors.remove(0))
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
fn fingerprint_follows_every_file() {
    let fingerprint = |folder: &TempDir| {
        let model = open_folder(folder.path(), &ModelsConfig::default()).unwrap();
        model.fingerprint().to_owned()
    };
    let folder = copy("gelu-f32");
    let original = fingerprint(&folder);
    assert_eq!(original.len(), 64);
    assert_eq!(fingerprint(&copy("gelu-f32")), original);
    edit(&folder, "preprocessor_config.json", |json| {
        json["image_mean"] = json!([0.5, 0.5, 0.5]);
    });
    assert_ne!(fingerprint(&folder), original);
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
            "[50",
            "[48",
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
        ("size", json!({"shortest_edge": 63})),
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
    let found = embed_ramp(&folder).unwrap();
    assert_eq!(found, embed_ramp(&copy("gelu-f32")).unwrap());
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
    let error = embed_ramp(&folder).unwrap_err();
    assert_says(&error.to_string(), &["not finite"]);
}
