//! The built-in encoder against the vectors that its recipe recorded with `PyTorch` (`models/builtin/golden`).

use std::path::{Path, PathBuf};

use crate::support::{cosine, embed_images, embed_text, png};
use lookalike_embed::{Models, ModelsConfig, ServedModel};
use lookalike_media::Pixels;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    images: Vec<GoldenImage>,
    texts: Vec<GoldenText>,
}

#[derive(Deserialize)]
struct GoldenImage {
    file: String,
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct GoldenText {
    text: String,
    ids: Vec<u32>,
    embedding: Vec<f32>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/builtin")
}

fn golden() -> Golden {
    serde_json::from_slice(&fs_err::read(folder().join("golden/golden.json")).unwrap()).unwrap()
}

fn pictures(golden: &Golden) -> Vec<Pixels> {
    golden
        .images
        .iter()
        .map(|image| png(&folder().join(&image.file)))
        .collect()
}

fn models(threads: usize) -> Models {
    Models::open(ModelsConfig {
        threads,
        ..ModelsConfig::default()
    })
    .unwrap()
}

fn builtin(threads: usize) -> ServedModel {
    models(threads).builtin()
}

#[test]
fn texts_match_the_recorded_vectors() {
    let model = builtin(1);
    for expected in golden().texts {
        let found = embed_text(&model, &expected.text);
        assert_eq!(
            found.tokens as usize,
            expected.ids.len(),
            "{:?}",
            expected.text
        );
        for (a, b) in found.vector.iter().zip(&expected.embedding) {
            assert!(
                (a - b).abs() < 1e-5,
                "{:?}: {a} instead of {b}",
                expected.text
            );
        }
    }
}

#[test]
fn images_match_the_recorded_vectors() {
    let golden = golden();
    for (found, expected) in embed_images(&builtin(2), &pictures(&golden))
        .iter()
        .zip(&golden.images)
    {
        let cosine = cosine(found, &expected.embedding);
        assert!(cosine > 0.9999, "{}: cosine {cosine}", expected.file);
        let length: f32 = found.iter().map(|x| x * x).sum();
        assert!(
            (length - 1.0).abs() < 1e-5,
            "{}: squared length {length}",
            expected.file
        );
    }
}

#[test]
fn image_alone_equals_itself_in_a_batch_on_any_number_of_threads() {
    let pictures = pictures(&golden());
    let together = embed_images(&builtin(3), &pictures);
    let model = builtin(1);
    for (picture, expected) in pictures.iter().zip(&together) {
        assert_eq!(
            &embed_images(&model, std::slice::from_ref(picture))[0],
            expected
        );
    }
}

#[test]
#[expect(clippy::float_cmp, reason = "exactly zero is what is promised")]
fn query_of_which_nothing_is_understood_scores_zero_with_every_picture() {
    let model = builtin(1);
    let images = embed_images(&model, &pictures(&golden()));
    for nonsense in [
        "xqzvw",
        "12345",
        "the of and",
        "",
        "\u{0}\u{1F600}",
        "\u{72D7}",
    ] {
        let text = embed_text(&model, nonsense).vector;
        for image in &images {
            assert_eq!(
                text.iter().zip(image).map(|(a, b)| a * b).sum::<f32>(),
                0.0,
                "{nonsense:?}"
            );
        }
    }
}

#[test]
fn long_text_is_cut_and_not_refused() {
    let found = embed_text(&builtin(1), &"dog ".repeat(10_000));
    assert_eq!(found.tokens, 77);
    assert!(cosine(&found.vector, &embed_text(&builtin(1), "dog").vector) > 0.9999);
}

#[test]
fn lifted_stand_in_keeps_cosines() {
    let models = models(2);
    let golden = golden();
    let pictures = pictures(&golden);
    let native = embed_images(&models.builtin(), &pictures);
    for (name, dimension) in [
        ("clip-rn50x4", 640),
        ("clip-vit-l-14", 768),
        ("multimodal-embedding-v1", 1024),
        ("qwen3-vl-embedding", 2560),
    ] {
        let model = models.resolve(name, None).unwrap();
        assert!(model.is_stand_in());
        let lifted = embed_images(&model, &pictures);
        for (i, vector) in lifted.iter().enumerate() {
            assert_eq!(vector.len(), dimension);
            let difference = cosine(vector, &lifted[0]) - cosine(&native[i], &native[0]);
            assert!(difference.abs() < 1e-5, "{name}: {difference}");
        }
        let text = cosine(&embed_text(&model, "red").vector, &lifted[0]);
        assert!(
            (text - cosine(&embed_text(&models.builtin(), "red").vector, &native[0])).abs() < 1e-5
        );
    }
}

#[test]
fn picture_prepared_for_another_model_is_refused() {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/gelu-f32");
    let clip = lookalike_embed::open_folder(&clip, &ModelsConfig::default()).unwrap();
    let foreign = clip.prepare(&pictures(&golden())[0]);
    let answer = crate::support::block_on(
        builtin(1).embed_images(vec![foreign], lookalike_embed::Priority::Query),
    );
    let error = answer.unwrap_err().to_string();
    assert!(
        error.contains("64 x 64") && error.contains("256 x 256"),
        "{error}"
    );
}
