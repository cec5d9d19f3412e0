//! The cache and the checks, with a model that counts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lookalike_kernels::{Cpu, Machine, Precision};

use super::*;
use crate::batcher::BatchLimits;
use crate::machines::Machines;

/// Text vectors are (number of the call, 0), or (0, 1) at once for those that say so; a picture's are its first byte, or NaN for 255.
struct Counter {
    info: EncoderInfo,
    calls: AtomicUsize,
}

impl Encoder for Counter {
    fn info(&self) -> &EncoderInfo {
        &self.info
    }

    fn prepare(&self, pixels: &Pixels) -> PreparedImage {
        PreparedImage::new(1, pixels.clone())
    }

    fn embed_images(
        &self,
        _: &Machine,
        images: &[PreparedImage],
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        let value = |byte: u8| {
            if byte == 255 {
                f32::NAN
            } else {
                f32::from(byte)
            }
        };
        Ok(images
            .iter()
            .map(|image| vec![value(image.rgb[0]), 0.0])
            .collect())
    }

    fn embed_texts(&self, _: &Machine, texts: &[&str]) -> Result<Vec<TextEmbedding>, EmbedError> {
        let call =
            u8::try_from(self.calls.fetch_add(1, Ordering::Relaxed)).expect("a handful of calls");
        Ok(texts
            .iter()
            .map(|_| TextEmbedding {
                vector: vec![f32::from(call), 0.0],
                tokens: 1,
            })
            .collect())
    }

    fn text_at_once(&self, text: &str) -> Option<Result<TextEmbedding, EmbedError>> {
        assert!(text != "at once: panic", "a defect");
        text.starts_with("at once").then(|| {
            Ok(TextEmbedding {
                vector: vec![0.0, 1.0],
                tokens: 1,
            })
        })
    }
}

/// One encoder in its own dimension and lifted to 4.
fn served() -> (ServedModel, ServedModel) {
    let info = EncoderInfo {
        name: "counter".to_owned(),
        fingerprint: String::new(),
        dimension: 2,
        precision: Precision::F32,
    };
    let encoder: Arc<dyn Encoder> = Arc::new(Counter {
        info,
        calls: AtomicUsize::new(1),
    });
    let machines = Arc::new(Machines::new(Cpu::PORTABLE, 1));
    let limits = BatchLimits {
        max_inputs: 2,
        ingest_wait: Duration::ZERO,
    };
    let batcher = Batcher::start(&encoder, &machines, limits).unwrap();
    let loaded = Arc::new(Loaded {
        encoder,
        batcher,
        texts: Cache::new(10),
    });
    let native = ServedModel::new("a".to_owned(), 2, false, None, Arc::clone(&loaded));
    let lifted = ServedModel::new(
        "b".to_owned(),
        4,
        true,
        Some(Arc::new(Lift::new(2, 4))),
        loaded,
    );
    (native, lifted)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

fn text(model: &ServedModel, text: &str) -> Vec<f32> {
    runtime().block_on(model.embed_text(text)).unwrap().vector
}

#[test]
fn text_is_computed_once_for_each_dimension() {
    let (native, lifted) = served();
    assert_eq!(text(&native, "dog"), [1.0, 0.0]);
    assert_eq!(text(&native, "dog"), [1.0, 0.0]);
    assert_eq!(text(&native, "cat"), [2.0, 0.0]);
    let high = text(&lifted, "dog");
    assert_eq!(high.len(), 4);
    assert_eq!(text(&lifted, "dog"), high);
    assert_eq!(text(&native, "dog"), [1.0, 0.0]);
}

#[test]
fn very_long_text_is_not_kept() {
    let (native, _) = served();
    let (kept, long) = (
        "x".repeat(MAX_SHORT_TEXT_BYTES),
        "x".repeat(MAX_SHORT_TEXT_BYTES + 1),
    );
    assert_eq!(text(&native, &kept), text(&native, &kept));
    assert_ne!(text(&native, &long), text(&native, &long));
}

#[test]
fn short_text_is_embedded_at_once_where_that_is_quick() {
    let (native, lifted) = served();
    assert_eq!(text(&native, "at once"), [0.0, 1.0]);
    assert_eq!(text(&lifted, "at once").len(), 4);
    let long = format!("at once: {}", "x".repeat(MAX_SHORT_TEXT_BYTES));
    assert_eq!(text(&native, &long), [1.0, 0.0]);
}

#[test]
fn a_panic_at_once_is_the_error_of_that_text() {
    let (native, _) = served();
    let answer = runtime().block_on(native.embed_text("at once: panic"));
    assert!(
        matches!(&answer, Err(EmbedError::Panicked(text)) if text.contains("a defect")),
        "{answer:?}"
    );
    assert_eq!(text(&native, "dog"), [1.0, 0.0]);
}

#[test]
fn output_that_is_not_finite_is_an_error() {
    let (native, _) = served();
    let runtime = runtime();
    let image = |byte| {
        native.prepare(&Pixels {
            width: 1,
            height: 1,
            rgb: vec![byte; 3],
        })
    };
    let answer = runtime.block_on(native.embed_images(vec![image(3), image(255)], Priority::Query));
    assert!(matches!(answer, Err(EmbedError::NotFinite)));
    assert_eq!(
        runtime
            .block_on(native.embed_images(vec![image(3)], Priority::Query))
            .unwrap(),
        [[3.0, 0.0]]
    );
}
