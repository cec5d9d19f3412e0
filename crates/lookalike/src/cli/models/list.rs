//! `lookalike models list`.

use std::io::{self, Write};

use clap::Args;
use indicatif::HumanBytes;
use lookalike_embed::library::ModelLibrary;
use lookalike_embed::{ModelStatus, Models as EmbedModels, ModelsConfig};

use crate::cli::table::Table;
use crate::config::ModelPath;

/// List the model names of the API: dimension, who serves them now, whether their weights are here
#[derive(Debug, Args)]
pub struct List {
    /// Serve the model NAME from the folder PATH, as `serve` would
    #[arg(
        long = "model",
        env = "LOOKALIKE_MODEL",
        value_name = "NAME=PATH",
        value_delimiter = ','
    )]
    models: Vec<ModelPath>,
}

impl List {
    pub fn run(self, library: &ModelLibrary) -> anyhow::Result<()> {
        // Pulled weights are known by their manifests: reading gigabytes to print a table would be rude.
        let paths = self
            .models
            .iter()
            .map(|model| (model.name.clone(), model.path.clone()));
        let models = EmbedModels::open(ModelsConfig {
            paths: paths.collect(),
            threads: 1,
            ..ModelsConfig::default()
        })?;
        let mut table = Table::new(["name", "dimension", "served by", "weights", "licence"]);
        let entries = models.list();
        for status in &entries {
            table.row(row(status, library, &self.models));
        }
        let mut out = io::stdout().lock();
        out.write_all(table.to_string().as_bytes())?;
        let others: Vec<String> = library
            .names()?
            .into_iter()
            .filter(|name| !entries.iter().any(|status| status.entry.name == *name))
            .collect();
        if !others.is_empty() {
            writeln!(
                out,
                "\nAlso in {}: {} (serve one with --model NAME=PATH)",
                library.folder().display(),
                others.join(", ")
            )?;
        }
        writeln!(
            out,
            "\nA stand-in is another encoder than the name says, with vectors of the right dimension. `lookalike models pull NAME` fetches the real weights; --model NAME=PATH takes them from a folder."
        )?;
        Ok(())
    }
}

fn row(status: &ModelStatus, library: &ModelLibrary, given: &[ModelPath]) -> [String; 5] {
    let entry = &status.entry;
    let dimensions = entry
        .dimensions
        .iter()
        .map(u32::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let path = given.iter().rfind(|model| model.name == entry.name);
    let pulled = library.find(&entry.name);
    let (served_by, weights) = match (path, &pulled, &entry.repository) {
        (Some(model), _, _) => (status.label.clone(), model.path.display().to_string()),
        (None, Ok(Some((_, manifest))), _) => (
            match entry.architecture {
                Some(_) => "its own weights".to_owned(),
                None => "other weights, as a stand-in".to_owned(),
            },
            format!("{} from {}", HumanBytes(manifest.bytes()), manifest.source),
        ),
        (None, Err(error), _) => (
            "nobody: serve will refuse to start".to_owned(),
            error.to_string(),
        ),
        (None, Ok(None), Some(repository)) => {
            (status.label.clone(), format!("not here; hf:{repository}"))
        }
        (None, Ok(None), None) => (status.label.clone(), "not public".to_owned()),
    };
    let licence = match (&entry.licence, &entry.repository) {
        (Some(licence), _) => licence,
        (None, Some(_)) => "see its page",
        (None, None) => "not public",
    };
    [
        entry.name.clone(),
        dimensions,
        served_by,
        weights,
        licence.to_owned(),
    ]
}
