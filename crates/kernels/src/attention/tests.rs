//! Attention on every level against plain loops, for ragged batches of odd sizes.

use proptest::prelude::*;

use super::*;
use crate::dispatch::Cpu;
use crate::simd::bf16_bits;
use crate::testing::Random;

#[derive(Clone, Debug)]
struct Problem {
    heads: usize,
    width: usize,
    lengths: Vec<usize>,
    causal: bool,
    numbers: Numbers,
    /// Queries, keys and values of each token, side by side.
    packed: Vec<f32>,
}

/// No number of a problem is larger.
const LARGEST: f32 = 3.0;

impl Problem {
    fn new(heads: usize, width: usize, lengths: Vec<usize>, causal: bool, seed: u64) -> Self {
        let tokens: usize = lengths.iter().sum();
        let mut packed = Random::new(seed).floats(tokens * 3 * heads * width);
        // enough spread that the weights differ
        for x in &mut packed {
            *x *= LARGEST;
        }
        Self {
            heads,
            width,
            lengths,
            causal,
            numbers: Numbers::F32,
            packed,
        }
    }

    fn with(self, numbers: Numbers) -> Self {
        Self { numbers, ..self }
    }

    /// How far a result may be from [`Problem::exact`].
    fn tolerance(&self) -> f64 {
        let weights = match self.numbers {
            Numbers::F32 => 0.0,
            // half a unit of the eight bits of a weight
            Numbers::Bf16 => f64::from(LARGEST) / 512.0,
        };
        5e-5 + weights
    }

    fn attention<'a>(&'a self, spans: &'a [Span]) -> Attention<'a> {
        let columns = self.heads * self.width;
        let part = |first| Tokens {
            rows: &self.packed,
            stride: 3 * columns,
            first,
        };
        Attention {
            heads: self.heads,
            width: self.width,
            queries: part(0),
            keys: part(columns),
            values: part(2 * columns),
            spans,
            causal: self.causal,
            numbers: self.numbers,
        }
    }

    fn run(&self, machine: &Machine) -> Vec<f32> {
        let spans = Span::whole(self.lengths.iter().copied());
        let tokens: usize = self.lengths.iter().sum();
        let mut out = vec![f32::NAN; tokens * self.heads * self.width];
        self.attention(&spans).apply(machine, &mut out);
        out
    }

    fn exact(&self) -> Vec<f64> {
        let columns = self.heads * self.width;
        let at = |row: usize, part: usize, column: usize| {
            let number = self.packed[row * 3 * columns + part * columns + column];
            f64::from(match self.numbers {
                Numbers::F32 => number,
                Numbers::Bf16 => f32::from_bits(u32::from(bf16_bits(number)) << 16),
            })
        };
        let mut out = Vec::new();
        let mut first = 0;
        for length in &self.lengths {
            for query in 0..*length {
                let seen = if self.causal { query + 1 } else { *length };
                for column in 0..columns {
                    let head = column / self.width * self.width;
                    let score = |key: usize| -> f64 {
                        let products = (head..head + self.width)
                            .map(|c| at(first + query, 0, c) * at(first + key, 1, c));
                        products.sum::<f64>() / (self.width as f64).sqrt()
                    };
                    let scores: Vec<f64> = (0..seen).map(score).collect();
                    let largest = scores.iter().fold(f64::NEG_INFINITY, |m, x| m.max(*x));
                    let weights: Vec<f64> = scores.iter().map(|x| (x - largest).exp()).collect();
                    let total: f64 = weights.iter().sum();
                    let value = |(key, weight): (usize, &f64)| weight * at(first + key, 2, column);
                    out.push(weights.iter().enumerate().map(value).sum::<f64>() / total);
                }
            }
            first += length;
        }
        out
    }
}

fn problems() -> impl Strategy<Value = Problem> {
    let (longest, widest): (usize, usize) = if cfg!(miri) { (5, 9) } else { (40, 70) };
    (
        1_usize..4,
        1..=widest,
        prop::collection::vec(1..=longest, 1..4),
        any::<bool>(),
        prop_oneof![Just(Numbers::F32), Just(Numbers::Bf16)],
        any::<u64>(),
    )
        .prop_map(|(heads, width, lengths, causal, numbers, seed)| {
            Problem::new(heads, width, lengths, causal, seed).with(numbers)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 40 }))]

    #[test]
    fn every_level_is_close_to_exact(problem in problems()) {
        let want = problem.exact();
        for cpu in Cpu::available() {
            let got = problem.run(&Machine::new(cpu, 1));
            for (got, want) in got.iter().zip(&want) {
                let error = (f64::from(*got) - want).abs();
                prop_assert!(error < problem.tolerance(), "{}: {got} {want}", cpu.isa());
            }
            prop_assert_eq!(&problem.run(&Machine::new(cpu, 3)), &got);
        }
    }

    #[test]
    fn a_sequence_alone_equals_itself_in_a_batch(problem in problems()) {
        for cpu in Cpu::available() {
            let machine = Machine::new(cpu, 1);
            let all = problem.run(&machine);
            let columns = problem.heads * problem.width;
            let mut first = 0;
            for length in &problem.lengths {
                let alone = Problem {
                    lengths: vec![*length],
                    packed: problem.packed[first * 3 * columns..(first + length) * 3 * columns].to_vec(),
                    ..problem.clone()
                };
                let want = &all[first * columns..(first + length) * columns];
                prop_assert_eq!(&alone.run(&machine)[..], want);
                first += length;
            }
        }
    }

    #[test]
    fn one_query_gets_what_it_gets_among_all(problem in problems()) {
        // the last token sees everything before it, causal or not
        let columns = problem.heads * problem.width;
        for cpu in Cpu::available() {
            let machine = Machine::new(cpu, 1);
            let all = problem.run(&machine);
            let ends: Vec<usize> = problem.lengths.iter().scan(0, |end, length| {
                *end += length;
                Some(*end)
            }).collect();
            let last_queries: Vec<f32> = ends
                .iter()
                .flat_map(|end| &problem.packed[(end - 1) * 3 * columns..][..columns])
                .copied()
                .collect();
            let spans = Span::single(problem.lengths.iter().copied());
            let attention = Attention {
                queries: Tokens { rows: &last_queries, stride: columns, first: 0 },
                ..problem.attention(&spans)
            };
            let mut got = vec![f32::NAN; ends.len() * columns];
            attention.apply(&machine, &mut got);
            for (got, end) in got.chunks_exact(columns).zip(ends) {
                prop_assert_eq!(got, &all[(end - 1) * columns..end * columns]);
            }
        }
    }
}

#[test]
fn operands_hold_the_encoded_results() {
    for (width, causal, numbers) in [
        (16, false, Numbers::F32),
        (7, true, Numbers::F32),
        (7, true, Numbers::Bf16),
    ] {
        let problem = Problem::new(2, width, vec![5, 1, 9], causal, 3).with(numbers);
        let spans = Span::whole(problem.lengths.iter().copied());
        for cpu in Cpu::available() {
            let machine = Machine::new(cpu, 2);
            let rows = problem.run(&machine);
            for layout in [Layout::F32, Layout::Bf16, Layout::U8, Layout::I16] {
                let (mut got, mut want) = (Operand::new(), Operand::new());
                problem
                    .attention(&spans)
                    .apply_to_operand(&machine, layout, &mut got);
                want.assign(&machine, layout, &rows, 2 * width);
                assert!(got == want, "{layout:?} on {}", cpu.isa());
            }
        }
    }
}

#[test]
fn clips_shapes_are_close_to_exact() {
    if cfg!(miri) {
        return;
    }
    let image = Problem::new(3, 64, vec![50, 50], false, 1);
    let text = Problem::new(2, 64, vec![77, 12], true, 2);
    let problems = [image, text];
    let both = [Numbers::F32, Numbers::Bf16];
    for problem in both
        .map(|numbers| problems.clone().map(|problem| problem.with(numbers)))
        .into_iter()
        .flatten()
    {
        let want = problem.exact();
        for cpu in Cpu::available() {
            let got = problem.run(&Machine::new(cpu, 2));
            for (got, want) in got.iter().zip(&want) {
                let error = (f64::from(*got) - want).abs();
                assert!(error < problem.tolerance(), "{}: {error}", cpu.isa());
            }
        }
    }
}

#[test]
fn a_nan_stays_in_its_sequence_and_head() {
    // value of head 1 of token 2 of the second sequence
    let mut problem = Problem::new(2, 8, vec![3, 4, 2], true, 9);
    problem.packed[(3 + 2) * 48 + 32 + 8] = f32::NAN;
    for (cpu, numbers) in Cpu::available()
        .into_iter()
        .flat_map(|cpu| [(cpu, Numbers::F32), (cpu, Numbers::Bf16)])
    {
        let out = problem.clone().with(numbers).run(&Machine::new(cpu, 1));
        for (i, x) in out.iter().enumerate() {
            let (row, column) = (i / 16, i % 16);
            let sees = column == 8 && (row == 5 || row == 6);
            let may_see = column == 8 && (3..7).contains(&row);
            let right = if sees {
                x.is_nan()
            } else {
                may_see || x.is_finite()
            };
            assert!(right, "{} row {row} column {column}", cpu.isa());
        }
    }
}

#[test]
fn no_sequence_is_no_work() {
    let problem = Problem::new(1, 4, vec![], false, 0);
    assert!(problem.run(&Machine::new(Cpu::PORTABLE, 1)).is_empty());
}

#[test]
#[should_panic(expected = "queries in order and without gaps")]
fn queries_with_a_gap_are_refused() {
    let problem = Problem::new(1, 4, vec![2, 2], false, 0);
    let mut spans = Span::whole([2, 2]);
    spans.swap(0, 1);
    problem
        .attention(&spans)
        .apply(&Machine::new(Cpu::PORTABLE, 1), &mut [0.0; 16]);
}
