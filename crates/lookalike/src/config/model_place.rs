//! Where pulled models are: one setting for `serve`, `embed` and `models`.

use std::path::PathBuf;

use clap::Args;
use lookalike_embed::library::ModelLibrary;
use lookalike_engine::DataLocation;

use super::data_location;

/// Folder in the data folder.
const FOLDER: &str = "models";

/// The settings that say where pulled models are.
#[derive(Debug, Clone, Default, Args)]
pub struct ModelPlace {
    /// Folder of the models that `lookalike models pull` fetched; without this setting `models` in the data folder, and
    /// with `--data :memory:` that of the user's own data folder
    #[arg(
        long,
        global = true,
        env = "LOOKALIKE_MODELS_FOLDER",
        value_name = "DIR"
    )]
    models_folder: Option<PathBuf>,

    /// The server's data folder, if it is not the user's own
    #[arg(long, global = true, env = "LOOKALIKE_DATA", value_name = "DIR|:memory:", value_parser = data_location::parse)]
    data: Option<DataLocation>,
}

impl ModelPlace {
    /// The library in use.
    pub fn library(&self) -> ModelLibrary {
        library(self.models_folder.as_ref(), self.data.as_ref())
    }
}

/// The library that these two settings mean.
pub fn library(models_folder: Option<&PathBuf>, data: Option<&DataLocation>) -> ModelLibrary {
    if let Some(folder) = models_folder {
        return ModelLibrary::new(folder);
    }
    let own = data_location::default_for_user();
    let folder = data
        .and_then(data_location::folder)
        .or_else(|| data_location::folder(&own))
        .expect("the user's own data is in a folder");
    ModelLibrary::new(folder.join(FOLDER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_beats_the_data_folder() {
        let data = DataLocation::Folder("/data".into());
        let folder = |models: Option<&str>, data: Option<&DataLocation>| {
            let models = models.map(PathBuf::from);
            library(models.as_ref(), data).folder().to_owned()
        };
        assert_eq!(folder(Some("/m"), Some(&data)), PathBuf::from("/m"));
        assert_eq!(folder(None, Some(&data)), PathBuf::from("/data/models"));
        let own = folder(None, None);
        assert_eq!(folder(None, Some(&DataLocation::Memory)), own);
        assert!(own.ends_with("lookalike/models") || own.ends_with("lookalike-data/models"));
    }
}
