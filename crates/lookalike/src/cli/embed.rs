//! `lookalike embed`: vectors of texts and images as JSON lines.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use lookalike_embed::{BUILTIN_NAME, Models, ModelsConfig, Priority, ServedModel, open_folder};
use lookalike_media::ImageLimits;
use lookalike_media::decode::decode;
use serde::Serialize;

use super::runtime;
use crate::config::{Compute, ModelPath, ModelPlace};
use crate::server::models_config;

/// Print the vectors of texts and images
///
/// One line an input, texts first, each a JSON object {"input", "dim", "vector"}. Vectors have unit length.
#[derive(Debug, Args)]
pub struct Embed {
    /// A model name of the API (see `models list`), or a folder with weights in the Hugging Face or `open_clip` layout
    #[arg(long, env = "LOOKALIKE_EMBED_MODEL", value_name = "NAME|PATH")]
    model: String,

    /// A text; give it once for each
    #[arg(
        long = "text",
        env = "LOOKALIKE_TEXT",
        value_name = "TEXT",
        required_unless_present = "images"
    )]
    texts: Vec<String>,

    /// An image file; give it once for each
    #[arg(long = "image", env = "LOOKALIKE_IMAGE", value_name = "FILE")]
    images: Vec<PathBuf>,

    /// Length of the vectors, for a model that offers several
    #[arg(long, env = "LOOKALIKE_DIMENSION", value_name = "N")]
    dimension: Option<u32>,

    /// Print JSON lines; there is no other format yet, so this changes nothing
    #[arg(long, env = "LOOKALIKE_JSON", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    json: bool,

    /// Threads for encoding; 0 takes one for each core
    #[arg(long, env = "LOOKALIKE_THREADS", value_name = "N", default_value_t = 0)]
    threads: usize,

    /// Serve the model NAME from the folder PATH, as `serve` would
    #[arg(
        long = "weights",
        env = "LOOKALIKE_WEIGHTS",
        value_name = "NAME=PATH",
        value_delimiter = ','
    )]
    weights: Vec<ModelPath>,

    #[command(flatten)]
    place: ModelPlace,

    #[command(flatten)]
    compute: Compute,
}

#[derive(Serialize)]
struct Line<'a> {
    input: &'a str,
    dim: usize,
    vector: &'a [f32],
}

impl Embed {
    pub fn run(self) -> anyhow::Result<()> {
        self.compute.hold()?;
        let model = self.open_model()?;
        if model.is_stand_in() {
            writeln!(
                io::stderr(),
                "note: {} is served by {}",
                model.model(),
                model.label()
            )?;
        }
        runtime::run(async move {
            let mut out = io::stdout().lock();
            for text in &self.texts {
                let embedding = model.embed_text(text).await?;
                print(&mut out, text, &embedding.vector)?;
            }
            for path in &self.images {
                let vector = embed_file(&model, path)
                    .await
                    .with_context(|| path.display().to_string())?;
                print(&mut out, &path.display().to_string(), &vector)?;
            }
            Ok(())
        })
    }

    fn open_model(&self) -> anyhow::Result<ServedModel> {
        let path = Path::new(&self.model);
        if path.is_dir() {
            let config = ModelsConfig {
                threads: self.threads,
                ..ModelsConfig::default()
            };
            return Ok(open_folder(path, &self.compute.apply(config)?)?);
        }
        let mut config = models_config(&self.place.library(), &self.weights, self.threads)?;
        // Other pulled models would be loaded for nothing.
        let given = |name: &str| self.weights.iter().any(|model| model.name == name);
        config
            .paths
            .retain(|(name, _)| *name == self.model || given(name));
        let models = Models::open(self.compute.apply(config)?)?;
        if self.model == BUILTIN_NAME {
            return Ok(models.builtin());
        }
        Ok(models.resolve(&self.model, self.dimension)?)
    }
}

async fn embed_file(model: &ServedModel, path: &Path) -> anyhow::Result<Vec<f32>> {
    let picture = decode(&fs_err::read(path)?, &ImageLimits::default())?;
    let prepared = model.prepare(&picture.pixels);
    let mut vectors = model.embed_images(vec![prepared], Priority::Query).await?;
    match vectors.pop() {
        Some(vector) => Ok(vector),
        None => bail!("the model returned no vector"),
    }
}

fn print(out: &mut impl Write, input: &str, vector: &[f32]) -> io::Result<()> {
    serde_json::to_writer(
        &mut *out,
        &Line {
            input,
            dim: vector.len(),
            vector,
        },
    )?;
    writeln!(out)
}
