//! What both towers are made of: pre-norm transformer layers over one sequence, after transformers' `CLIPEncoderLayer`.
//!
//! One sequence at a time, `[tokens, hidden]`: a product then has the same shape, and so the same order of summation, whatever
//! else is in the batch. Requests run side by side instead.

use candle_core::{D, Result, Tensor};

use super::Source;
use crate::clip::config::Activation;
use crate::error::LoadError;

/// Shape of a tower's layers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) hidden: usize,
    pub(super) intermediate: usize,
    pub(super) heads: usize,
    pub(super) layers: usize,
    pub(super) activation: Activation,
    pub(super) epsilon: f64,
}

/// Reads a tensor of exactly that shape.
pub(super) fn read(
    file: &mut Source<'_>,
    name: &str,
    shape: &[usize],
) -> std::result::Result<Tensor, LoadError> {
    let values = file.weights.read(name, shape)?;
    Tensor::from_vec(values, shape, &file.device)
        .map_err(|error| LoadError::Device(error.to_string()))
}

/// Affine map of rows.
pub(super) struct Linear {
    /// Features in x features out: stored the other way round, but a product of few rows would then spend a third of its
    /// time on bringing the weights into this order.
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    pub(super) fn read(
        file: &mut Source<'_>,
        name: &str,
        input: usize,
        output: usize,
    ) -> std::result::Result<Self, LoadError> {
        let bias = read(file, &format!("{name}.bias"), &[output])?;
        Ok(Self {
            bias: Some(bias),
            ..Self::read_without_bias(file, name, input, output)?
        })
    }

    pub(super) fn read_without_bias(
        file: &mut Source<'_>,
        name: &str,
        input: usize,
        output: usize,
    ) -> std::result::Result<Self, LoadError> {
        let stored = read(file, &format!("{name}.weight"), &[output, input])?;
        Ok(Self::from_stored(&stored).expect("a matrix can be transposed"))
    }

    /// Takes a `[features out, …]` tensor whose other dimensions are read as one.
    pub(super) fn from_stored(weight: &Tensor) -> Result<Self> {
        Ok(Self {
            weight: weight.flatten_from(1)?.t()?.contiguous()?,
            bias: None,
        })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let product = x.matmul(&self.weight)?;
        match &self.bias {
            Some(bias) => product.broadcast_add(bias),
            None => Ok(product),
        }
    }
}

/// Layer norm over the last dimension.
pub(super) struct Norm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f64,
}

impl Norm {
    pub(super) fn read(
        file: &mut Source<'_>,
        name: &str,
        hidden: usize,
        epsilon: f64,
    ) -> std::result::Result<Self, LoadError> {
        let weight = read(file, &format!("{name}.weight"), &[hidden])?;
        Ok(Self {
            weight,
            bias: read(file, &format!("{name}.bias"), &[hidden])?,
            epsilon,
        })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + self.epsilon)?.sqrt()?;
        centred
            .broadcast_div(&deviation)?
            .broadcast_mul(&self.weight)?
            .broadcast_add(&self.bias)
    }
}

/// The layers of a tower.
pub(super) struct Transformer(Vec<Layer>);

struct Layer {
    attention_norm: Norm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    mlp_norm: Norm,
    widen: Linear,
    narrow: Linear,
    shape: Shape,
}

impl Transformer {
    /// `tower` is `text_model` or `vision_model`.
    pub(super) fn read(
        file: &mut Source<'_>,
        tower: &str,
        shape: Shape,
    ) -> std::result::Result<Self, LoadError> {
        let layer = |i| Layer::read(file, &format!("{tower}.encoder.layers.{i}"), shape);
        (0..shape.layers)
            .map(layer)
            .collect::<std::result::Result<_, _>>()
            .map(Self)
    }

    /// `[tokens, hidden]` to the same; `mask` is added to the scores, `[tokens, tokens]`.
    pub(super) fn forward(&self, mut x: Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        for layer in &self.0 {
            x = layer.forward(&x, mask)?;
        }
        Ok(x)
    }
}

impl Layer {
    fn read(
        file: &mut Source<'_>,
        name: &str,
        shape: Shape,
    ) -> std::result::Result<Self, LoadError> {
        let Shape {
            hidden,
            intermediate,
            epsilon,
            ..
        } = shape;
        let part = |part: &str| format!("{name}.{part}");
        Ok(Self {
            attention_norm: Norm::read(file, &part("layer_norm1"), hidden, epsilon)?,
            query: Linear::read(file, &part("self_attn.q_proj"), hidden, hidden)?,
            key: Linear::read(file, &part("self_attn.k_proj"), hidden, hidden)?,
            value: Linear::read(file, &part("self_attn.v_proj"), hidden, hidden)?,
            out: Linear::read(file, &part("self_attn.out_proj"), hidden, hidden)?,
            mlp_norm: Norm::read(file, &part("layer_norm2"), hidden, epsilon)?,
            widen: Linear::read(file, &part("mlp.fc1"), hidden, intermediate)?,
            narrow: Linear::read(file, &part("mlp.fc2"), intermediate, hidden)?,
            shape,
        })
    }

    fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let x = (x + self.attention(&self.attention_norm.forward(x)?, mask)?)?;
        let wide = self.widen.forward(&self.mlp_norm.forward(&x)?)?;
        let wide = match self.shape.activation {
            Activation::QuickGelu => quick_gelu(&wide)?,
            Activation::Gelu => wide.gelu_erf()?,
        };
        x + self.narrow.forward(&wide)?
    }

    fn attention(&self, x: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let (tokens, hidden) = x.dims2()?;
        let heads = self.shape.heads;
        let width = hidden / heads;
        let split = |x: Tensor| {
            x.reshape((tokens, heads, width))?
                .transpose(0, 1)?
                .contiguous()
        };

        #[expect(
            clippy::cast_precision_loss,
            reason = "a head has some dozens of channels"
        )]
        let scale = (width as f64).powf(-0.5);
        let query = split((self.query.forward(x)? * scale)?)?;
        let key = split(self.key.forward(x)?)?;
        let value = split(self.value.forward(x)?)?;

        let scores = query.matmul(&key.transpose(1, 2)?)?;
        let scores = match mask {
            Some(mask) => scores.broadcast_add(mask)?,
            None => scores,
        };
        let mixed = softmax(&scores)?.matmul(&value)?;
        self.out
            .forward(&mixed.transpose(0, 1)?.reshape((tokens, hidden))?)
    }
}

/// `x * sigmoid(1.702 x)`.
fn quick_gelu(x: &Tensor) -> Result<Tensor> {
    let denominator = ((x * -1.702)?.exp()? + 1.0)?;
    x / denominator
}

pub(super) fn softmax(scores: &Tensor) -> Result<Tensor> {
    let weights = scores
        .broadcast_sub(&scores.max_keepdim(D::Minus1)?)?
        .exp()?;
    weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)
}
