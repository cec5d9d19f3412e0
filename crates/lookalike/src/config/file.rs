//! `lookalike.toml`: the same settings as the flags of `serve`, under the flags' names.
//!
//! The file's values become the command line's defaults, so that one parser checks a value wherever it comes
//! from and "flag beats environment beats file" needs no code of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Command;

/// The file that is read without being asked for.
pub const DEFAULT_FILE: &str = "lookalike.toml";

/// A settings file that was read: texts by flag name, a list for flags that may be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    path: PathBuf,
    values: BTreeMap<String, Vec<String>>,
}

/// Why a settings file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    #[error("cannot read the settings file: {0}")]
    Read(#[from] std::io::Error),
    #[error("{path}: {source}")]
    Syntax {
        path: PathBuf,
        source: Box<toml::de::Error>,
    },
    #[error("{path}: unknown setting `{key}`; the settings are: {known}")]
    UnknownKey {
        path: PathBuf,
        key: String,
        known: String,
    },
    #[error("{path}: `{key}` must be a text, a number, true, false or a list of those")]
    WrongType { path: PathBuf, key: String },
    #[error("{path}: {reason}")]
    Value { path: PathBuf, reason: String },
    #[error("{path}: `{key}` takes one value, not a list")]
    NotAList { path: PathBuf, key: String },
}

impl ConfigFile {
    /// Reads the file that was asked for, or [`DEFAULT_FILE`] of the current folder if it exists.
    pub fn find(asked_for: Option<&Path>) -> Result<Option<Self>, ConfigFileError> {
        let path = match asked_for {
            Some(path) => path,
            None if Path::new(DEFAULT_FILE).is_file() => Path::new(DEFAULT_FILE),
            None => return Ok(None),
        };
        Self::parse(path, &fs_err::read_to_string(path)?).map(Some)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigFileError> {
        let table: toml::Table =
            toml::from_str(text).map_err(|source| ConfigFileError::Syntax {
                path: path.to_owned(),
                source: Box::new(source),
            })?;
        let mut values = BTreeMap::new();
        for (key, value) in table {
            let texts = texts(&value).ok_or_else(|| ConfigFileError::WrongType {
                path: path.to_owned(),
                key: key.clone(),
            })?;
            // Both ways of writing a name of several words are usual in TOML.
            values.insert(key.replace('_', "-"), texts);
        }
        Ok(Self {
            path: path.to_owned(),
            values,
        })
    }

    /// Where the settings came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the file's values the defaults of every subcommand that has a flag of that name. `serve` has
    /// them all: what it does not know is an error.
    pub fn apply_to(&self, command: Command) -> Result<Command, ConfigFileError> {
        let serve = command
            .find_subcommand("serve")
            .expect("`serve` is a subcommand");
        let known: Vec<&str> = serve
            .get_arguments()
            .filter(|arg| is_setting(arg))
            .filter_map(clap::Arg::get_long)
            .collect();
        if let Some(key) = self
            .values
            .keys()
            .find(|key| !known.contains(&key.as_str()))
        {
            return Err(ConfigFileError::UnknownKey {
                path: self.path.clone(),
                key: key.clone(),
                known: known.join(", "),
            });
        }
        for arg in serve.get_arguments() {
            let given = arg
                .get_long()
                .and_then(|long| self.values.get_key_value(long));
            if let Some((key, texts)) = given
                && texts.len() != 1
                && !matches!(arg.get_action(), clap::ArgAction::Append)
            {
                return Err(ConfigFileError::NotAList {
                    path: self.path.clone(),
                    key: key.clone(),
                });
            }
        }
        Ok(command.mut_subcommands(|subcommand| {
            subcommand.mut_args(
                |arg| match arg.get_long().and_then(|long| self.values.get(long)) {
                    Some(texts) if is_setting(&arg) => arg.default_values(texts.clone()),
                    Some(_) | None => arg,
                },
            )
        }))
    }
}

/// Whether a flag may stand in the file: everything but `--config` itself and `--help`.
fn is_setting(arg: &clap::Arg) -> bool {
    !matches!(arg.get_id().as_str(), "config" | "help" | "version")
}

fn texts(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::Array(items) => items.iter().map(text).collect(),
        toml::Value::String(_)
        | toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_)
        | toml::Value::Table(_) => text(value).map(|text| vec![text]),
    }
}

fn text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Float(_)
        | toml::Value::Datetime(_)
        | toml::Value::Array(_)
        | toml::Value::Table(_) => None,
    }
}
