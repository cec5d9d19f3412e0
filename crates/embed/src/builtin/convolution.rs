//! The three kinds of convolution in EfficientNet-Lite, over one picture in height x width x channels order.
//!
//! Only the 1x1 convolutions are matrix products and go through candle's GEMM. Candle's grouped `conv2d` would make one
//! convolution a channel (up to 1,152 a layer), so the depthwise layer is a loop of its own, and so is the stem.
//! Bias, activation and residual are fused into one pass over each result: the network is small enough for extra passes
//! over memory to cost as much as the arithmetic.
//!
//! Padding is TensorFlow's SAME: the output has `ceil(side / stride)` pixels and an odd pixel of padding goes right and below.

use std::ops::Range;

use candle_core::{
    CpuStorage, CustomOp1, Device, InplaceOp1, InplaceOp2, Layout, Result, Shape, Tensor, bail,
};

/// What follows the bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    None,
    /// `min(max(x, 0), 6)`.
    Relu6,
}

impl Activation {
    fn apply(self, x: f32) -> f32 {
        match self {
            Self::None => x,
            Self::Relu6 => x.clamp(0.0, 6.0),
        }
    }
}

/// 1x1 convolution: a matrix product over the channels of every pixel.
pub(super) struct Pointwise {
    /// Channels in x channels out.
    weight: Tensor,
    finish: Finish,
}

impl Pointwise {
    /// `weight` has `bias.len()` columns, one a channel out.
    pub(super) fn new(weight: Vec<f32>, bias: Vec<f32>, activation: Activation) -> Self {
        let (rows, columns) = (weight.len() / bias.len(), bias.len());
        let weight = Tensor::from_vec(weight, (rows, columns), &Device::Cpu)
            .expect("the length is rows x columns");
        Self {
            weight,
            finish: Finish { bias, activation },
        }
    }

    /// `[height, width, channels in]` to `[height, width, channels out]`; `residual` is added after the activation.
    pub(super) fn forward(&self, x: &Tensor, residual: Option<&Tensor>) -> Result<Tensor> {
        let (height, width, channels) = x.dims3()?;
        let product = x
            .reshape((height * width, channels))?
            .matmul(&self.weight)?;
        let product = product.reshape((height, width, self.finish.bias.len()))?;
        match residual {
            Some(residual) => product.inplace_op2(residual, &self.finish)?,
            None => product.inplace_op1(&self.finish)?,
        }
        Ok(product)
    }
}

/// Adds the bias, applies the activation, adds the residual if there is one.
struct Finish {
    bias: Vec<f32>,
    activation: Activation,
}

impl InplaceOp1 for Finish {
    fn name(&self) -> &'static str {
        "bias-activation"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        for pixel in floats_mut(storage, layout)?.chunks_exact_mut(self.bias.len()) {
            for (x, bias) in pixel.iter_mut().zip(&self.bias) {
                *x = self.activation.apply(*x + bias);
            }
        }
        Ok(())
    }
}

impl InplaceOp2 for Finish {
    fn name(&self) -> &'static str {
        "bias-activation-residual"
    }

    fn cpu_fwd(
        &self,
        storage: &mut CpuStorage,
        layout: &Layout,
        other: &CpuStorage,
        other_layout: &Layout,
    ) -> Result<()> {
        let channels = self.bias.len();
        let residual = floats(other, other_layout)?;
        let pixels = floats_mut(storage, layout)?.chunks_exact_mut(channels);
        for (pixel, residual) in pixels.zip(residual.chunks_exact(channels)) {
            for ((x, bias), residual) in pixel.iter_mut().zip(&self.bias).zip(residual) {
                *x = self.activation.apply(*x + bias) + residual;
            }
        }
        Ok(())
    }
}

/// Depthwise convolution with relu6: every channel has a kernel of its own.
pub(super) struct Depthwise {
    window: Window,
    /// One row of `bias.len()` channels for every tap of the kernel.
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Depthwise {
    pub(super) fn new(kernel: usize, stride: usize, weight: Vec<f32>, bias: Vec<f32>) -> Self {
        assert_eq!(
            weight.len(),
            kernel * kernel * bias.len(),
            "one row of channels a tap"
        );
        Self {
            window: Window { kernel, stride },
            weight,
            bias,
        }
    }

    /// `[height, width, channels]` to `[ceil(height / stride), ceil(width / stride), channels]`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.apply_op1_no_bwd(self)
    }

    /// Sums all channels of one output pixel. Running along the channels keeps every access sequential, and the
    /// compiler turns the loop into vector instructions of whatever the target has.
    fn pixel(&self, x: &[f32], width: usize, rows: &Span, columns: &Span, sum: &mut [f32]) {
        let (channels, kernel) = (self.bias.len(), self.window.kernel);
        sum.copy_from_slice(&self.bias);
        for tap_row in rows.taps.clone() {
            let row = (rows.start + tap_row) - kernel;
            for tap_column in columns.taps.clone() {
                let column = (columns.start + tap_column) - kernel;
                let x = &x[(row * width + column) * channels..][..channels];
                let weight = &self.weight[(tap_row * kernel + tap_column) * channels..][..channels];
                for ((sum, x), weight) in sum.iter_mut().zip(x).zip(weight) {
                    *sum += x * weight;
                }
            }
        }
        for sum in sum {
            *sum = Activation::Relu6.apply(*sum);
        }
    }
}

impl CustomOp1 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (height, width, channels) = layout.shape().dims3()?;
        if channels != self.bias.len() {
            bail!(
                "depthwise layer of {} channels was given {channels}",
                self.bias.len()
            );
        }
        let x = floats(storage, layout)?;
        let (out_height, out_width) = (self.window.output(height), self.window.output(width));
        let mut out = vec![0.0; out_height * out_width * channels];
        for (y, out_row) in out.chunks_exact_mut(out_width * channels).enumerate() {
            let rows = self.window.span(y, height);
            for (column, out_pixel) in out_row.chunks_exact_mut(channels).enumerate() {
                let columns = self.window.span(column, width);
                self.pixel(x, width, &rows, &columns, out_pixel);
            }
        }
        Ok((
            CpuStorage::F32(out),
            Shape::from((out_height, out_width, channels)),
        ))
    }
}

/// The first layer: a full 3x3 convolution of stride 2 over three colours, with relu6.
pub(super) struct Stem {
    window: Window,
    /// One row of `bias.len()` channels for every colour and tap.
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Stem {
    const COLOURS: usize = 3;

    pub(super) fn new(weight: Vec<f32>, bias: Vec<f32>) -> Self {
        let window = Window {
            kernel: 3,
            stride: 2,
        };
        assert_eq!(
            weight.len(),
            window.kernel * window.kernel * Self::COLOURS * bias.len(),
            "one row a colour and tap"
        );
        Self {
            window,
            weight,
            bias,
        }
    }

    /// `x` is a square of `side` pixels of three floats; the answer is `[side / 2, side / 2, channels]`.
    pub(super) fn forward(&self, x: &[f32], side: usize) -> Result<Tensor> {
        let channels = self.bias.len();
        let out_side = self.window.output(side);
        let mut out = Vec::with_capacity(out_side * out_side * channels);
        for y in 0..out_side {
            let rows = self.window.span(y, side);
            for column in 0..out_side {
                let columns = self.window.span(column, side);
                let start = out.len();
                out.extend_from_slice(&self.bias);
                self.accumulate(x, side, &rows, &columns, &mut out[start..]);
            }
        }
        Tensor::from_vec(out, (out_side, out_side, channels), &Device::Cpu)
    }

    fn accumulate(&self, x: &[f32], side: usize, rows: &Span, columns: &Span, sum: &mut [f32]) {
        let (channels, kernel) = (self.bias.len(), self.window.kernel);
        for tap_row in rows.taps.clone() {
            let row = (rows.start + tap_row) - kernel;
            for tap_column in columns.taps.clone() {
                let column = (columns.start + tap_column) - kernel;
                let pixel = &x[(row * side + column) * Self::COLOURS..][..Self::COLOURS];
                let tap = tap_row * kernel + tap_column;
                for (colour, value) in pixel.iter().enumerate() {
                    let weights =
                        &self.weight[(colour * kernel * kernel + tap) * channels..][..channels];
                    for (sum, weight) in sum.iter_mut().zip(weights) {
                        *sum += value * weight;
                    }
                }
            }
        }
        for sum in sum {
            *sum = Activation::Relu6.apply(*sum);
        }
    }
}

/// A square kernel moved over a picture with SAME padding.
#[derive(Debug, Clone, Copy)]
struct Window {
    kernel: usize,
    stride: usize,
}

/// The taps of one kernel row or column that lie inside the picture.
struct Span {
    taps: Range<usize>,
    /// Input position of tap 0, plus the kernel's side so that it is never negative.
    start: usize,
}

impl Window {
    fn output(self, input: usize) -> usize {
        input.div_ceil(self.stride)
    }

    fn span(self, output: usize, input: usize) -> Span {
        let needed = (self.output(input) - 1) * self.stride + self.kernel;
        let before = needed.saturating_sub(input) / 2;
        let start = output * self.stride + self.kernel - before;
        let first = self.kernel.saturating_sub(start);
        let last = self.kernel.min(input + self.kernel - start);
        Span {
            taps: first..last,
            start,
        }
    }
}

fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(data), Some((start, end))) => Ok(&data[start..end]),
        _ => bail!("expected contiguous f32 values"),
    }
}

fn floats_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(data), Some((start, end))) => Ok(&mut data[start..end]),
        _ => bail!("expected contiguous f32 values"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNELS: usize = 5;

    /// Output = sum of taps, so every value counts the pixels that the kernel saw.
    fn coverage(kernel: usize, stride: usize, side: usize) -> Vec<f32> {
        let layer = Depthwise::new(
            kernel,
            stride,
            vec![0.1; kernel * kernel * CHANNELS],
            vec![0.0; CHANNELS],
        );
        let ones = Tensor::ones(
            (side, side, CHANNELS),
            candle_core::DType::F32,
            &Device::Cpu,
        )
        .unwrap();
        let out = layer.forward(&ones).unwrap().to_vec3::<f32>().unwrap();
        out.iter()
            .flatten()
            .map(|pixel| (pixel[0] * 10.0).round())
            .collect()
    }

    #[test]
    fn stride_two_puts_the_odd_pixel_of_padding_right_and_below() {
        assert_eq!(coverage(3, 2, 4), [9.0, 6.0, 6.0, 4.0]);
    }

    #[test]
    fn stride_one_pads_evenly() {
        assert_eq!(
            coverage(3, 1, 3),
            [4.0, 6.0, 4.0, 6.0, 9.0, 6.0, 4.0, 6.0, 4.0]
        );
    }

    #[test]
    fn kernel_wider_than_the_picture_sees_the_whole_of_it() {
        assert_eq!(coverage(5, 1, 2), [4.0; 4]);
    }
}
