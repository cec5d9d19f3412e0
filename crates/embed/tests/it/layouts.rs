//! Folders in `open_clip`'s layout and in `PyTorch`'s format: against what `open_clip` answers for the small checkpoints that
//! `tests/goldens/make_open_clip.py` makes, and against folders that are not what they should be.

use std::path::{Path, PathBuf};

use crate::support::{cosine, embed_images, embed_text, png};
use fs_err as fs;
use lookalike_embed::{Device, ModelsConfig, Precision, ServedModel, open_folder};
use lookalike_media::Pixels;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

const CHECKPOINTS: [&str; 3] = ["open-clip-vit", "open-clip-pickle", "open-clip-resnet"];

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

fn open(folder: &Path, precision: Precision, device: Device) -> ServedModel {
    let config = ModelsConfig {
        threads: 2,
        precision,
        device,
        ..ModelsConfig::default()
    };
    open_folder(folder, &config).unwrap()
}

/// What both implementations must reach; bf16 keeps eight bits of every weight, in towers this narrow.
const CLASSES: [(Precision, Device, f64); 3] = [
    (Precision::F32, Device::Cpu, 0.99999),
    (Precision::F32, Device::Reference, 0.99999),
    (Precision::Bf16, Device::Cpu, 0.999),
];

#[test]
fn texts_match_open_clip() {
    for (checkpoint, (precision, device, least)) in CHECKPOINTS
        .into_iter()
        .flat_map(|checkpoint| CLASSES.map(|class| (checkpoint, class)))
    {
        let model = open(&goldens().join(checkpoint), precision, device);
        for expected in golden(checkpoint).texts {
            let found = embed_text(&model, &expected.text);
            assert_eq!(found.tokens as usize, expected.ids.len(), "{checkpoint}");
            let cosine = cosine(&found.vector, &expected.embedding);
            assert!(
                cosine >= least,
                "{checkpoint} {precision:?} {device:?}: {:?}: cosine {cosine}",
                expected.text
            );
        }
    }
}

#[test]
fn images_match_open_clip_from_the_file_on() {
    for (checkpoint, (precision, device, least)) in CHECKPOINTS
        .into_iter()
        .flat_map(|checkpoint| CLASSES.map(|class| (checkpoint, class)))
    {
        let golden = golden(checkpoint);
        let pictures: Vec<Pixels> = golden
            .images
            .iter()
            .map(|image| png(&goldens().join(&image.file)))
            .collect();
        let model = open(&goldens().join(checkpoint), precision, device);
        for (found, expected) in embed_images(&model, &pictures).iter().zip(&golden.images) {
            let cosine = cosine(found, &expected.embedding);
            assert!(
                cosine >= least,
                "{checkpoint} {precision:?} {device:?}: {}: cosine {cosine}",
                expected.file
            );
        }
    }
}

fn copy(checkpoint: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in fs::read_dir(goldens().join(checkpoint)).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    folder
}

fn edit(folder: &TempDir, file: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.path().join(file);
    let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut json);
    fs::write(&path, json.to_string()).unwrap();
}

/// What opening a copy of a folder says after `harm` was done to it.
fn complaint(checkpoint: &str, harm: impl FnOnce(&TempDir)) -> String {
    let folder = copy(checkpoint);
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
fn weights_in_the_wrong_format_are_named_with_the_right_one() {
    let text = complaint("gelu-f32", |folder| {
        fs::rename(
            folder.path().join("model.safetensors"),
            folder.path().join("pytorch_model.bin"),
        )
        .unwrap();
    });
    assert_says(
        &text,
        &["pytorch_model.bin", "expected the zip format of torch.save"],
    );
}

#[test]
fn missing_and_truncated_files_of_open_clips_layout_are_named() {
    for (checkpoint, file) in [
        ("open-clip-vit", "open_clip_model.safetensors"),
        ("open-clip-vit", "tokenizer.json"),
        ("open-clip-vit", "open_clip_config.json"),
        ("open-clip-pickle", "open_clip_pytorch_model.bin"),
    ] {
        let text = complaint(checkpoint, |folder| {
            let path = folder.path().join(file);
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        });
        assert_says(&text, &[file, "damaged"]);
        // Without its configuration a folder is taken for one in the Hugging Face layout.
        if file != "open_clip_config.json" {
            let text = complaint(checkpoint, |folder| {
                fs::remove_file(folder.path().join(file)).unwrap();
            });
            assert_says(&text, &["expected", "open_clip_config.json"]);
        }
    }
}

#[test]
fn other_kinds_of_open_clip_model_are_refused_by_their_field() {
    for (section, field, value) in [
        ("vision_cfg", "timm_model_name", json!("convnext_base")),
        ("vision_cfg", "attentional_pool", json!(true)),
        ("vision_cfg", "pool_type", json!("avg")),
        ("text_cfg", "hf_model_name", json!("roberta-base")),
        ("text_cfg", "no_causal_mask", json!(true)),
    ] {
        let text = complaint("open-clip-vit", |folder| {
            edit(folder, "open_clip_config.json", |json| {
                json["model_cfg"][section][field] = value;
            });
        });
        assert_says(
            &text,
            &["open_clip_config.json", section, field, "expected"],
        );
    }
    let text = complaint("open-clip-vit", |folder| {
        edit(folder, "open_clip_config.json", |json| {
            json["preprocess_cfg"]["interpolation"] = json!("bilinear");
        });
    });
    assert_says(
        &text,
        &["preprocess_cfg.interpolation", "bilinear", "bicubic"],
    );
}

#[test]
fn fields_of_open_clip_that_change_nothing_are_let_through() {
    let folder = copy("open-clip-vit");
    edit(&folder, "open_clip_config.json", |json| {
        json["model_cfg"]["vision_cfg"]["timm_model_name"] = Value::Null;
        json["model_cfg"]["vision_cfg"]["patch_dropout"] = json!(0.5);
        json["model_cfg"]["text_cfg"]["pool_type"] = json!("argmax");
        json["preprocess_cfg"]["resize_mode"] = json!("shortest");
    });
    assert!(open_folder(folder.path(), &ModelsConfig::default()).is_ok());
}

#[test]
fn half_a_model_is_named_with_what_was_expected() {
    let text = complaint("gelu-f32", |folder| {
        fs::copy(
            goldens().join("open-clip-vit/open_clip_model.safetensors"),
            folder.path().join("model.safetensors"),
        )
        .unwrap();
    });
    assert_says(&text, &["model.safetensors", "both towers", "CLIPModel"]);
}

#[test]
fn short_edge_that_is_longer_than_the_crop_is_honoured() {
    let folder = copy("gelu-f32");
    edit(&folder, "preprocessor_config.json", |json| {
        json["size"] = json!({"shortest_edge": 128});
    });
    let model = open(folder.path(), Precision::F32, Device::Cpu);
    let picture = png(&goldens().join("square.png"));
    // The picture has 128 x 128 pixels: nothing is resized, the middle is what is left.
    let (left, top) = (32, 32);
    let middle: Vec<u8> = (0..64)
        .flat_map(|y| (0..64).map(move |x| (x + left, y + top)))
        .flat_map(|(x, y)| picture.get(x, y).unwrap())
        .collect();
    let middle = Pixels::new(64, 64, middle).unwrap();
    let plain = open(&goldens().join("gelu-f32"), Precision::F32, Device::Cpu);
    assert_eq!(
        embed_images(&model, &[picture]),
        embed_images(&plain, &[middle])
    );
}
