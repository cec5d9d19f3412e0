//! The embedding models that the API knows, read from `models/catalogue.toml`, which is part of the binary.
//!
//! [`crate::Models`] resolves names against it; the server and the command line list it. A name is here exactly if a
//! client of the real service may send it.

use std::collections::BTreeMap;

use serde::Deserialize;

const SOURCE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../models/catalogue.toml"
));

/// Every known model, in the order of listing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    #[serde(rename = "model")]
    entries: Vec<ModelEntry>,
}

/// One model of the contract.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    /// As in the request field `EmbeddingModel`.
    pub name: String,
    /// What it embeds.
    pub kind: ModelKind,
    /// What a collection may ask for, default first; never empty.
    pub dimensions: Vec<u32>,
    /// Of the public weights; `None` where nobody here has seen it stated.
    pub licence: Option<String>,
    /// Hugging Face repository of public weights; `None` where there are none that this program could load.
    pub repository: Option<String>,
    /// Branch, tag or commit of that repository; its main branch where absent.
    pub revision: Option<String>,
    /// Lower-case hex by file name, where known; what is fetched must have it.
    #[serde(default)]
    pub sha256: BTreeMap<String, String>,
    /// How that repository is laid out.
    pub layout: Option<Layout>,
    /// What weights given for this name must be.
    pub architecture: Option<Architecture>,
    /// The vendor's limit for one picture, in bytes.
    pub max_image_bytes: Option<u64>,
}

/// What a model embeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Pictures and texts, in one space.
    Image,
    /// Texts only.
    Text,
}

/// Files of a repository of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// `config.json`, `model.safetensors`, `tokenizer.json`, `preprocessor_config.json`.
    HuggingFace,
    /// `open_clip_config.json` and its companions.
    OpenClip,
    /// `config.json`, `model.safetensors`, `tokenizer.json`; how texts are pooled and cut beside them.
    SentenceTransformers,
}

/// Family and shape of public weights; sides in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "family", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Architecture {
    /// CLIP with a vision transformer.
    ClipVit {
        /// Side of the picture that the model sees.
        image_size: u32,
        /// Side of one patch.
        patch_size: u32,
    },
    /// CLIP with a modified `ResNet`.
    ClipResnet {
        /// Side of the picture that the model sees.
        image_size: u32,
        /// Blocks of all stages together.
        blocks: usize,
    },
    /// A BERT that embeds texts.
    Bert,
}

impl ModelEntry {
    /// The dimension of a collection that names none.
    pub fn default_dimension(&self) -> u32 {
        self.dimensions[0]
    }
}

impl Catalogue {
    /// The catalogue that this binary carries.
    pub fn embedded() -> Self {
        let catalogue: Self =
            toml::from_str(SOURCE).expect("models/catalogue.toml is valid: a test reads it");
        assert!(
            catalogue
                .entries
                .iter()
                .all(|entry| !entry.dimensions.is_empty()),
            "every model has a dimension"
        );
        catalogue
    }

    /// All models, in the order of listing.
    pub fn entries(&self) -> &[ModelEntry] {
        &self.entries
    }

    /// The model of that exact name.
    pub fn find(&self, name: &str) -> Option<&ModelEntry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// Names of all models: what an error message offers.
    pub fn names(&self) -> Vec<String> {
        let names = self.entries.iter().map(|entry| entry.name.clone());
        names.collect()
    }

    /// Names of the models of one kind.
    pub fn names_of(&self, kind: ModelKind) -> Vec<String> {
        self.entries
            .iter()
            .filter(|entry| entry.kind == kind)
            .map(|entry| entry.name.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clip_family_has_the_contracts_dimensions() {
        let catalogue = Catalogue::embedded();
        let expected = [
            ("clip-vit-b-32", 512),
            ("clip-vit-b-16", 512),
            ("clip-vit-l-14", 768),
            ("clip-vit-l-14-336px", 768),
            ("clip-rn50", 1024),
            ("clip-rn101", 512),
            ("clip-rn50x4", 640),
            ("clip-rn50x16", 768),
            ("clip-rn50x64", 1024),
        ];
        for (name, dimension) in expected {
            let entry = catalogue.find(name).unwrap();
            assert_eq!(entry.dimensions, [dimension], "{name}");
            assert_eq!(entry.kind, ModelKind::Image);
            assert!(
                entry.repository.is_some()
                    && entry.licence.is_some()
                    && entry.architecture.is_some()
            );
        }
    }

    #[test]
    fn proprietary_models_have_their_dimensions_and_limits() {
        let catalogue = Catalogue::embedded();
        let v1 = catalogue.find("multimodal-embedding-v1").unwrap();
        assert_eq!(
            (v1.default_dimension(), v1.max_image_bytes),
            (1024, Some(3 << 20))
        );
        assert_eq!(
            catalogue
                .find("multimodal-embedding-one-peace-v1")
                .unwrap()
                .dimensions,
            [1536]
        );
        let qwen = catalogue.find("qwen3-vl-embedding").unwrap();
        assert_eq!(qwen.dimensions, [2560, 2048, 1536, 1024, 768, 512, 256]);
        assert_eq!(catalogue.names_of(ModelKind::Image).len(), 12);
    }

    #[test]
    fn text_models_have_the_contracts_dimensions() {
        let catalogue = Catalogue::embedded();
        let expected: [(&str, &[u32]); 7] = [
            ("text-embedding-v4", &[1024]),
            ("text-embedding-v3", &[1024, 768, 512]),
            ("text-embedding-v2", &[1536]),
            ("text-embedding-v1", &[1536]),
            ("text2vec", &[1024]),
            ("m3e-base", &[768]),
            ("m3e-small", &[512]),
        ];
        assert_eq!(
            catalogue.names_of(ModelKind::Text),
            expected.map(|(name, _)| name)
        );
        for name in ["text2vec", "m3e-base", "m3e-small"] {
            let entry = catalogue.find(name).unwrap();
            assert_eq!(entry.architecture, Some(Architecture::Bert));
            assert_eq!(entry.layout, Some(Layout::SentenceTransformers));
            assert!(entry.repository.is_some());
        }
        for (name, dimensions) in expected {
            assert_eq!(
                catalogue.find(name).unwrap().dimensions,
                dimensions,
                "{name}"
            );
        }
    }

    #[test]
    fn names_are_unique() {
        let catalogue = Catalogue::embedded();
        for entry in catalogue.entries() {
            assert_eq!(
                catalogue
                    .entries()
                    .iter()
                    .filter(|other| other.name == entry.name)
                    .count(),
                1,
                "{}",
                entry.name
            );
        }
    }
}
