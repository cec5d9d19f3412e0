//! The files of `models/builtin`, which are part of the binary, and how to take numbers out of them.
//!
//! Nothing here can fail at run time: the bytes are fixed when the program is built and tests load all of them.

use safetensors::SafeTensors;
use serde::Deserialize;

use crate::weights::widen;

pub(super) const MODEL: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../models/builtin/model.safetensors"
));
pub(super) const TOKENIZER: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../models/builtin/tokenizer.json"
));
pub(super) const CONFIG: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../models/builtin/config.json"
));

const WHOLE: &str = "the embedded model is whole: a test loads it";

/// What `config.json` says of the network; fields that only describe are left out.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    pub(super) embed_dim: u32,
    pub(super) semantic_dim: usize,
    pub(super) visual_dim: usize,
    pub(super) color_dim: usize,
    /// Squared length of the visual block in an image vector.
    pub(super) share_visual: f32,
    /// Squared length of the colour block in an image vector.
    pub(super) share_color: f32,
    /// Side in pixels of the picture that the network sees.
    pub(super) image_size: u32,
    pub(super) mean: [f32; 3],
    pub(super) std: [f32; 3],
    /// Kernel side, stride, expansion factor, channels in, channels out.
    pub(super) blocks: Vec<[usize; 5]>,
    /// Softness of the assignment of a cell to colour prototypes.
    pub(super) color_tau: f32,
    /// Length of the colour block in a text vector, before the whole is normalised.
    pub(super) text_color_weight: f32,
    /// Weight of a colour word's meaning beside the other words'.
    pub(super) text_color_word_semantics: f32,
}

/// The embedded weights, opened.
pub(super) struct Assets {
    tensors: SafeTensors<'static>,
    pub(super) config: Config,
}

impl Assets {
    pub(super) fn open() -> Self {
        Self {
            tensors: SafeTensors::deserialize(MODEL).expect(WHOLE),
            config: serde_json::from_slice(CONFIG).expect(WHOLE),
        }
    }

    /// A tensor as f32 in row-major order; `length` guards against a mix-up of names.
    pub(super) fn floats(&self, name: &str, length: usize) -> Vec<f32> {
        let view = self.tensors.tensor(name).expect(WHOLE);
        let floats = widen(view.dtype(), view.data()).expect(WHOLE);
        assert_eq!(floats.len(), length, "{name}");
        floats
    }

    /// The int8 words of the text side, one row of `semantic_dim` a token, straight from the binary.
    pub(super) fn word_rows(&self) -> &'static [u8] {
        self.tensors
            .tensor("text.table.weight")
            .expect(WHOLE)
            .data()
    }

    /// Token ids of colour words.
    pub(super) fn color_ids(&self) -> Vec<u32> {
        let view = self.tensors.tensor("text.color.ids").expect(WHOLE);
        let wide = view
            .data()
            .chunks_exact(8)
            .map(|b| i64::from_le_bytes(b.try_into().expect("chunks of eight")));
        wide.map(|id| u32::try_from(id).expect(WHOLE)).collect()
    }
}
