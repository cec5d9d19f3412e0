//! `NAME=PATH`: which folder's weights serve a model name.

use std::path::PathBuf;
use std::str::FromStr;

/// A model name of the API and the folder that serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelPath {
    pub name: String,
    pub path: PathBuf,
}

/// Why a text is not `NAME=PATH`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected NAME=PATH, such as clip-vit-b-32=/models/clip-vit-base-patch32")]
pub struct ModelPathError;

impl FromStr for ModelPath {
    type Err = ModelPathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok(Self {
                name: name.to_owned(),
                path: path.into(),
            }),
            Some(_) | None => Err(ModelPathError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_ends_at_the_first_equals_sign() {
        let model: ModelPath = "clip-vit-b-32=/a=b".parse().unwrap();
        assert_eq!(
            model,
            ModelPath {
                name: "clip-vit-b-32".into(),
                path: "/a=b".into()
            }
        );
    }

    #[test]
    fn missing_half_is_refused() {
        for text in ["clip-vit-b-32", "=path", "name="] {
            assert_eq!(text.parse::<ModelPath>(), Err(ModelPathError), "{text}");
        }
    }
}
