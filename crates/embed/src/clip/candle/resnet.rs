//! The image tower of CLIP's modified `ResNet`s, after `open_clip`'s `ModifiedResNet`: a stem of three convolutions, bottlenecks
//! that average before they stride, and a pooling by attention in which the mean asks all places.

use candle_core::{D, Result, Tensor};

use super::Source;
use super::transformer::{Linear, read, softmax};
use crate::clip::config::ResnetConfig;
use crate::clip::preprocessor::Preprocessor;
use crate::error::LoadError;

/// `eps` of `torch.nn.BatchNorm2d`.
const EPSILON: f64 = 1e-5;

pub(super) struct Resnet {
    side: usize,
    mean: [f32; 3],
    std: [f32; 3],
    stem: [Convolution; 3],
    blocks: Vec<Bottleneck>,
    pool: AttentionPool,
}

/// A convolution and its batch norm, which is not folded here: the product's other implementation folds it.
struct Convolution {
    weight: Tensor,
    stride: usize,
    padding: usize,
    mean: Tensor,
    deviation: Tensor,
    gain: Tensor,
    bias: Tensor,
}

struct Bottleneck {
    narrow: Convolution,
    middle: Convolution,
    widen: Convolution,
    shortcut: Option<Convolution>,
    stride: usize,
}

struct AttentionPool {
    heads: usize,
    positions: Tensor,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
}

impl Resnet {
    pub(super) fn read(
        file: &mut Source<'_>,
        (config, dimension): (&ResnetConfig, usize),
        preprocessor: &Preprocessor,
    ) -> std::result::Result<Self, LoadError> {
        let width = config.width;
        let mut stem = |index: usize, inputs, outputs, stride| {
            let names = (format!("conv{index}"), format!("bn{index}"));
            Convolution::read(file, ("visual.", &names), (inputs, outputs), (3, stride))
        };
        let stem = [
            stem(1, 3, width / 2, 2)?,
            stem(2, width / 2, width / 2, 1)?,
            stem(3, width / 2, width, 1)?,
        ];
        let mut blocks = Vec::new();
        for block in config.blocks() {
            blocks.push(Bottleneck::read(file, &block.name, &block)?);
        }
        Ok(Self {
            side: config.image_size,
            mean: preprocessor.image_mean,
            std: preprocessor.image_std,
            stem,
            blocks,
            pool: AttentionPool::read(file, config, dimension)?,
        })
    }

    /// `rgb` is a square of the model's side; the answer has the projection's length and is not normalised.
    pub(super) fn forward(&self, rgb: &[u8]) -> Result<Vec<f32>> {
        let mut x = self.normalise(rgb)?;
        for convolution in &self.stem {
            x = convolution.forward(&x)?.relu()?;
        }
        x = x.avg_pool2d(2)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        self.pool.forward(&x)?.flatten_all()?.to_vec1()
    }

    /// `[1, 3, side, side]`.
    fn normalise(&self, rgb: &[u8]) -> Result<Tensor> {
        let plane = |colour: usize| {
            let (mean, std) = (self.mean[colour], self.std[colour]);
            let bytes = rgb.iter().skip(colour).step_by(3);
            bytes.map(move |byte| (f32::from(*byte) / 255.0 - mean) / std)
        };
        let values: Vec<f32> = (0..3).flat_map(plane).collect();
        let device = self.pool.positions.device();
        Tensor::from_vec(values, (1, 3, self.side, self.side), device)
    }
}

impl Convolution {
    fn read(
        file: &mut Source<'_>,
        (prefix, (name, norm)): (&str, &(String, String)),
        (inputs, outputs): (usize, usize),
        (size, stride): (usize, usize),
    ) -> std::result::Result<Self, LoadError> {
        let weight = read(
            file,
            &format!("{prefix}{name}.weight"),
            &[outputs, inputs, size, size],
        )?;
        let mut channels = |part: &str| -> std::result::Result<Tensor, LoadError> {
            let values = read(file, &format!("{prefix}{norm}.{part}"), &[outputs])?;
            Ok(values
                .reshape((1, outputs, 1, 1))
                .expect("a vector of that length"))
        };
        let variance = channels("running_var")?;
        Ok(Self {
            weight,
            stride,
            padding: size / 2,
            mean: channels("running_mean")?,
            deviation: (variance + EPSILON)
                .and_then(|x| x.sqrt())
                .expect("floats have roots"),
            gain: channels("weight")?,
            bias: channels("bias")?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.conv2d(&self.weight, self.padding, self.stride, 1, 1)?;
        x.broadcast_sub(&self.mean)?
            .broadcast_div(&self.deviation)?
            .broadcast_mul(&self.gain)?
            .broadcast_add(&self.bias)
    }
}

impl Bottleneck {
    fn read(
        file: &mut Source<'_>,
        name: &str,
        block: &crate::clip::config::ResnetBlock,
    ) -> std::result::Result<Self, LoadError> {
        let (inputs, planes, outputs) = (block.inputs, block.planes, block.outputs());
        let numbered = |i: usize| (format!("conv{i}"), format!("bn{i}"));
        let narrow = Convolution::read(file, (name, &numbered(1)), (inputs, planes), (1, 1))?;
        let middle = Convolution::read(file, (name, &numbered(2)), (planes, planes), (3, 1))?;
        let widen = Convolution::read(file, (name, &numbered(3)), (planes, outputs), (1, 1))?;
        let shortcut = if block.has_shortcut() {
            let names = ("downsample.0".to_owned(), "downsample.1".to_owned());
            Some(Convolution::read(
                file,
                (name, &names),
                (inputs, outputs),
                (1, 1),
            )?)
        } else {
            None
        };
        Ok(Self {
            narrow,
            middle,
            widen,
            shortcut,
            stride: block.stride,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let pool = |x: Tensor| {
            if self.stride > 1 {
                x.avg_pool2d(self.stride)
            } else {
                Ok(x)
            }
        };
        let inner = self.narrow.forward(x)?.relu()?;
        let inner = pool(self.middle.forward(&inner)?.relu()?)?;
        let inner = self.widen.forward(&inner)?;
        let outer = match &self.shortcut {
            Some(shortcut) => shortcut.forward(&pool(x.clone())?)?,
            None => x.clone(),
        };
        (inner + outer)?.relu()
    }
}

impl AttentionPool {
    fn read(
        file: &mut Source<'_>,
        config: &ResnetConfig,
        dimension: usize,
    ) -> std::result::Result<Self, LoadError> {
        let channels = config.channels();
        let name = |part: &str| format!("visual.attnpool.{part}");
        Ok(Self {
            heads: config.heads,
            positions: read(
                file,
                &name("positional_embedding"),
                &[config.places() + 1, channels],
            )?,
            query: Linear::read(file, &name("q_proj"), channels, channels)?,
            key: Linear::read(file, &name("k_proj"), channels, channels)?,
            value: Linear::read(file, &name("v_proj"), channels, channels)?,
            out: Linear::read(file, &name("c_proj"), channels, dimension)?,
        })
    }

    /// `[1, channels, rows, columns]` to `[1, dimension]`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let places = x.flatten_from(2)?.squeeze(0)?.t()?.contiguous()?;
        let mean = places.mean_keepdim(0)?;
        let tokens = Tensor::cat(&[&mean, &places], 0)?.add(&self.positions)?;
        let (count, channels) = tokens.dims2()?;
        let width = channels / self.heads;
        let split = |x: Tensor, count: usize| {
            x.reshape((count, self.heads, width))?
                .transpose(0, 1)?
                .contiguous()
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "a head has some dozens of channels"
        )]
        let scale = (width as f64).powf(-0.5);
        let query = self.query.forward(&tokens.narrow(0, 0, 1)?)?;
        let query = split((query * scale)?, 1)?;
        let key = split(self.key.forward(&tokens)?, count)?;
        let value = split(self.value.forward(&tokens)?, count)?;
        let weights = softmax(&query.matmul(&key.transpose(D::Minus2, D::Minus1)?)?)?;
        let mixed = weights.matmul(&value)?.transpose(0, 1)?;
        self.out.forward(&mixed.reshape((1, channels))?)
    }
}
