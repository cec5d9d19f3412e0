//! How many operations a tower needs, from its configuration: two for each product and sum in its matrix products and attentions.
//!
//! Counted is the least that gives the result: the last layer for one token only, which is what our towers do.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Tower;

/// Sizes of a transformer.
pub(super) struct Work {
    tokens: f64,
    hidden: f64,
    intermediate: f64,
    layers: f64,
    projection: f64,
    /// Tokens that come from products, and the inputs of each.
    patches: (f64, f64),
}

impl Work {
    /// `None` for what is no transformer in the Hugging Face layout.
    pub(super) fn of(folder: &Path, tower: Tower, tokens: u32) -> Result<Option<Self>> {
        let path = folder.join("config.json");
        if !path.exists() {
            return Ok(None);
        }
        let config: Value = serde_json::from_slice(&fs_err::read(&path)?)?;
        let part = match tower {
            Tower::Image => "vision_config",
            Tower::Text => "text_config",
        };
        let number = |value: &Value, name: &str| {
            let number = value[name].as_f64();
            number.with_context(|| format!("{} has no {name}", path.display()))
        };
        let sizes = &config[part];
        let (tokens, patches) = match tower {
            Tower::Image => {
                let patch = number(sizes, "patch_size")?;
                let patches = (number(sizes, "image_size")? / patch).floor().powi(2);
                (patches + 1.0, (patches, 3.0 * patch * patch))
            }
            Tower::Text => (f64::from(tokens), (0.0, 0.0)),
        };
        Ok(Some(Self {
            tokens,
            hidden: number(sizes, "hidden_size")?,
            intermediate: number(sizes, "intermediate_size")?,
            layers: number(sizes, "num_hidden_layers")?,
            projection: number(&config, "projection_dim")?,
            patches,
        }))
    }

    pub(super) fn operations(&self) -> f64 {
        let Self {
            tokens,
            hidden,
            intermediate,
            layers,
            projection,
            patches,
        } = *self;
        // query, key, value and out; both layers behind; queries by keys and weights by values
        let whole = tokens * (8.0 * hidden * hidden + 4.0 * hidden * intermediate)
            + 4.0 * tokens * tokens * hidden;
        let last = tokens * 4.0 * hidden * hidden
            + 4.0 * hidden * hidden
            + 4.0 * hidden * intermediate
            + 4.0 * tokens * hidden;
        2.0 * patches.0 * patches.1 * hidden
            + (layers - 1.0) * whole
            + last
            + 2.0 * hidden * projection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures of a count by hand of `ViT-B/32`.
    #[test]
    fn work_is_counted_as_by_hand() {
        let image = Work {
            tokens: 50.0,
            hidden: 768.0,
            intermediate: 3072.0,
            layers: 12.0,
            projection: 512.0,
            patches: (49.0, 3072.0),
        };
        assert!((image.operations() / 1e9 - 8.2321).abs() < 1e-4);
        let text = Work {
            tokens: 77.0,
            hidden: 512.0,
            intermediate: 2048.0,
            layers: 12.0,
            projection: 512.0,
            patches: (0.0, 0.0),
        };
        assert!((text.operations() / 1e9 - 5.5491).abs() < 1e-4);
    }
}
