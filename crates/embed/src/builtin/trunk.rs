//! EfficientNet-Lite0 without its classifier: a square picture to an 8 x 8 grid of 1,280 features.
//!
//! After Google's TPU repository (`models/official/efficientnet/lite`); batch-norms are folded into the convolutions by
//! `models/builtin/build.py`, squeeze-and-excite does not exist in the Lite family.

use candle_core::{Result, Tensor};

use super::assets::Assets;
use super::convolution::{Activation, Depthwise, Pointwise, Stem};

/// Channels of the stem, of the last block and of the features.
const STEM: usize = 32;
const LAST_BLOCK: usize = 320;
pub(super) const FEATURES: usize = 1280;

pub(super) struct Trunk {
    stem: Stem,
    blocks: Vec<Block>,
    head: Pointwise,
}

/// Inverted bottleneck: widen, convolve every channel alone, narrow again.
struct Block {
    expand: Option<Pointwise>,
    depthwise: Depthwise,
    project: Pointwise,
    residual: bool,
}

impl Trunk {
    pub(super) fn load(assets: &Assets) -> Self {
        let blocks = assets
            .config
            .blocks
            .iter()
            .enumerate()
            .map(|(i, &shape)| Block::load(assets, i, shape))
            .collect();
        Self {
            stem: Stem::new(
                assets.transposed("image.stem.weight", STEM, 27),
                assets.floats("image.stem.bias", STEM),
            ),
            blocks,
            head: pointwise(
                assets,
                "image.head",
                LAST_BLOCK,
                FEATURES,
                Activation::Relu6,
            ),
        }
    }

    /// `x` is a square of `side` normalised RGB pixels; the answer is `[side / 32, side / 32, 1280]`.
    pub(super) fn forward(&self, x: &[f32], side: usize) -> Result<Tensor> {
        let mut x = self.stem.forward(x, side)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        self.head.forward(&x, None)
    }
}

impl Block {
    fn load(
        assets: &Assets,
        index: usize,
        [kernel, stride, expand, input, output]: [usize; 5],
    ) -> Self {
        let name = |part: &str| format!("image.blocks.{index}.{part}");
        let wide = input * expand;
        let taps = assets.transposed(&name("depthwise.weight"), wide, kernel * kernel);
        Self {
            expand: (expand != 1)
                .then(|| pointwise(assets, &name("expand"), input, wide, Activation::Relu6)),
            depthwise: Depthwise::new(
                kernel,
                stride,
                taps,
                assets.floats(&name("depthwise.bias"), wide),
            ),
            project: pointwise(assets, &name("project"), wide, output, Activation::None),
            residual: stride == 1 && input == output,
        }
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let expanded = self
            .expand
            .as_ref()
            .map(|layer| layer.forward(x, None))
            .transpose()?;
        let filtered = self.depthwise.forward(expanded.as_ref().unwrap_or(x))?;
        self.project.forward(&filtered, self.residual.then_some(x))
    }
}

fn pointwise(
    assets: &Assets,
    name: &str,
    input: usize,
    output: usize,
    activation: Activation,
) -> Pointwise {
    let weight = assets.transposed(&format!("{name}.weight"), output, input);
    Pointwise::new(
        weight,
        assets.floats(&format!("{name}.bias"), output),
        activation,
    )
}
