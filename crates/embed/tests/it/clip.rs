//! CLIP against `PyTorch` and transformers, on the small checkpoints that `tests/goldens/make.py` makes.

use std::path::{Path, PathBuf};

use crate::support::{cosine, embed_images, embed_text, png};
use fs_err as fs;
use lookalike_embed::{
    Device, ModelError, Models, ModelsConfig, Precision, ServedModel, TextEmbedding, open_folder,
};
use lookalike_media::Pixels;
use serde::Deserialize;

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

/// What a tower may run on, and how close it must come to `PyTorch` in f32.
const BACKENDS: [(Device, Precision, f64); 4] = [
    (Device::Reference, Precision::F32, 0.99999),
    (Device::Cpu, Precision::F32, 0.99999),
    (Device::Cpu, Precision::Bf16, 0.999),
    // random weights spread their activations evenly: this says nothing about a trained model
    (Device::Cpu, Precision::Int8, 0.99),
];

fn open(checkpoint: &str, threads: usize) -> ServedModel {
    open_on(checkpoint, threads, (Device::Cpu, Precision::F32))
}

fn open_on(
    checkpoint: &str,
    threads: usize,
    (device, precision): (Device, Precision),
) -> ServedModel {
    let config = ModelsConfig {
        threads,
        device,
        precision,
        ..ModelsConfig::default()
    };
    open_folder(&goldens().join(checkpoint), &config).unwrap()
}

/// Every checkpoint on every backend.
fn cases() -> impl Iterator<Item = (&'static str, (Device, Precision), f64)> {
    CHECKPOINTS.into_iter().flat_map(|checkpoint| {
        BACKENDS
            .into_iter()
            .map(move |(device, precision, least)| (checkpoint, (device, precision), least))
    })
}

fn pictures(golden: &Golden) -> Vec<Pixels> {
    golden
        .images
        .iter()
        .map(|image| png(&goldens().join(&image.file)))
        .collect()
}

/// All at once, so that the batcher takes most of them together.
fn embed_texts(model: &ServedModel, texts: &[&str]) -> Vec<TextEmbedding> {
    crate::support::block_on(async {
        let asked: Vec<_> = texts
            .iter()
            .map(|text| {
                let (model, text) = (model.clone(), (*text).to_owned());
                tokio::spawn(async move { model.embed_text(&text).await.unwrap() })
            })
            .collect();
        let mut found = Vec::new();
        for answer in asked {
            found.push(answer.await.unwrap());
        }
        found
    })
}

#[test]
fn texts_match_transformers() {
    for (checkpoint, backend, least) in cases() {
        let model = open_on(checkpoint, 2, backend);
        for expected in golden(checkpoint).texts {
            let (found, text) = (embed_text(&model, &expected.text), &expected.text);
            assert_eq!(
                found.tokens as usize,
                expected.ids.len(),
                "{checkpoint} {backend:?}: {text:?}"
            );
            let cosine = cosine(&found.vector, &expected.embedding);
            assert!(
                cosine >= least,
                "{checkpoint} {backend:?}: {text:?}: cosine {cosine}"
            );
        }
    }
}

#[test]
fn images_match_transformers_from_the_file_on() {
    for (checkpoint, backend, least) in cases() {
        let golden = golden(checkpoint);
        let found = embed_images(&open_on(checkpoint, 2, backend), &pictures(&golden));
        for (found, expected) in found.iter().zip(&golden.images) {
            let (cosine, file) = (cosine(found, &expected.embedding), &expected.file);
            assert!(
                cosine >= least,
                "{checkpoint} {backend:?}: {file}: cosine {cosine}"
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
    for (checkpoint, backend, _) in cases() {
        let pictures = pictures(&golden(checkpoint));
        let together = embed_images(&open_on(checkpoint, 3, backend), &pictures);
        let model = open_on(checkpoint, 1, backend);
        for (picture, expected) in pictures.iter().zip(&together) {
            let alone = &embed_images(&model, std::slice::from_ref(picture))[0];
            assert_eq!(alone, expected, "{checkpoint} {backend:?}");
        }
    }
}

#[test]
fn text_alone_equals_itself_among_others_on_any_number_of_threads() {
    for (checkpoint, backend, _) in cases() {
        let texts = golden(checkpoint).texts;
        let texts: Vec<&str> = texts.iter().map(|text| text.text.as_str()).collect();
        let together = embed_texts(&open_on(checkpoint, 3, backend), &texts);
        let model = open_on(checkpoint, 1, backend);
        for (text, expected) in texts.iter().zip(together) {
            let alone = embed_text(&model, text);
            assert_eq!(alone, expected, "{checkpoint} {backend:?}: {text:?}");
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
fn fingerprint_follows_the_precision_but_not_the_implementation() {
    let fingerprint = |backend| open_on("gelu-f32", 1, backend).fingerprint().to_owned();
    let [reference, f32, bf16, int8] =
        BACKENDS.map(|(device, precision, _)| fingerprint((device, precision)));
    assert_eq!(reference, f32);
    assert!(f32 != bf16 && bf16 != int8 && int8 != f32);
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
        precision: Precision::F32,
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
        text.contains("224 pixels in patches of 32, the model 224 pixels in patches of 16"),
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
