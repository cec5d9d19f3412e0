//! `HybridSearch` and `HybridSearchArgs`, read and checked.
//!
//! Called by every operation that takes them, before anything is searched. What the fields mean is
//! in semantics.md, `QueryContent`; row 39 says that a mode turns full text on, row 41 the defaults.

use serde_json::{Map, Value};

use super::paths::{Path, PerPath};
use crate::error::EngineError;

const MODE: &str = "HybridSearch";
const ARGS: &str = "HybridSearchArgs";

/// `k` of RRF when absent.
const DEFAULT_RRF_K: u32 = 60;

/// What a request says of mixing vector and text, as it came.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HybridSearch {
    /// `HybridSearch`: empty, `RRF`, `Weight` or `Cascaded`.
    pub mode: String,
    /// `HybridSearchArgs`: `{"RRF":{"k":60}}` and the like.
    pub args: Map<String, Value>,
    /// `UseFullTextRetrieval`, or a text to look for where that alone asks for it.
    pub full_text: bool,
}

/// How the answers of several paths become one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fusion {
    /// By the best of a row's scores as they are.
    AsTheyAre,
    /// By the sum over the paths of 1 / (k + rank).
    ReciprocalRank { k: u32 },
    /// By the weighted sum of scores.
    Weighted(Weights),
    /// Full text first, then vectors within its hits.
    Cascaded,
}

/// What the scores of each path count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Weights {
    /// This for the vectors, the rest for the text.
    Alpha(f64),
    /// One for each path, of the sum 1.
    Each(PerPath<f64>),
    /// The same for all.
    Equal,
}

impl Weights {
    /// What each path counts when these are taken.
    pub(super) fn of(self, taken: PerPath<bool>) -> PerPath<f64> {
        match self {
            Self::Each(each) => each,
            Self::Alpha(alpha) => PerPath {
                dense: alpha,
                // Beside text it is the vector, beside a vector it is the other one.
                sparse: if taken.dense { 1.0 - alpha } else { alpha },
                full_text: 1.0 - alpha,
            },
            Self::Equal => {
                let paths: f64 = Path::ALL.iter().map(|path| count(taken[*path])).sum();
                PerPath::of(|path| count(taken[path]) / paths.max(1.0))
            }
        }
    }
}

fn count(is_taken: bool) -> f64 {
    f64::from(u8::from(is_taken))
}

/// What a request asks for, checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hybrid {
    pub(super) fusion: Fusion,
    /// The paths that were named; `None` is the default ones.
    pub(super) paths: Option<PerPath<bool>>,
}

impl HybridSearch {
    /// `None` when only the vector is asked for.
    pub(super) fn checked(&self) -> Result<Option<Hybrid>, EngineError> {
        for key in self.args.keys() {
            if !["RRF", "Weight", "Cascaded", "HybridPathsSetting"].contains(&key.as_str()) {
                return Err(EngineError::invalid(
                    ARGS,
                    format!(
                        "'{key}' is not a key; valid are RRF, Weight, Cascaded, \
                         HybridPathsSetting"
                    ),
                ));
            }
        }
        let fusion = match self.mode.trim() {
            "" => Fusion::AsTheyAre,
            "RRF" => Fusion::ReciprocalRank {
                k: rrf_k(&self.args)?,
            },
            "Weight" => Fusion::Weighted(weights(&self.args)?),
            "Cascaded" => Fusion::Cascaded,
            other => {
                return Err(EngineError::invalid(
                    MODE,
                    format!(
                        "'{other}' is not a way to mix results; valid are RRF, Weight, Cascaded, \
                         or nothing"
                    ),
                ));
            }
        };
        let paths = named_paths(&self.args)?;
        let is_asked_for = self.full_text || fusion != Fusion::AsTheyAre || paths.is_some();
        Ok(is_asked_for.then_some(Hybrid { fusion, paths }))
    }
}

impl Hybrid {
    /// Which paths a query takes, of those that it says something to look for by. Default paths
    /// without anything to look for are left out; a named one is refused with the reason.
    pub(super) fn paths(
        &self,
        defaults: PerPath<bool>,
        obstacles: PerPath<Option<&str>>,
    ) -> Result<PerPath<bool>, EngineError> {
        let wanted = self.paths.unwrap_or(defaults);
        for path in Path::ALL {
            if let Some(obstacle) = obstacles[path]
                && self.paths.is_some()
                && wanted[path]
            {
                return Err(EngineError::invalid(
                    ARGS,
                    format!(
                        "HybridPathsSetting.paths names {}, but {obstacle}",
                        name(path)
                    ),
                ));
            }
        }
        let paths = PerPath::of(|path| wanted[path] && obstacles[path].is_none());
        if self.fusion == Fusion::Cascaded {
            check_cascade(paths)?;
        }
        if let Fusion::Weighted(weights) = self.fusion {
            check_weights(weights, paths)?;
        }
        Ok(paths)
    }
}

impl Hybrid {
    /// How the answers of some paths become one; `None` where the vector alone is asked and its own
    /// scores are wanted.
    pub(super) fn fusion_of(&self, paths: PerPath<bool>) -> Option<Fusion> {
        let is_plain = self.fusion == Fusion::AsTheyAre && !paths.sparse && !paths.full_text;
        (!is_plain).then_some(self.fusion)
    }
}

/// The API's name of a path.
fn name(path: Path) -> &'static str {
    match path {
        Path::Dense => "dense",
        Path::Sparse => "sparse",
        Path::FullText => "fulltext",
    }
}

/// The two steps that a cascade has.
fn check_cascade(paths: PerPath<bool>) -> Result<(), EngineError> {
    if !paths.full_text {
        return Err(EngineError::invalid(
            MODE,
            "Cascaded begins with full text: Content is needed, and the path fulltext",
        ));
    }
    if paths.dense == paths.sparse {
        return Err(EngineError::invalid(
            MODE,
            "Cascaded goes on with one path, dense or sparse",
        ));
    }
    Ok(())
}

fn check_weights(weights: Weights, paths: PerPath<bool>) -> Result<(), EngineError> {
    match weights {
        Weights::Alpha(_) if paths.dense && paths.sparse && paths.full_text => {
            Err(EngineError::invalid(
                ARGS,
                "Weight.alpha weighs two paths; for three, give Weight.dense, Weight.sparse and \
                 Weight.fulltext",
            ))
        }
        Weights::Each(each)
            if !Path::ALL
                .iter()
                .any(|path| paths[*path] && each[*path] > 0.0) =>
        {
            Err(EngineError::invalid(
                ARGS,
                "Weight gives 0 to every path that is searched",
            ))
        }
        Weights::Alpha(_) | Weights::Each(_) | Weights::Equal => Ok(()),
    }
}

/// The object under a key of the arguments; empty when absent.
fn section<'a>(
    args: &'a Map<String, Value>,
    key: &str,
    known: &[&str],
) -> Result<Option<&'a Map<String, Value>>, EngineError> {
    let section = match args.get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(section)) => section,
        Some(_) => {
            return Err(EngineError::invalid(
                ARGS,
                format!("{key} must be an object"),
            ));
        }
    };
    if let Some(other) = section.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(EngineError::invalid(
            ARGS,
            format!(
                "'{other}' is not a key of {key}; valid are {}",
                known.join(", ")
            ),
        ));
    }
    Ok(Some(section))
}

fn rrf_k(args: &Map<String, Value>) -> Result<u32, EngineError> {
    let Some(value) = section(args, "RRF", &["k"])?.and_then(|rrf| rrf.get("k")) else {
        return Ok(DEFAULT_RRF_K);
    };
    let k = value.as_u64().and_then(|k| u32::try_from(k).ok());
    k.filter(|k| *k > 1).ok_or_else(|| {
        EngineError::invalid(
            ARGS,
            format!("RRF.k must be an integer above 1, not {value}"),
        )
    })
}

fn weights(args: &Map<String, Value>) -> Result<Weights, EngineError> {
    let known = ["alpha", "dense", "sparse", "fulltext"];
    let Some(weight) = section(args, "Weight", &known)?.filter(|weight| !weight.is_empty()) else {
        return Ok(Weights::Equal);
    };
    let number = |key: &str, (most, range): (f64, &str)| match weight.get(key) {
        None => Ok(None),
        Some(value) => value
            .as_f64()
            .filter(|number| (0.0..=most).contains(number))
            .map(Some)
            .ok_or_else(|| {
                EngineError::invalid(
                    ARGS,
                    format!("Weight.{key} must be a number {range}, not {value}"),
                )
            }),
    };
    if let Some(alpha) = number("alpha", (1.0, "from 0 to 1"))? {
        if weight.len() > 1 {
            return Err(EngineError::invalid(
                ARGS,
                "Weight has either alpha or dense, sparse and fulltext",
            ));
        }
        return Ok(Weights::Alpha(alpha));
    }
    let each = |key| Ok::<_, EngineError>(number(key, (f64::MAX, "of 0 or more"))?.unwrap_or(0.0));
    let (dense, sparse, full_text) = (each("dense")?, each("sparse")?, each("fulltext")?);
    let largest = dense.max(sparse).max(full_text);
    if largest <= 0.0 {
        return Err(EngineError::invalid(
            ARGS,
            "Weight.dense, Weight.sparse and Weight.fulltext are all 0",
        ));
    }
    // Divided first, so that the sum cannot leave the range.
    let sum = dense / largest + sparse / largest + full_text / largest;
    let share = |weight: f64| weight / largest / sum;
    Ok(Weights::Each(PerPath {
        dense: share(dense),
        sparse: share(sparse),
        full_text: share(full_text),
    }))
}

fn named_paths(args: &Map<String, Value>) -> Result<Option<PerPath<bool>>, EngineError> {
    let Some(setting) = section(args, "HybridPathsSetting", &["paths"])? else {
        return Ok(None);
    };
    let list = match setting.get("paths") {
        None => return Ok(None),
        Some(Value::String(list)) => list,
        Some(_) => {
            return Err(EngineError::invalid(
                ARGS,
                "HybridPathsSetting.paths must be a text such as \"dense,fulltext\"",
            ));
        }
    };
    let mut paths = PerPath::default();
    for given in list.split(',').map(str::trim) {
        let Some(path) = Path::ALL.into_iter().find(|path| name(*path) == given) else {
            return Err(EngineError::invalid(
                ARGS,
                format!(
                    "HybridPathsSetting.paths names '{given}'; valid are dense, sparse, fulltext"
                ),
            ));
        };
        paths[path] = true;
    }
    Ok(Some(paths))
}

#[cfg(test)]
mod tests;
