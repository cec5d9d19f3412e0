//! Products of every precision and level against plain loops, over odd shapes.

use std::str::FromStr;

use proptest::prelude::*;

use super::*;
use crate::activation::{apply, apply_coarsely};
use crate::dispatch::Cpu;
use crate::simd::bf16_bits;

const CASES: u32 = if cfg!(miri) { 3 } else { 64 };
const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::Bf16, Precision::Int8];

/// A product to check, filled from a seed.
#[derive(Clone, Debug)]
struct Problem {
    rows: usize,
    outputs: usize,
    inputs: usize,
    left: Vec<f32>,
    weights: Vec<f32>,
    bias: Vec<f32>,
    residual: Vec<f32>,
}

impl Problem {
    fn new(rows: usize, outputs: usize, inputs: usize, seed: u64) -> Self {
        let mut random = crate::testing::Random::new(seed);
        Self {
            rows,
            outputs,
            inputs,
            left: random.floats(rows * inputs),
            weights: random.floats(outputs * inputs),
            bias: random.floats(outputs),
            residual: random.floats(rows * outputs),
        }
    }

    /// The same with numbers that bf16 holds exactly.
    fn rounded_to_bf16(mut self) -> Self {
        for x in self.left.iter_mut().chain(&mut self.weights) {
            *x = f32::from_bits(u32::from(bf16_bits(*x)) << 16);
        }
        self
    }

    fn exact(&self) -> Vec<f64> {
        let mut out = Vec::new();
        for left in self.left.chunks_exact(self.inputs) {
            for (weights, bias) in self.weights.chunks_exact(self.inputs).zip(&self.bias) {
                let products = left.iter().zip(weights);
                let sum: f64 = products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                out.push(sum + f64::from(*bias));
            }
        }
        out
    }

    /// What int8 promises, to the bit: exact integer sums, then three rounded operations.
    fn int8(&self) -> Vec<f32> {
        let quantise = |row: &[f32]| -> (f32, Vec<i64>) {
            let magnitude = row.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
            if magnitude < 1e-30 {
                return (0.0, vec![0; row.len()]);
            }
            let inverse = 127.0 / magnitude;
            let integers = row.iter().map(|x| (x * inverse).round_ties_even() as i64);
            (magnitude / 127.0, integers.collect())
        };
        let weights: Vec<_> = self
            .weights
            .chunks_exact(self.inputs)
            .map(quantise)
            .collect();
        let mut out = Vec::new();
        for left in self.left.chunks_exact(self.inputs) {
            let (row_scale, left) = quantise(left);
            for ((scale, weights), bias) in weights.iter().zip(&self.bias) {
                let sum: i64 = left.iter().zip(weights).map(|(a, b)| a * b).sum();
                out.push(sum as f32 * scale * row_scale + bias);
            }
        }
        out
    }

    fn pack(&self, cpu: Cpu, precision: Precision) -> Linear {
        let shape = Shape::new(self.outputs, self.inputs);
        Packer::new(cpu).linear(precision, shape, &self.weights, Some(&self.bias))
    }

    fn left(&self, machine: &Machine, layout: Layout) -> Operand {
        let mut operand = Operand::new();
        operand.assign(machine, layout, &self.left, self.inputs);
        operand
    }

    fn run(&self, machine: &Machine, precision: Precision) -> Vec<f32> {
        let linear = self.pack(machine.cpu, precision);
        let left = self.left(machine, linear.layout());
        let mut out = vec![f32::NAN; self.rows * self.outputs];
        linear.multiply(machine, &left, Output::Store(&mut out), Activation::None);
        out
    }
}

fn assert_close(got: &[f32], want: &[f64], inputs: usize, what: &str) {
    // the weights and left sides are of magnitude 1: rounding grows with the root of their number
    let tolerance = 1e-5 * (inputs as f64).sqrt().max(1.0);
    assert_eq!(got.len(), want.len());
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert!(
            (f64::from(*got) - want).abs() <= tolerance * want.abs().max(1.0),
            "{what}: element {i} is {got}, not {want}"
        );
    }
}

fn shapes() -> impl Strategy<Value = (usize, usize, usize, u64)> {
    let (rows, outputs, inputs): (usize, usize, usize) = if cfg!(miri) {
        (7, 20, 9)
    } else {
        (40, 150, 100)
    };
    (1..=rows, 1..=outputs, 1..=inputs, any::<u64>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn f32_is_close_to_exact_on_every_level((rows, outputs, inputs, seed) in shapes()) {
        let problem = Problem::new(rows, outputs, inputs, seed);
            for cpu in Cpu::available() {
            let got = problem.run(&Machine::new(cpu, 1), Precision::F32);
            assert_close(&got, &problem.exact(), inputs, cpu.isa().name());
        }
    }

    #[test]
    fn bf16_only_rounds_its_inputs_on_every_level((rows, outputs, inputs, seed) in shapes()) {
        let problem = Problem::new(rows, outputs, inputs, seed).rounded_to_bf16();
            for cpu in Cpu::available() {
            let got = problem.run(&Machine::new(cpu, 1), Precision::Bf16);
            assert_close(&got, &problem.exact(), inputs, cpu.isa().name());
        }
    }

    #[test]
    fn int8_is_the_same_bits_on_every_level((rows, outputs, inputs, seed) in shapes()) {
        let problem = Problem::new(rows, outputs, inputs, seed);
            for cpu in Cpu::available() {
            let got = problem.run(&Machine::new(cpu, 1), Precision::Int8);
            prop_assert_eq!(got, problem.int8(), "{}", cpu.isa());
        }
    }

    #[test]
    fn results_depend_on_neither_threads_nor_neighbouring_rows(
        (rows, outputs, inputs, seed) in shapes(),
    ) {
        let problem = Problem::new(rows, outputs, inputs, seed);
        for cpu in Cpu::available() {
            let (one, three) = (Machine::new(cpu, 1), Machine::new(cpu, 3));
            for precision in PRECISIONS {
                let all = problem.run(&one, precision);
                prop_assert_eq!(&problem.run(&three, precision), &all);
                let last = rows - 1;
                let alone = Problem {
                    rows: 1,
                    left: problem.left[last * inputs..].to_vec(),
                    ..problem.clone()
                };
                prop_assert_eq!(&alone.run(&one, precision)[..], &all[last * outputs..]);
            }
        }
    }

    #[test]
    fn rows_of_floats_equal_an_operand((rows, outputs, inputs, seed) in shapes()) {
        let problem = Problem::new(rows, outputs, inputs.next_multiple_of(4), seed);
        for cpu in Cpu::available() {
            let machine = Machine::new(cpu, 1);
            let mut got = vec![f32::NAN; rows * outputs];
            let linear = problem.pack(cpu, Precision::F32);
            let store = Output::Store(&mut got);
            linear.multiply_floats(&machine, &problem.left, store, Activation::None);
            prop_assert_eq!(got, problem.run(&machine, Precision::F32));
        }
    }

    #[test]
    fn finishing_equals_finishing_afterwards((rows, outputs, inputs, seed) in shapes()) {
        let problem = Problem::new(rows, outputs, inputs, seed);
            for cpu in Cpu::available() {
            let machine = Machine::new(cpu, 1);
            for precision in PRECISIONS {
                let linear = problem.pack(cpu, precision);
                let left = problem.left(&machine, linear.layout());
                let plain = problem.run(&machine, precision);

                let mut sum = problem.residual.clone();
                linear.multiply(&machine, &left, Output::Add(&mut sum), Activation::None);
                for ((sum, plain), before) in sum.iter().zip(&plain).zip(&problem.residual) {
                    prop_assert_eq!(*sum, plain + before);
                }

                for activation in [Activation::Gelu, Activation::Relu, Activation::Relu6] {
                    let sums = plain.iter().zip(&problem.residual).map(|(x, before)| x + before);
                    let mut want: Vec<f32> = sums.collect();
                    apply(cpu, activation, &mut want);
                    let mut got = problem.residual.clone();
                    linear.multiply(&machine, &left, Output::Add(&mut got), activation);
                    prop_assert_eq!(&got, &want);
                }

                for activation in [Activation::QuickGelu, Activation::Gelu, Activation::Relu6] {
                    let mut want = plain.clone();
                    apply(cpu, activation, &mut want);
                    let mut got = vec![0.0; plain.len()];
                    linear.multiply(&machine, &left, Output::Store(&mut got), activation);
                    prop_assert_eq!(&got, &want);
                    for layout in [Layout::F32, Layout::Bf16, Layout::U8, Layout::I16] {
                        // what was there before must not shine through
                        let mut operand = Operand::new();
                        operand.assign(&machine, Layout::F32, &[f32::NAN; 400], 1);
                        linear.multiply(&machine, &left, Output::Operand(&mut operand, layout.into()), activation);
                        let mut want = plain.clone();
                        if layout == Layout::F32 {
                            apply(cpu, activation, &mut want);
                        } else {
                            apply_coarsely(cpu, activation, &mut want);
                        }
                        let mut expected = Operand::new();
                        expected.assign(&machine, layout, &want, outputs);
                        prop_assert!(operand == expected, "{layout:?} on {}", cpu.isa());
                    }
                }
            }
        }
    }
}

#[test]
fn a_nan_reaches_exactly_its_row_and_a_nan_weight_its_column() {
    for cpu in Cpu::available() {
        for precision in PRECISIONS {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut problem = Problem::new(9, 50, 7, 1);
                problem.left[3 * 7 + 6] = bad;
                problem.weights[20 * 7 + 1] = bad;
                let out = problem.run(&Machine::new(cpu, 1), precision);
                for (i, x) in out.iter().enumerate() {
                    let hit = i / 50 == 3 || i % 50 == 20;
                    assert_eq!(!x.is_finite(), hit, "{} {precision} {bad}: {i}", cpu.isa());
                }
            }
        }
    }
}

#[test]
fn the_largest_magnitudes_of_int8_do_not_saturate() {
    for cpu in Cpu::available() {
        for sign in [1.0, -1.0] {
            let problem = Problem {
                left: vec![sign * 3.0; 3 * 512],
                weights: vec![2.0; 17 * 512],
                ..Problem::new(3, 17, 512, 0)
            };
            assert_eq!(
                problem.run(&Machine::new(cpu, 1), Precision::Int8),
                problem.int8(),
                "{}",
                cpu.isa()
            );
        }
    }
}

#[test]
fn zero_and_denormal_rows_give_the_bias() {
    for cpu in Cpu::available() {
        for value in [0.0, -0.0, 1e-40] {
            let problem = Problem {
                left: vec![value; 2 * 5],
                ..Problem::new(2, 3, 5, 4)
            };
            let out = problem.run(&Machine::new(cpu, 1), Precision::Int8);
            assert_eq!(out, [&problem.bias[..], &problem.bias[..]].concat());
        }
    }
}

#[test]
fn the_shapes_of_clip_are_close_to_exact() {
    if cfg!(miri) {
        return;
    }
    for (rows, outputs, inputs) in [
        (50, 768, 768),
        (50, 2304, 768),
        (12, 512, 2048),
        (1, 512, 768),
    ] {
        let problem = Problem::new(rows, outputs, inputs, 5).rounded_to_bf16();
        let want = problem.exact();
        for cpu in Cpu::available() {
            for precision in [Precision::F32, Precision::Bf16] {
                let got = problem.run(&Machine::new(cpu, 1), precision);
                assert_close(&got, &want, inputs, cpu.isa().name());
            }
        }
    }
}

#[test]
fn the_peak_counts_every_product() {
    for cpu in Cpu::available() {
        for precision in PRECISIONS {
            if let Some(operations) = peak(cpu, precision, 10) {
                let lanes = cpu.lanes() as u64;
                assert!(
                    operations.is_multiple_of(20 * lanes),
                    "{} {precision}",
                    cpu.isa()
                );
                // at least as many sums as hide the latency of an addition
                assert!(operations >= 20 * 8 * lanes);
            }
        }
    }
}

#[test]
fn precisions_have_names() {
    for precision in PRECISIONS {
        assert_eq!(precision.name().parse(), Ok(precision));
    }
    let error = Precision::from_str("f16").expect_err("not offered");
    assert_eq!(
        error.to_string(),
        "unknown precision \"f16\": expected f32, bf16 or int8"
    );
}

/// Results that are staged part by part: rows alone and in groups, on one thread and on two.
#[test]
#[cfg_attr(miri, ignore = "a million results")]
fn rows_encoded_in_parts_are_those_encoded_at_once() {
    let problem = Problem::new(90, 3000, 4, 7);
    for (cpu, threads) in Cpu::available()
        .into_iter()
        .flat_map(|cpu| [(cpu, 1), (cpu, 2)])
    {
        let machine = Machine::new(cpu, threads);
        let linear = problem.pack(cpu, Precision::Int8);
        let left = problem.left(&machine, linear.layout());
        let results = problem.run(&machine, Precision::Int8);
        for layout in [Layout::U8, Layout::I16] {
            for form in [Form::rows(layout), Form::groups(layout, 7)] {
                let (mut parts, mut whole) = (Operand::new(), Operand::new());
                let to = Output::Operand(&mut parts, form);
                linear.multiply(&machine, &left, to, Activation::None);
                whole.assign(&machine, form, &results, problem.outputs);
                assert!(parts == whole, "{form:?} on {}", cpu.isa());
            }
        }
    }
}

#[test]
fn parts_that_are_staged_are_whole_groups_of_about_the_bytes() {
    let machine = Machine::new(crate::dispatch::cpu(), 1);
    let mut operand = Operand::new();
    let mut at_once = |form: Form, rows: usize, bytes| {
        operand.assign(&machine, form, &vec![0.0; rows * 16], 16);
        operand.staged_at_once(bytes)
    };
    let alone = Form::rows(Layout::U8);
    assert_eq!(at_once(alone, 100, usize::MAX), 100);
    assert_eq!(at_once(alone, 100, 64 * 70), 100);
    assert_eq!(at_once(alone, 100, 64 * 50), 50);
    assert_eq!(at_once(alone, 100, 1), 1);
    let seven = Form::groups(Layout::U8, 7);
    assert_eq!(at_once(seven, 100, 64 * 50), 56);
    assert_eq!(at_once(seven, 100, 1), 7);
    assert_eq!(at_once(seven, 3, usize::MAX), 7);
}
