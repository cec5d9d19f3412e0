//! `lookalike models`: what the models are, how their weights get here, whether they are whole.

mod list;
mod pull;
mod verify;

use clap::{Args, Subcommand};

use crate::config::ModelPlace;

/// Say what the models are, fetch their weights, check them
#[derive(Debug, Args)]
pub struct Models {
    #[command(flatten)]
    place: ModelPlace,
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// List the model names of the API: dimension, who serves them now, whether their weights are here
    List(list::List),
    /// Fetch a model's weights; a server finds them from then on
    Pull(pull::Pull),
    /// Compare fetched weights with what was fetched, byte for byte
    Verify(verify::Verify),
}

impl Models {
    pub fn run(self) -> anyhow::Result<()> {
        let library = self.place.library();
        match self.command {
            ModelsCommand::List(list) => list.run(&library),
            ModelsCommand::Pull(pull) => pull.run(&library),
            ModelsCommand::Verify(verify) => verify.run(&library),
        }
    }
}
