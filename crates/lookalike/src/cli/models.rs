//! `lookalike models list`.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use lookalike_embed::{ModelStatus, Models as EmbedModels};

use super::table::Table;
use crate::config::ModelPath;
use crate::server::models_config;

/// Say what the models are and which encoder serves them
#[derive(Debug, Args)]
pub struct Models {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// List the model names of the API: dimension, who serves them now, licence of the real weights
    List(List),
}

#[derive(Debug, Args)]
struct List {
    /// Serve the model NAME from the folder PATH, as `serve` would
    #[arg(
        long = "model",
        env = "LOOKALIKE_MODEL",
        value_name = "NAME=PATH",
        value_delimiter = ','
    )]
    models: Vec<ModelPath>,
}

impl Models {
    pub fn run(self) -> anyhow::Result<()> {
        let ModelsCommand::List(list) = self.command;
        let models = EmbedModels::open(models_config(&list.models, 1))?;
        let mut table = Table::new([
            "name",
            "dimension",
            "served by",
            "licence of the real weights",
        ]);
        for status in models.list() {
            table.row(row(&status));
        }
        let mut out = io::stdout().lock();
        out.write_all(table.to_string().as_bytes())?;
        writeln!(
            out,
            "\nA stand-in is another encoder than the name says, with vectors of the right dimension. --model NAME=PATH gives the real weights."
        )?;
        Ok(())
    }
}

fn row(status: &ModelStatus) -> [String; 4] {
    let dimensions = status
        .entry
        .dimensions
        .iter()
        .map(u32::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let licence = status
        .entry
        .licence
        .clone()
        .unwrap_or_else(|| "not public".to_owned());
    [
        status.entry.name.clone(),
        dimensions,
        status.label.clone(),
        licence,
    ]
}
