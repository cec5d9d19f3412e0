//! Convolutions as matrix products whose rows are gathered from the pixels under the
//! window, without a copy of them.

use std::sync::{Arc, Mutex, PoisonError};

use super::pack::{Packer, Shape};
use super::tile::Offsets;
use super::{Linear, Operand, Output, Precision, Rows};
use crate::activation::Activation;
use crate::image::{Grid, Window};
use crate::machine::Machine;

/// A convolution, packed. A 1 × 1 one with stride 1 is a [`Linear`] and better written as one.
#[derive(Debug)]
pub struct Convolution {
    linear: Linear,
    window: Window,
    /// Of the last images: most are of one size.
    table: Mutex<Arc<Table>>,
}

/// Where the words of each pixel under each place begin.
#[derive(Debug, Default)]
struct Table {
    /// Of what images: their size (none yet), the pixels of all, and the words of each.
    of: (Option<Grid>, usize, usize),
    offsets: Vec<u32>,
}

/// The weights of windows of `taps` pixels, of `inputs` numbers for each output, pixel by pixel instead of channel by
/// channel, which is how `PyTorch` stores them.
///
/// # Panics
/// If `inputs` is 0.
pub fn by_tap(weights: &[f32], inputs: usize, taps: usize) -> Vec<f32> {
    let mut by_tap = Vec::with_capacity(weights.len());
    for weights in weights.chunks_exact(inputs) {
        for tap in 0..taps {
            by_tap.extend(weights.iter().skip(tap).step_by(taps));
        }
    }
    by_tap
}

impl Convolution {
    /// Packs a layer.
    ///
    /// `weights` has, for each output channel, the pixels of the window for each
    /// input channel, as `PyTorch` stores them; `bias` an element for each output channel.
    ///
    /// # Panics
    /// If a length does not fit, or as [`Packer::linear`].
    pub fn new(
        packer: &mut Packer,
        precision: Precision,
        (weights, bias): (&[f32], &[f32]),
        window: Window,
    ) -> Self {
        let taps = window.size * window.size;
        assert!(!bias.is_empty() && weights.len().is_multiple_of(bias.len() * taps));
        let shape = Shape {
            outputs: bias.len(),
            segments: taps,
            segment_inputs: weights.len() / bias.len() / taps,
        };
        let by_tap = by_tap(weights, shape.inputs(), taps);
        Self {
            linear: packer.linear(precision, shape, &by_tap, Some(bias)),
            window,
            table: Mutex::default(),
        }
    }

    /// The layer's sizes and what it wants as its left side. In scaled layouts all pixels of
    /// an image must share a scale ([`super::Form::groups`]).
    pub fn linear(&self) -> &Linear {
        &self.linear
    }

    /// Size of the result for images of size `grid`.
    ///
    /// # Panics
    /// As [`Window::places`].
    pub fn places(&self, grid: Grid) -> Grid {
        self.window.places(grid)
    }

    /// Writes a row of channels for each place on each image, whose pixels are the
    /// rows of `pixels`.
    ///
    /// # Panics
    /// If `pixels` is not a whole number of images of the layer's channels in its layout,
    /// its pixels have scales of their own, or `output` does not have a place for each result.
    pub fn apply(
        &self,
        machine: &Machine,
        (pixels, grid): (&Operand, Grid),
        output: Output<'_>,
        activation: Activation,
    ) {
        assert_eq!(pixels.layout(), self.linear.layout());
        assert_eq!(pixels.columns(), self.linear.shape.segment_inputs);
        assert!(grid.pixels() > 0 && pixels.rows().is_multiple_of(grid.pixels()));
        assert!(
            pixels.scales().is_empty() || pixels.group() == grid.pixels(),
            "the pixels of an image share a scale"
        );
        let places = self.places(grid);
        let count = pixels.rows() / grid.pixels() * places.pixels();
        let table = self.table(pixels, grid, places);
        let mut scales = Vec::new();
        for scale in pixels.scales().iter().step_by(grid.pixels()) {
            scales.resize(scales.len() + places.pixels(), *scale);
        }
        let rows = Rows {
            count,
            words: pixels.words(),
            offsets: Offsets::Gathered {
                table: &table.offsets,
            },
            scales: &scales,
        };
        self.linear.run(machine, rows, output, activation);
    }

    /// The table for these pixels: the last one, or a new one.
    fn table(&self, pixels: &Operand, grid: Grid, places: Grid) -> Arc<Table> {
        let of = (Some(grid), pixels.rows(), pixels.stride());
        let mut last = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if last.of != of {
            let offsets = self.offsets(pixels, grid, places);
            *last = Arc::new(Table { of, offsets });
        }
        Arc::clone(&last)
    }

    fn offsets(&self, pixels: &Operand, grid: Grid, places: Grid) -> Vec<u32> {
        let stride = pixels.stride();
        let beyond = u32::try_from(pixels.rows() * stride)
            .expect("a batch's activations have fewer than four billion words");
        let taps = self.linear.shape.segments;
        let images = pixels.rows() / grid.pixels();
        let mut table = vec![beyond; images * places.pixels() * taps];
        let mut entries = table.chunks_exact_mut(taps);
        for image in 0..images {
            for y in 0..places.height {
                let (top, rows) = self.window.under(y, grid.height);
                for x in 0..places.width {
                    let (left, columns) = self.window.under(x, grid.width);
                    let entries = entries.next().expect("one for each place");
                    for row in rows.clone() {
                        let line =
                            (image * grid.height + (top + row as isize) as usize) * grid.width;
                        for column in columns.clone() {
                            let pixel = line + (left + column as isize) as usize;
                            entries[row * self.window.size + column] = (pixel * stride) as u32;
                        }
                    }
                }
            }
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dispatch::Cpu;
    use crate::gemm::{Form, Layout};
    use crate::image::Padding;
    use crate::simd::bf16_bits;
    use crate::testing::Random;

    #[derive(Clone, Debug)]
    struct Problem {
        images: usize,
        inputs: usize,
        outputs: usize,
        grid: Grid,
        window: Window,
        weights: Vec<f32>,
        bias: Vec<f32>,
        pixels: Vec<f32>,
    }

    impl Problem {
        fn run(&self, machine: &Machine, precision: Precision) -> Vec<f32> {
            let mut packer = Packer::new(machine.cpu);
            let weights = (&self.weights[..], &self.bias[..]);
            let layer = Convolution::new(&mut packer, precision, weights, self.window);
            let mut left = Operand::new();
            let form = Form::groups(layer.linear().layout(), self.grid.pixels());
            left.assign(machine, form, &self.pixels, self.inputs);
            let count = self.images * layer.places(self.grid).pixels();
            let mut out = vec![f32::NAN; count * self.outputs];
            layer.apply(
                machine,
                (&left, self.grid),
                Output::Store(&mut out),
                Activation::None,
            );
            out
        }

        fn exact(&self) -> Vec<f64> {
            let (size, places) = (self.window.size, self.window.places(self.grid));
            let mut out = Vec::new();
            for place in 0..self.images * places.pixels() {
                let image = place / places.pixels();
                let (y, x) = (place % places.pixels() / places.width, place % places.width);
                for (weights, bias) in self
                    .weights
                    .chunks_exact(self.inputs * size * size)
                    .zip(&self.bias)
                {
                    let mut sum = f64::from(*bias);
                    for (i, weight) in weights.iter().enumerate() {
                        let (input, tap) = (i / (size * size), i % (size * size));
                        let y = self.window.under(y, self.grid.height).0 + (tap / size) as isize;
                        let x = self.window.under(x, self.grid.width).0 + (tap % size) as isize;
                        if (0..self.grid.height as isize).contains(&y)
                            && (0..self.grid.width as isize).contains(&x)
                        {
                            let line = image * self.grid.height + y as usize;
                            let pixel = line * self.grid.width + x as usize;
                            sum += f64::from(self.pixels[pixel * self.inputs + input])
                                * f64::from(*weight);
                        }
                    }
                    out.push(sum);
                }
            }
            out
        }
    }

    fn problems() -> impl Strategy<Value = Problem> {
        let (side, channels): (usize, usize) = if cfg!(miri) { (4, 5) } else { (9, 30) };
        let padding = prop_oneof![Just(Padding::Same), (0_usize..2).prop_map(Padding::Each)];
        (
            (1_usize..3, 1..=channels, 1..=2 * channels),
            (3..=side, 3..=side),
            (1_usize..4, 1_usize..3, padding),
            any::<u64>(),
        )
            .prop_map(
                |((images, inputs, outputs), (height, width), (size, stride, padding), seed)| {
                    let mut random = Random::new(seed);
                    let mut floats = |count| {
                        // numbers that bf16 holds
                        let values = random.floats(count).into_iter();
                        values
                            .map(|x| f32::from_bits(u32::from(bf16_bits(x)) << 16))
                            .collect()
                    };
                    Problem {
                        images,
                        inputs,
                        outputs,
                        grid: Grid { height, width },
                        window: Window {
                            size,
                            stride,
                            padding,
                        },
                        weights: floats(outputs * inputs * size * size),
                        bias: floats(outputs),
                        pixels: floats(images * height * width * inputs),
                    }
                },
            )
    }

    /// What is staged part by part is gathered for that part alone, and a single image's largest result is found on the way.
    #[test]
    #[cfg_attr(miri, ignore = "a million results")]
    fn images_are_encoded_as_their_results_are() {
        let grid = Grid {
            height: 24,
            width: 24,
        };
        let window = Window {
            size: 3,
            stride: 1,
            padding: Padding::Same,
        };
        for (images, outputs, spoiled) in [
            (5, 128, false),
            (1, 128, false),
            (1, 121, false),
            (1, 128, true),
        ] {
            let (inputs, mut random) = (3, Random::new(9));
            let mut problem = Problem {
                images,
                inputs,
                outputs,
                grid,
                window,
                weights: random.floats(outputs * inputs * 9),
                bias: random.floats(outputs),
                pixels: random.floats(images * grid.pixels() * inputs),
            };
            // the largest of all, in one result
            problem.bias[7] = if spoiled { f32::INFINITY } else { -99.0 };
            for cpu in Cpu::available() {
                let machine = Machine::new(cpu, 2);
                let results = problem.run(&machine, Precision::Int8);
                let weights = (&problem.weights[..], &problem.bias[..]);
                let mut packer = Packer::new(cpu);
                let layer = Convolution::new(&mut packer, Precision::Int8, weights, window);
                let form = Form::groups(layer.linear().layout(), grid.pixels());
                let [mut left, mut parts, mut whole] = [(); 3].map(|()| Operand::new());
                left.assign(&machine, form, &problem.pixels, inputs);
                let to = Output::Operand(&mut parts, form);
                layer.apply(&machine, (&left, grid), to, Activation::None);
                whole.assign(&machine, form, &results, outputs);
                assert_eq!(whole.scales()[0].is_nan(), spoiled);
                assert!(spoiled || parts == whole, "{}", cpu.isa());
                assert!(!spoiled || parts.scales()[0].is_nan(), "{}", cpu.isa());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 32 }))]

        #[test]
        fn every_level_is_close_to_exact(problem in problems()) {
            let want = problem.exact();
            let int8 = problem.run(&Machine::new(Cpu::PORTABLE, 1), Precision::Int8);
            // 8 bits of the largest, of which there are as many as there are products
            let products = problem.inputs * problem.window.size * problem.window.size;
            for (got, want) in int8.iter().zip(&want) {
                prop_assert!((f64::from(*got) - want).abs() < 0.01 * products as f64);
            }
            for cpu in Cpu::available() {
                for precision in [Precision::F32, Precision::Bf16] {
                    let got = problem.run(&Machine::new(cpu, 1), precision);
                    for (got, want) in got.iter().zip(&want) {
                        prop_assert!((f64::from(*got) - want).abs() < 1e-4, "{}: {got} {want}", cpu.isa());
                    }
                    prop_assert_eq!(&problem.run(&Machine::new(cpu, 3), precision), &got);
                }
                prop_assert_eq!(&problem.run(&Machine::new(cpu, 1), Precision::Int8), &int8);
            }
        }

        #[test]
        fn an_image_alone_equals_itself_in_a_batch(problem in problems()) {
            let machine = Machine::new(Cpu::detect(), 1);
            for precision in [Precision::F32, Precision::Bf16, Precision::Int8] {
                let all = problem.run(&machine, precision);
                let pixels = problem.grid.pixels() * problem.inputs;
                let results = all.len() / problem.images;
                for image in 0..problem.images {
                    let alone = Problem {
                        images: 1,
                        pixels: problem.pixels[image * pixels..][..pixels].to_vec(),
                        ..problem.clone()
                    };
                    prop_assert_eq!(&alone.run(&machine, precision)[..], &all[image * results..][..results]);
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "share a scale")]
    fn pixels_with_scales_of_their_own_are_refused() {
        let machine = Machine::new(Cpu::PORTABLE, 1);
        let window = Window {
            size: 1,
            stride: 1,
            padding: Padding::Same,
        };
        let mut packer = Packer::new(machine.cpu);
        let layer = Convolution::new(&mut packer, Precision::Int8, (&[1.0], &[0.0]), window);
        let mut left = Operand::new();
        left.assign(&machine, Layout::I16, &[1.0; 4], 1);
        let output = Output::Store(&mut [0.0; 4]);
        let grid = Grid {
            height: 2,
            width: 2,
        };
        layer.apply(&machine, (&left, grid), output, Activation::None);
    }
}
