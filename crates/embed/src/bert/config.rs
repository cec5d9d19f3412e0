//! What a folder says of its BERT: `config.json` as transformers reads it, and the companions of sentence-transformers.
//!
//! What this release cannot do is refused with the file and the field's name.

use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::LoadError;

pub(super) const CONFIG: &str = "config.json";
pub(super) const POOLING: &str = "1_Pooling/config.json";
pub(super) const LENGTH: &str = "sentence_bert_config.json";
const MODULES: &str = "modules.json";

/// `config.json`; defaults of `BertConfig`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Config {
    pub(super) model_type: String,
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) num_attention_heads: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) max_position_embeddings: usize,
    pub(super) vocab_size: usize,
    pub(super) type_vocab_size: usize,
    pub(super) layer_norm_eps: f64,
    pub(super) pad_token_id: usize,
    hidden_act: String,
    position_embedding_type: String,
    is_decoder: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            model_type: String::new(),
            hidden_size: 768,
            intermediate_size: 3072,
            num_attention_heads: 12,
            num_hidden_layers: 12,
            max_position_embeddings: 512,
            vocab_size: 30_522,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            pad_token_id: 0,
            hidden_act: "gelu".to_owned(),
            position_embedding_type: "absolute".to_owned(),
            is_decoder: false,
        }
    }
}

/// How the vectors of a text's tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    /// Their mean.
    Mean,
    /// The first token's.
    First,
}

/// Whether a `config.json` names a model that this module can run.
pub(crate) fn is_bert(folder: &Path) -> bool {
    #[derive(Deserialize)]
    struct Kind {
        model_type: Option<String>,
    }
    let kind = fs::read(folder.join(CONFIG))
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Kind>(&bytes).ok());
    kind.and_then(|kind| kind.model_type)
        .is_some_and(|kind| FAMILIES.contains(&kind.as_str()))
}

const FAMILIES: [&str; 3] = ["bert", "roberta", "xlm-roberta"];

impl Config {
    /// # Errors
    /// [`LoadError`] naming the file, and the field that this release cannot honour.
    pub(super) fn read(folder: &Path) -> Result<Self, LoadError> {
        let path = folder.join(CONFIG);
        let config: Self = read_json(&path)?;
        let refuse = |detail: String| Err(LoadError::unsupported(&path, detail));
        if !FAMILIES.contains(&config.model_type.as_str()) {
            return refuse(format!(
                "its model_type is {:?}; expected one of {}",
                config.model_type,
                FAMILIES.join(", ")
            ));
        }
        if config.hidden_act != "gelu" {
            return refuse(format!(
                "hidden_act is {:?}; expected gelu",
                config.hidden_act
            ));
        }
        if config.position_embedding_type != "absolute" {
            return refuse(format!(
                "position_embedding_type is {:?}; expected absolute",
                config.position_embedding_type
            ));
        }
        if config.is_decoder {
            return refuse("it is a decoder (is_decoder)".to_owned());
        }
        let sizes = [
            ("hidden_size", config.hidden_size),
            ("intermediate_size", config.intermediate_size),
            ("num_attention_heads", config.num_attention_heads),
            ("num_hidden_layers", config.num_hidden_layers),
            ("vocab_size", config.vocab_size),
            ("type_vocab_size", config.type_vocab_size),
        ];
        if let Some((name, _)) = sizes.into_iter().find(|(_, size)| *size == 0) {
            return refuse(format!("{name} is 0"));
        }
        if !config
            .hidden_size
            .is_multiple_of(config.num_attention_heads)
        {
            return refuse(format!(
                "hidden_size {} is no multiple of num_attention_heads {}",
                config.hidden_size, config.num_attention_heads
            ));
        }
        if config.max_position_embeddings <= config.first_position() + 2 {
            return refuse(format!(
                "max_position_embeddings is {}, which leaves no room for a text",
                config.max_position_embeddings
            ));
        }
        Ok(config)
    }

    /// The row of the position table that a text's first token gets: `RoBERTa` counts on from its padding token.
    pub(super) fn first_position(&self) -> usize {
        if self.model_type == "bert" {
            0
        } else {
            self.pad_token_id + 1
        }
    }

    /// The length of its vectors.
    pub(super) fn dimension(&self, folder: &Path) -> Result<u32, LoadError> {
        u32::try_from(self.hidden_size)
            .map_err(|_| LoadError::unsupported(folder.join(CONFIG), "hidden_size is out of range"))
    }

    /// Tokens of the longest text that the model can read.
    pub(super) fn longest(&self) -> usize {
        self.max_position_embeddings - self.first_position()
    }
}

/// Pooling as `1_Pooling/config.json` says; the mean without one, as sentence-transformers does.
///
/// # Errors
/// [`LoadError`] for other ways of pooling, and for modules behind it.
pub(super) fn read_pooling(folder: &Path) -> Result<Pooling, LoadError> {
    check_modules(&folder.join(MODULES))?;
    let path = folder.join(POOLING);
    if !path.exists() {
        return Ok(Pooling::Mean);
    }
    let pooling: Value = read_json(&path)?;
    let Some(fields) = pooling.as_object() else {
        return Err(LoadError::damaged(&path, "it is no JSON object"));
    };
    let modes: Vec<&str> = fields
        .iter()
        .filter(|(name, value)| name.starts_with("pooling_mode_") && **value == Value::Bool(true))
        .map(|(name, _)| name.as_str())
        .collect();
    match modes[..] {
        ["pooling_mode_mean_tokens"] | [] => Ok(Pooling::Mean),
        ["pooling_mode_cls_token"] => Ok(Pooling::First),
        _ => Err(LoadError::unsupported(
            &path,
            format!(
                "it asks for {}; expected pooling_mode_mean_tokens or pooling_mode_cls_token",
                modes.join(" and ")
            ),
        )),
    }
}

/// Refuses what comes behind the pooling, but for normalising, which is done to all vectors.
fn check_modules(path: &Path) -> Result<(), LoadError> {
    #[derive(Deserialize)]
    struct Module {
        #[serde(rename = "type")]
        kind: String,
    }
    if !path.exists() {
        return Ok(());
    }
    let modules: Vec<Module> = read_json(path)?;
    let known = ["Transformer", "Pooling", "Normalize"];
    let foreign = modules.iter().find(|module| {
        let name = module.kind.rsplit('.').next().unwrap_or_default();
        !known.contains(&name)
    });
    match foreign {
        None => Ok(()),
        Some(module) => Err(LoadError::unsupported(
            path,
            format!(
                "it has a module {}; expected {}",
                module.kind,
                known.join(", ")
            ),
        )),
    }
}

/// Where sentence-transformers cuts a text, in tokens, if the folder says so.
///
/// # Errors
/// [`LoadError`] for a file that is damaged.
pub(super) fn read_length(folder: &Path) -> Result<Option<usize>, LoadError> {
    #[derive(Deserialize)]
    struct Length {
        max_seq_length: Option<usize>,
    }
    let path = folder.join(LENGTH);
    if !path.exists() {
        return Ok(None);
    }
    let length: Length = read_json(&path)?;
    match length.max_seq_length {
        Some(length) if length < 3 => Err(LoadError::unsupported(
            &path,
            format!("max_seq_length is {length}, which leaves no room for a text"),
        )),
        other => Ok(other),
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, LoadError> {
    let bytes = fs::read(path).map_err(|source| unreadable(path, source))?;
    serde_json::from_slice(&bytes).map_err(|error| LoadError::damaged(path, error.to_string()))
}

pub(super) fn unreadable(path: impl Into<PathBuf>, source: std::io::Error) -> LoadError {
    LoadError::UnreadableText {
        path: path.into(),
        source,
    }
}
