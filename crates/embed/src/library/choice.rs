//! Which files of a repository are fetched: one layout, one file of weights.

use thiserror::Error;

/// Files of each layout beside the weights, and the weights by preference.
const HUGGING_FACE: Wish = Wish {
    others: &["config.json", "tokenizer.json", "preprocessor_config.json"],
    optional: &[],
    weights: ["model.safetensors", "pytorch_model.bin"],
};
const OPEN_CLIP: Wish = Wish {
    others: &["open_clip_config.json", "tokenizer.json"],
    optional: &[],
    weights: ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"],
};
/// The last to be looked for: a CLIP has these files, too.
const TEXT: Wish = Wish {
    others: &["config.json", "tokenizer.json"],
    optional: &[
        "modules.json",
        "sentence_bert_config.json",
        "1_Pooling/config.json",
    ],
    weights: ["model.safetensors", "pytorch_model.bin"],
};

struct Wish {
    others: &'static [&'static str],
    /// What matters where it is there.
    optional: &'static [&'static str],
    weights: [&'static str; 2],
}

/// A repository that has no layout whole.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "it has neither the files of a CLIP in the Hugging Face layout ({HF}) or in open_clip's ({OC}), nor those of a text model ({T}); found {}",
    if found.is_empty() { "nothing".to_owned() } else { found.join(", ") },
    HF = listed(&HUGGING_FACE),
    OC = listed(&OPEN_CLIP),
    T = listed(&TEXT)
)]
pub struct FileChoiceError {
    /// Some of what it has.
    pub found: Vec<String>,
}

fn listed(wish: &Wish) -> String {
    format!(
        "{}, {} or {}",
        wish.others.join(", "),
        wish.weights[0],
        wish.weights[1]
    )
}

/// The files to fetch, the weights last: small ones that are wrong are then noticed first.
pub(super) fn choose(present: &[String]) -> Result<Vec<String>, FileChoiceError> {
    let has = |name: &str| present.iter().any(|file| file == name);
    for wish in [HUGGING_FACE, OPEN_CLIP, TEXT] {
        let weights = wish.weights.into_iter().find(|name| has(name));
        if let Some(weights) = weights
            && wish.others.iter().all(|name| has(name))
        {
            let optional = wish.optional.iter().filter(|name| has(name));
            let names = (wish.others.iter().chain(optional).copied()).chain([weights]);
            return Ok(names.map(str::to_owned).collect());
        }
    }
    Err(FileChoiceError {
        found: present.iter().take(8).cloned().collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(present: &[&str]) -> Result<Vec<String>, FileChoiceError> {
        let present: Vec<String> = present.iter().map(|name| (*name).to_owned()).collect();
        choose(&present)
    }

    #[test]
    fn whole_layout_is_chosen_with_the_safer_weights() {
        let both = [
            "README.md",
            "config.json",
            "model.safetensors",
            "open_clip_config.json",
            "open_clip_pytorch_model.bin",
            "preprocessor_config.json",
            "pytorch_model.bin",
            "tokenizer.json",
        ];
        assert_eq!(
            chosen(&both).unwrap(),
            [
                "config.json",
                "tokenizer.json",
                "preprocessor_config.json",
                "model.safetensors"
            ]
        );
        // A repository of timm: its config.json and model.safetensors are of the image tower alone.
        let timm = [
            "config.json",
            "model.safetensors",
            "open_clip_config.json",
            "open_clip_model.safetensors",
            "tokenizer.json",
        ];
        assert_eq!(
            chosen(&timm).unwrap(),
            [
                "open_clip_config.json",
                "tokenizer.json",
                "open_clip_model.safetensors"
            ]
        );
    }

    #[test]
    fn text_model_comes_with_what_says_how_it_is_pooled() {
        let sentence_transformer = [
            "1_Pooling/config.json",
            "README.md",
            "config.json",
            "model.safetensors",
            "modules.json",
            "onnx/model.onnx",
            "pytorch_model.bin",
            "sentence_bert_config.json",
            "tokenizer.json",
            "vocab.txt",
        ];
        assert_eq!(
            chosen(&sentence_transformer).unwrap(),
            [
                "config.json",
                "tokenizer.json",
                "modules.json",
                "sentence_bert_config.json",
                "1_Pooling/config.json",
                "model.safetensors"
            ]
        );
        let plain = ["config.json", "pytorch_model.bin", "tokenizer.json"];
        assert_eq!(
            chosen(&plain).unwrap(),
            ["config.json", "tokenizer.json", "pytorch_model.bin"]
        );
    }

    #[test]
    fn repository_of_something_else_is_refused_with_what_was_expected() {
        let text = chosen(&["config.json", "model.gguf"])
            .unwrap_err()
            .to_string();
        for part in ["open_clip_config.json", "pytorch_model.bin", "model.gguf"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
