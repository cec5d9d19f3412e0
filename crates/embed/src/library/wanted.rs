//! What a pull is asked for: a model of the catalogue, or any repository of the hub.

use std::str::FromStr;

use thiserror::Error;

use super::error::PullError;
use super::manifest::ManifestFile;
use crate::catalogue::{Catalogue, ModelEntry};

/// The branch that a repository has unless it says otherwise.
const DEFAULT_REVISION: &str = "main";

/// A model to pull. Written `NAME`, or `hf:ORG/REPO` with `@REVISION` behind it if need be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    name: String,
    repository: String,
    revision: String,
    /// File name and lower-case hex, where the catalogue knows it.
    sha256: Vec<(String, String)>,
}

/// Why a text asks for nothing that can be pulled.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WantedError {
    /// No such name.
    #[error("unknown model {name:?}; the models that can be pulled are {}, and any repository as hf:ORG/REPO[@REVISION]", names.join(", "))]
    Unknown {
        /// As given.
        name: String,
        /// What could be.
        names: Vec<String>,
    },
    /// A model of the contract without public weights.
    #[error(
        "{name} has no public weights; `models pull hf:ORG/REPO --as {name}` lets others stand in for it, --model {name}=PATH those of a folder"
    )]
    NoWeights {
        /// The model.
        name: String,
    },
    /// Not `ORG/REPO[@REVISION]`.
    #[error("{text:?} names no repository; expected hf:ORG/REPO or hf:ORG/REPO@REVISION")]
    Repository {
        /// As given.
        text: String,
    },
    /// Not a name for a folder.
    #[error("{name:?} cannot be a model's name; expected letters, digits, '-', '_' and '.'")]
    Name {
        /// As given.
        name: String,
    },
}

impl FromStr for Wanted {
    type Err = WantedError;

    fn from_str(text: &str) -> Result<Self, WantedError> {
        match text.strip_prefix("hf:") {
            Some(repository) => Self::repository(text, repository),
            None => Self::model(text, &Catalogue::embedded()),
        }
    }
}

impl Wanted {
    fn model(name: &str, catalogue: &Catalogue) -> Result<Self, WantedError> {
        let Some(entry) = catalogue.find(name) else {
            let can_be_pulled = |entry: &&ModelEntry| entry.repository.is_some();
            let entries = catalogue.entries().iter().filter(can_be_pulled);
            return Err(WantedError::Unknown {
                name: name.to_owned(),
                names: entries.map(|entry| entry.name.clone()).collect(),
            });
        };
        let Some(repository) = &entry.repository else {
            return Err(WantedError::NoWeights {
                name: name.to_owned(),
            });
        };
        Ok(Self {
            name: name.to_owned(),
            repository: repository.clone(),
            revision: entry
                .revision
                .clone()
                .unwrap_or_else(|| DEFAULT_REVISION.to_owned()),
            sha256: entry.sha256.clone().into_iter().collect(),
        })
    }

    fn repository(text: &str, repository: &str) -> Result<Self, WantedError> {
        let (repository, revision) = repository
            .split_once('@')
            .unwrap_or((repository, DEFAULT_REVISION));
        let is_sound = |part: &str| is_name(part);
        let parts: Vec<&str> = repository.split('/').collect();
        let sound_revision = !revision.is_empty() && revision.split('/').all(is_sound);
        if !(1..=2).contains(&parts.len())
            || !parts.iter().all(|part| is_sound(part))
            || !sound_revision
        {
            return Err(WantedError::Repository {
                text: text.to_owned(),
            });
        }
        Ok(Self {
            name: parts.join("--"),
            repository: repository.to_owned(),
            revision: revision.to_owned(),
            sha256: Vec::new(),
        })
    }

    /// The same under another name: that of the model which it is to serve.
    ///
    /// # Errors
    /// [`WantedError::Name`].
    pub fn named(self, name: &str) -> Result<Self, WantedError> {
        if !is_name(name) {
            return Err(WantedError::Name {
                name: name.to_owned(),
            });
        }
        Ok(Self {
            name: name.to_owned(),
            ..self
        })
    }

    /// What the model is called in the library.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The repository on the hub.
    pub fn repository_name(&self) -> &str {
        &self.repository
    }

    /// Branch, tag or commit.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Compares files with the catalogue's checksums, where it has some.
    pub(super) fn check_sums(&self, files: &[ManifestFile]) -> Result<(), PullError> {
        for (name, expected) in &self.sha256 {
            let found = files.iter().find(|file| file.name == *name);
            if let Some(found) = found
                && found.sha256 != *expected
            {
                return Err(PullError::Checksum {
                    file: name.clone(),
                    kind: "sha256",
                    found: found.sha256.clone(),
                    expected: expected.clone(),
                });
            }
        }
        Ok(())
    }
}

/// Fit for a folder and for a part of a URL; never one of the dots that lead elsewhere.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('.')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Wanted {
        text.parse().unwrap()
    }

    #[test]
    fn names_of_the_catalogue_know_their_repositories() {
        let model = wanted("clip-vit-b-32");
        assert_eq!(model.name(), "clip-vit-b-32");
        assert_eq!(model.repository_name(), "openai/clip-vit-base-patch32");
        assert_eq!(model.revision(), "main");
        assert_eq!(wanted("m3e-base").repository_name(), "moka-ai/m3e-base");
    }

    #[test]
    fn repositories_are_named_after_themselves_unless_told_otherwise() {
        let model = wanted("hf:laion/CLIP-ViT-B-32-laion2B-s34B-b79K@refs/pr/3");
        assert_eq!(model.name(), "laion--CLIP-ViT-B-32-laion2B-s34B-b79K");
        assert_eq!(model.revision(), "refs/pr/3");
        let model = model.named("clip-vit-b-32").unwrap();
        assert_eq!(model.name(), "clip-vit-b-32");
        assert_eq!(
            model.repository_name(),
            "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
        );
    }

    #[test]
    fn what_cannot_be_pulled_is_refused_with_what_can() {
        let refusal = |text: &str| text.parse::<Wanted>().unwrap_err().to_string();
        assert!(refusal("clip-vit-b-99").contains("clip-vit-b-32"));
        assert!(!refusal("clip-vit-b-99").contains("qwen3-vl-embedding"));
        assert!(refusal("qwen3-vl-embedding").contains("no public weights"));
        assert!(refusal("text-embedding-v3").contains("--as text-embedding-v3"));
        for text in [
            "hf:",
            "hf:a/b/c",
            "hf:../x",
            "hf:a/b@",
            "hf:a//b",
            "hf:a/b@../c",
        ] {
            assert!(refusal(text).contains("hf:ORG/REPO"), "{text}");
        }
        assert!(wanted("hf:a/b").named("../x").is_err());
    }
}
