//! Everything that can be configured, in one documented struct.
//!
//! [`Settings`] is at once the flags of `lookalike serve`, the environment variables and the keys of
//! `lookalike.toml`: a flag beats the environment, the environment beats the file, the file beats the
//! default. The command line reads it (`cli`), `serve` turns it into running parts, and `docs/config.md` is
//! generated from it (`crate::reference`). No other module reads the environment.

mod access_key;
mod account;
mod byte_size;
mod compute;
pub mod data_location;
mod engine;
mod file;
pub mod hub;
mod limits;
mod model_path;
pub mod model_place;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, FromArgMatches, ValueEnum};
use lookalike_embed::library::ModelLibrary;
use lookalike_engine::DataLocation;
use url::Url;

pub use access_key::{AccessKey, AccessKeyError};
pub use account::{Account, AccountError};
pub use byte_size::{ByteSize, ByteSizeError};
pub use compute::{Compute, PrecisionError};
pub use file::{ConfigFile, ConfigFileError, DEFAULT_FILE};
pub use limits::Limits;
pub use model_path::{ModelPath, ModelPathError};
pub use model_place::ModelPlace;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One readable line an event
    Human,
    /// One JSON object an event
    Json,
}

/// How hard the server tries to survive a power cut. A killed process loses nothing with any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    /// What was acknowledged survives
    Full,
    /// The database stays whole, the last changes may be lost
    Normal,
    /// No forced writes: fastest, for data that can be made again
    Off,
}

/// The settings of `lookalike serve`.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each switch is a flag of its own; none excludes another"
)]
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Address and port to listen on, for HTTP and HTTPS alike; port 0 takes a free one. Any other address than a loopback one needs an
    /// --access-key (or --allow-unsigned)
    #[arg(
        long,
        env = "LOOKALIKE_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8443"
    )]
    pub listen: SocketAddr,

    /// Folder for everything that is kept: database, uploaded originals, certificate authority. `:memory:`
    /// keeps nothing. Without this setting it is `lookalike` in the user's own data folder (`$XDG_DATA_HOME`,
    /// else ~/.local/share)
    #[arg(long, env = "LOOKALIKE_DATA", value_name = "DIR|:memory:", value_parser = data_location::parse)]
    pub data: Option<DataLocation>,

    /// Address under which clients reach this server, such as `https://lookalike.example:8443`, for the URLs
    /// that it hands out. Without it they follow the Host of each request
    #[arg(long, env = "LOOKALIKE_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<Url>,

    /// An access key that may sign requests; give it once for each key. ID:SECRET:TOKEN is a temporary key
    /// with its STS token. Without any, on a loopback address, the pair lookalike:lookalike works
    #[arg(
        long = "access-key",
        env = "LOOKALIKE_ACCESS_KEY",
        value_name = "ID:SECRET[:TOKEN]",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub access_keys: Vec<AccessKey>,

    /// A token that is accepted as bearer credential; give it once for each token
    #[arg(
        long = "bearer-token",
        env = "LOOKALIKE_BEARER_TOKEN",
        value_name = "TOKEN",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub bearer_tokens: Vec<String>,

    /// Answer requests that carry no signature, or one that is wrong. For experiments: everyone who reaches
    /// the port has full access
    #[arg(long, env = "LOOKALIKE_ALLOW_UNSIGNED", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub allow_unsigned: bool,

    /// Fetch a `FileUrl` from private, loopback and link-local addresses as well
    #[arg(long, env = "LOOKALIKE_ALLOW_PRIVATE_URLS", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub allow_private_urls: bool,

    /// Know this instance id (gp-…) and refuse others; give it once for each. Without any, every id is
    /// accepted
    #[arg(
        long = "instance",
        env = "LOOKALIKE_INSTANCE",
        value_name = "ID",
        value_delimiter = ','
    )]
    pub instances: Vec<String>,

    /// Folder of the models that `lookalike models pull` fetched, which serve their names without any flag; without this
    /// setting `models` in the data folder, and with `--data :memory:` that of the user's own data folder
    #[arg(long, env = "LOOKALIKE_MODELS_FOLDER", value_name = "DIR")]
    pub models_folder: Option<PathBuf>,

    /// Serve the model NAME from the folder PATH (Hugging Face or `open_clip` layout) in place of pulled weights or the
    /// built-in stand-in; give it once for each
    #[arg(
        long = "model",
        env = "LOOKALIKE_MODEL",
        value_name = "NAME=PATH",
        value_delimiter = ','
    )]
    pub models: Vec<ModelPath>,

    /// A manager account that is good on every instance; give it once for each. Without any, an instance's
    /// manager is the account that first initialised it
    #[arg(
        long = "manager",
        env = "LOOKALIKE_MANAGER",
        value_name = "ACCOUNT:PASSWORD",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub managers: Vec<Account>,

    /// Keep the good images of an archive in which others are bad; the job still ends Failed and names the
    /// bad ones
    #[arg(long, env = "LOOKALIKE_KEEP_GOOD_MEMBERS", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub keep_good_members: bool,

    /// Take images of any size for every model; without this, those above a model's own limit (3 MB for
    /// multimodal-embedding-v1) are refused as the cloud does
    #[arg(long, env = "LOOKALIKE_IGNORE_MODEL_IMAGE_BYTES", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub ignore_model_image_bytes: bool,

    /// Decode large photos in full before they are resized. Without this, JPEGs that are twelve times too large or more
    /// are decoded at a smaller size: faster, and two levels of 255 apart at most
    #[arg(long, env = "LOOKALIKE_EXACT_PHOTOS", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub exact_photos: bool,

    /// Survival of a power cut: `full` keeps what was acknowledged, `normal` keeps the database whole, `off`
    /// forces nothing to the disk. A killed process loses nothing with any of them
    #[arg(
        long,
        env = "LOOKALIKE_DURABILITY",
        value_name = "LEVEL",
        default_value = "full"
    )]
    pub durability: Durability,

    /// Upload jobs at work at the same time; those of one collection end one after the other
    #[arg(long, env = "LOOKALIKE_JOB_WORKERS", value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub job_workers: u32,

    /// Threads for decoding and encoding; 0 takes one for each core
    #[arg(long, env = "LOOKALIKE_THREADS", value_name = "N", default_value_t = 0)]
    pub threads: usize,

    /// How CLIP computes.
    #[command(flatten)]
    pub compute: Compute,

    /// How log lines are written, to standard error
    #[arg(
        long,
        env = "LOOKALIKE_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "human"
    )]
    pub log_format: LogFormat,

    /// What is logged: a level (error, warn, info, debug, trace) or directives such as
    /// `info,lookalike_engine=debug`
    #[arg(
        long,
        env = "LOOKALIKE_LOG",
        value_name = "FILTER",
        default_value = "info"
    )]
    pub log: String,

    /// The limits, each of which stops one way of using up the machine.
    #[command(flatten)]
    pub limits: Limits,
}

impl Settings {
    /// The settings that `serve` would have with these flags.
    pub fn from_flags<'a>(flags: impl IntoIterator<Item = &'a str>) -> Result<Self, clap::Error> {
        let command = Self::augment_args(clap::Command::new("serve").no_binary_name(true));
        Self::from_arg_matches(&command.try_get_matches_from(flags)?)
    }

    /// The data location in use: the setting, else the user's own data folder.
    pub fn data_location(&self) -> DataLocation {
        self.data
            .clone()
            .unwrap_or_else(data_location::default_for_user)
    }

    /// The models that were pulled.
    pub fn library(&self) -> ModelLibrary {
        model_place::library(self.models_folder.as_ref(), self.data.as_ref())
    }
}

/// The value of `--config`, shared by every command that has settings.
#[derive(Debug, Clone, Args)]
pub struct ConfigPath {
    /// Settings file; without this, `lookalike.toml` in the current folder is read if there is one
    #[arg(long, global = true, env = "LOOKALIKE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}
