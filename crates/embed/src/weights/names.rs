//! What a tensor that transformers calls one name is called, and how it lies, in a file of `open_clip`.
//!
//! The names are those of `CLIPModel` (transformers, `modeling_clip.py`) and of `CLIP` and `CustomTextCLIP` (`open_clip`,
//! `model.py`, `transformer.py`). `open_clip` keeps query, key and value in one matrix, and stores the two projections the
//! other way round.

use std::ops::Range;

/// Whose names a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// `transformers`: names are taken as they are.
    HuggingFace,
    /// `open_clip`, with what stands before the names of the text tower: nothing, or `text.` in a `CustomTextCLIP`.
    OpenClip {
        /// See above.
        text_prefix: &'static str,
    },
}

/// Where a tensor is found in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) name: String,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The tensor itself.
    Whole,
    /// A matrix, with rows and columns exchanged.
    Transposed,
    /// The first, second or last third of the rows.
    Third(usize),
}

impl Naming {
    /// The names that `open_clip` gives, the usual ones first.
    pub(crate) const OPEN_CLIP: [Self; 2] = [
        Self::OpenClip { text_prefix: "" },
        Self::OpenClip {
            text_prefix: "text.",
        },
    ];

    pub(super) fn stored(self, name: &str) -> Stored {
        let whole = |name: String| Stored {
            name,
            place: Place::Whole,
        };
        let Self::OpenClip { text_prefix } = self else {
            return whole(name.to_owned());
        };
        let transposed = |name: String| Stored {
            name,
            place: Place::Transposed,
        };
        let text = |name: &str| format!("{text_prefix}{name}");
        match name {
            "visual_projection.weight" => return transposed("visual.proj".to_owned()),
            "text_projection.weight" => return transposed(text("text_projection")),
            "vision_model.embeddings.class_embedding" => {
                return whole("visual.class_embedding".to_owned());
            }
            "vision_model.embeddings.patch_embedding.weight" => {
                return whole("visual.conv1.weight".to_owned());
            }
            "vision_model.embeddings.position_embedding.weight" => {
                return whole("visual.positional_embedding".to_owned());
            }
            "text_model.embeddings.token_embedding.weight" => {
                return whole(text("token_embedding.weight"));
            }
            "text_model.embeddings.position_embedding.weight" => {
                return whole(text("positional_embedding"));
            }
            _ => {}
        }
        let (tower, rest) = if let Some(rest) = name.strip_prefix("vision_model.") {
            ("visual.", rest)
        } else if let Some(rest) = name.strip_prefix("text_model.") {
            (text_prefix, rest)
        } else {
            // The image tower of a ResNet has no counterpart in transformers: its names are `open_clip`'s already.
            return whole(name.to_owned());
        };
        let Some((layer, part)) = rest
            .strip_prefix("encoder.layers.")
            .and_then(|rest| rest.split_once('.'))
        else {
            return whole(format!("{tower}{}", outer_part(rest)));
        };
        let layer = format!("{tower}transformer.resblocks.{layer}");
        for (i, projection) in ["q_proj.", "k_proj.", "v_proj."].into_iter().enumerate() {
            if let Some(kind) = part
                .strip_prefix("self_attn.")
                .and_then(|part| part.strip_prefix(projection))
            {
                return Stored {
                    name: format!("{layer}.attn.in_proj_{kind}"),
                    place: Place::Third(i),
                };
            }
        }
        whole(format!("{layer}.{}", layer_part(part)))
    }
}

/// Norms around the layers; the first is misspelt in transformers, and so in every checkpoint.
fn outer_part(rest: &str) -> String {
    rest.replace("pre_layrnorm", "ln_pre")
        .replace("post_layernorm", "ln_post")
        .replace("final_layer_norm", "ln_final")
}

fn layer_part(part: &str) -> String {
    part.replace("self_attn.", "attn.")
        .replace("layer_norm1", "ln_1")
        .replace("layer_norm2", "ln_2")
        .replace("mlp.fc1", "mlp.c_fc")
        .replace("mlp.fc2", "mlp.c_proj")
}

impl Stored {
    /// The shape that the file has to give for a tensor of `wanted`.
    pub(super) fn shape(&self, wanted: &[usize]) -> Vec<usize> {
        let mut shape = wanted.to_vec();
        match self.place {
            Place::Whole => {}
            Place::Transposed => shape.reverse(),
            Place::Third(_) => shape[0] *= 3,
        }
        shape
    }

    /// The rows of the stored tensor that hold the wanted one.
    pub(super) fn rows(&self, wanted: &[usize]) -> Range<usize> {
        let rows = wanted.first().copied().unwrap_or(1);
        match self.place {
            Place::Whole => 0..rows,
            Place::Transposed => 0..wanted[1],
            Place::Third(third) => third * rows..(third + 1) * rows,
        }
    }

    /// Brings what was read into the order that was asked for.
    pub(super) fn arrange(&self, values: Vec<f32>, wanted: &[usize]) -> Vec<f32> {
        if self.place != Place::Transposed {
            return values;
        }
        let (rows, columns) = (wanted[0], wanted[1]);
        (0..rows)
            .flat_map(|row| (0..columns).map(move |column| (row, column)))
            .map(|(row, column)| values[column * rows + row])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Naming = Naming::OpenClip { text_prefix: "" };

    #[test]
    fn names_of_both_towers_are_found() {
        let custom = Naming::OpenClip {
            text_prefix: "text.",
        };
        for (naming, asked, expected) in [
            (
                PLAIN,
                "vision_model.pre_layrnorm.weight",
                "visual.ln_pre.weight",
            ),
            (
                PLAIN,
                "vision_model.post_layernorm.bias",
                "visual.ln_post.bias",
            ),
            (PLAIN, "text_model.final_layer_norm.bias", "ln_final.bias"),
            (
                PLAIN,
                "vision_model.encoder.layers.11.mlp.fc2.weight",
                "visual.transformer.resblocks.11.mlp.c_proj.weight",
            ),
            (
                PLAIN,
                "text_model.encoder.layers.0.self_attn.out_proj.bias",
                "transformer.resblocks.0.attn.out_proj.bias",
            ),
            (
                custom,
                "text_model.encoder.layers.0.layer_norm2.bias",
                "text.transformer.resblocks.0.ln_2.bias",
            ),
            (
                custom,
                "text_model.embeddings.token_embedding.weight",
                "text.token_embedding.weight",
            ),
            (
                custom,
                "visual.layer1.0.conv1.weight",
                "visual.layer1.0.conv1.weight",
            ),
            (
                Naming::HuggingFace,
                "text_projection.weight",
                "text_projection.weight",
            ),
        ] {
            assert_eq!(naming.stored(asked).name, expected);
        }
    }

    #[test]
    fn query_key_and_value_are_thirds_of_one_matrix() {
        let stored = PLAIN.stored("text_model.encoder.layers.3.self_attn.v_proj.weight");
        assert_eq!(stored.name, "transformer.resblocks.3.attn.in_proj_weight");
        assert_eq!(stored.shape(&[4, 5]), [12, 5]);
        assert_eq!(stored.rows(&[4, 5]), 8..12);
        let bias = PLAIN.stored("text_model.encoder.layers.3.self_attn.k_proj.bias");
        assert_eq!((bias.shape(&[4]), bias.rows(&[4])), (vec![12], 4..8));
    }

    #[test]
    fn projections_are_stored_the_other_way_round() {
        let stored = PLAIN.stored("visual_projection.weight");
        assert_eq!(stored.shape(&[2, 3]), [3, 2]);
        let read = vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0];
        assert_eq!(
            stored.arrange(read, &[2, 3]),
            [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
        );
    }
}
