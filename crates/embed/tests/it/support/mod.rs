//! What the integration tests share: pictures from files, vectors from models, cosines.

use std::path::Path;

use lookalike_embed::{Priority, ServedModel, TextEmbedding};
use lookalike_media::Pixels;

/// Reads an RGB PNG without any further processing.
pub fn png(path: &Path) -> Pixels {
    let picture = image::open(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .to_rgb8();
    Pixels {
        width: picture.width(),
        height: picture.height(),
        rgb: picture.into_raw(),
    }
}

pub fn embed_images(model: &ServedModel, pictures: &[Pixels]) -> Vec<Vec<f32>> {
    let prepared = pictures
        .iter()
        .map(|pixels| model.prepare(pixels))
        .collect();
    block_on(model.embed_images(prepared, Priority::Ingest)).unwrap()
}

pub fn embed_text(model: &ServedModel, text: &str) -> TextEmbedding {
    block_on(model.embed_text(text)).unwrap()
}

pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(x, y)| f64::from(*x) * f64::from(*y))
            .sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}
