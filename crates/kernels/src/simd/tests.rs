//! Each instruction set's vocabulary against plain arithmetic, lane by lane.

use proptest::prelude::*;

use super::portable::bf16_bits;
use super::*;

/// Runs every operation on one vector each and collects the results.
struct Everything<'a> {
    a: &'a [f32],
    b: &'a [f32],
    c: &'a [f32],
}

#[derive(Debug, PartialEq)]
struct Results {
    exact: Vec<[u32; MAX_LANES]>,
    fused: Vec<[f32; MAX_LANES]>,
    bf16: Vec<u16>,
}

impl Kernel for Everything<'_> {
    type Output = Results;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Results {
        // a level with fewer lanes goes over the sixteen elements more than once
        let mut exact = vec![[0_u32; MAX_LANES]; 10];
        let mut fused = vec![[0_f32; MAX_LANES]; 2];
        let mut bf16 = vec![0; MAX_LANES];
        for at in (0..MAX_LANES).step_by(S::LANES) {
            let (a, b, c) = (
                s.load(&self.a[at..]),
                s.load(&self.b[at..]),
                s.load(&self.c[at..]),
            );
            let values = [
                s.add(a, b),
                s.sub(a, b),
                s.mul(a, b),
                s.max(a, b),
                s.min(a, b),
                s.abs(a),
                s.max_magnitude(a, s.abs(b)),
                s.round(a),
                s.splat(self.a[0]),
                a,
            ];
            for (row, value) in exact.iter_mut().zip(values) {
                let mut out = [0.0; MAX_LANES];
                s.store(value, &mut out);
                for (to, from) in row[at..].iter_mut().zip(&out[..S::LANES]) {
                    *to = from.to_bits();
                }
            }
            s.store(s.mul_add(a, b, c), &mut fused[0][at..]);
            s.store(s.neg_mul_add(a, b, c), &mut fused[1][at..]);
            s.store_bf16(a, &mut bf16[at..]);
        }
        Results { exact, fused, bf16 }
    }
}

fn finite() -> impl Strategy<Value = f32> {
    prop_oneof![
        -1e3_f32..1e3,
        -1.0_f32..1.0,
        Just(0.0),
        Just(0.5),
        Just(-2.5)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 256 }))]

    #[test]
    fn every_level_computes_what_the_portable_one_does(
        a in prop::collection::vec(finite(), MAX_LANES),
        b in prop::collection::vec(finite(), MAX_LANES),
        c in prop::collection::vec(finite(), MAX_LANES),
    ) {
        let work = || Everything { a: &a, b: &b, c: &c };
        let want = Cpu::PORTABLE.run(work());
        for cpu in Cpu::available() {
            let got = cpu.run(work());
            prop_assert_eq!(&got.exact, &want.exact, "{}", cpu.isa());
            prop_assert_eq!(&got.bf16, &want.bf16, "{}", cpu.isa());
            for (got, want) in got.fused.iter().flatten().zip(want.fused.iter().flatten()) {
                prop_assert!((got - want).abs() <= 0.25, "{}: {got} {want}", cpu.isa());
            }
        }
    }

    #[test]
    fn bf16_is_the_nearest_and_even_on_ties(bits in any::<u32>()) {
        let value = f32::from_bits(bits);
        let rounded = f32::from_bits(u32::from(bf16_bits(value)) << 16);
        if value.is_nan() {
            prop_assert!(rounded.is_nan());
        } else {
            let below = f32::from_bits(bits & 0xffff_0000);
            let above = f32::from_bits((bits & 0xffff_0000).wrapping_add(0x1_0000));
            let nearer = (f64::from(rounded) - f64::from(value)).abs();
            for other in [below, above] {
                if other.is_finite() && rounded.is_finite() {
                    prop_assert!(nearer <= (f64::from(other) - f64::from(value)).abs());
                }
            }
            if bits & 0xffff == 0x8000 {
                prop_assert_eq!(bf16_bits(value) & 1, 0);
            }
        }
    }
}

/// What two vectors of counted lanes look like zipped.
struct Zipped;

impl Kernel for Zipped {
    type Output = Vec<f32>;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Vec<f32> {
        let counted: Vec<f32> = (0..2 * S::LANES).map(|lane| lane as f32).collect();
        let (a, b) = (s.load(&counted), s.load(&counted[S::LANES..]));
        let mut out = vec![0.0; 2 * S::LANES];
        for (value, out) in s.zip(a, b).into_iter().zip(out.chunks_mut(S::LANES)) {
            s.store(value, out);
        }
        out
    }
}

#[test]
fn lanes_are_zipped_in_turns() {
    for cpu in Cpu::available() {
        let zipped = cpu.run(Zipped);
        let lanes = zipped.len() / 2;
        let expected = (0..lanes).flat_map(|lane| [lane as f32, (lanes + lane) as f32]);
        assert_eq!(zipped, expected.collect::<Vec<_>>(), "{}", cpu.isa());
    }
}

/// Two vectors as pairs of bf16 numbers, and three times their products with themselves.
struct Paired<'a>(&'a [f32]);

impl Kernel for Paired<'_> {
    type Output = (Vec<u32>, Vec<f32>);
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Self::Output {
        let pairs = s.bf16_pairs(s.load(self.0), s.load(&self.0[S::LANES..]));
        let mut sum = s.splat(0.5);
        for _ in 0..3 {
            sum = s.add_bf16_products(pairs, pairs, sum);
        }
        let (mut words, mut sums) = (vec![0.0; S::LANES], vec![0.0; S::LANES]);
        s.store(pairs, &mut words);
        s.store(sum, &mut sums);
        (words.into_iter().map(f32::to_bits).collect(), sums)
    }
}

#[test]
fn pairs_of_bf16_are_rounded_in_order_and_multiplied() {
    let mut x: Vec<f32> = (0..2 * MAX_LANES).map(|i| i as f32 / 3.0 - 4.0).collect();
    x[5] = f32::NAN;
    x[6] = f32::INFINITY;
    for cpu in Cpu::available() {
        let (words, sums) = cpu.run(Paired(&x));
        assert_eq!(words.len(), cpu.lanes());
        for ((word, sum), pair) in words.iter().zip(sums).zip(x.chunks_exact(2)) {
            let halves = [pair[0], pair[1]].map(bf16_bits);
            assert_eq!(*word, u32::from(halves[0]) | u32::from(halves[1]) << 16);
            let [a, b] = halves.map(|half| f32::from_bits(u32::from(half) << 16));
            let want = 3.0 * (a * a + b * b) + 0.5;
            let close = (sum - want).abs() <= 1e-6 * want || sum.to_bits() == want.to_bits();
            assert!(
                close || sum.is_nan() && want.is_nan(),
                "{}: {sum} {want}",
                cpu.isa()
            );
        }
    }
}

/// The operations with their own ranges or results.
struct Special<'a>(&'a [f32]);

impl Kernel for Special<'_> {
    type Output = (Vec<f32>, Vec<f32>, Vec<i16>, Vec<u8>, Vec<f32>, [f32; 2]);
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Self::Output {
        let x = self.0;
        let (mut scaled, mut inverse) = (vec![0.0; MAX_LANES], vec![0.0; MAX_LANES]);
        let (mut words, mut bytes) = (vec![0; MAX_LANES], vec![0; MAX_LANES]);
        let mut halves = vec![0.0; 2 * MAX_LANES];
        for at in (0..MAX_LANES).step_by(S::LANES) {
            let v = s.load(&x[at..]);
            s.store(s.scale(s.splat(1.5), s.round(v)), &mut scaled[at..]);
            s.store(
                s.reciprocal(s.add(s.abs(v), s.splat(1.0))),
                &mut inverse[at..],
            );
            s.store_i16(v, &mut words[at..]);
            s.store_u8(v, &mut bytes[at..]);
            let pairs: Vec<u32> = x[at..].iter().map(|x| x.to_bits()).collect();
            let [low, high] = s.load_bf16_pairs(&pairs);
            s.store(low, &mut halves[at..]);
            s.store(high, &mut halves[MAX_LANES + at..]);
        }
        let v = s.load(x);
        (
            scaled,
            inverse,
            words,
            bytes,
            halves,
            [s.sum(v), s.largest(v)],
        )
    }
}

#[test]
fn special_operations_keep_their_word_on_every_level() {
    let x: Vec<f32> = [
        -126.0, 127.0, 0.5, 1.5, 2.5, -0.5, -1.5, 3.7, 0.0, 100.0, -100.0, 42.4, -42.6, 7.0, 1.0,
        -1.0,
    ]
    .to_vec();
    for cpu in Cpu::available() {
        let (scaled, inverse, words, bytes, halves, [sum, largest]) = cpu.run(Special(&x));
        for (i, x) in x.iter().enumerate() {
            let whole = x.round_ties_even();
            assert_eq!(
                scaled[i].to_bits(),
                (1.5 * whole.exp2()).to_bits(),
                "{}",
                cpu.isa()
            );
            assert!((inverse[i] * (x.abs() + 1.0) - 1.0).abs() < 2.5e-7);
            assert_eq!(f32::from(words[i]), whole);
            assert_eq!(f32::from(bytes[i]), whole + 128.0);
            assert_eq!(halves[i].to_bits(), x.to_bits() << 16);
            assert_eq!(halves[MAX_LANES + i].to_bits(), x.to_bits() & 0xffff_0000);
        }
        let lanes = &x[..cpu.lanes()];
        assert!((sum - lanes.iter().sum::<f32>()).abs() < 1e-4);
        assert_eq!(largest, 127.0);
    }
}

/// Writes four vectors as bytes.
struct Four<'a>(&'a [f32]);

impl Kernel for Four<'_> {
    type Output = Vec<u8>;
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Vec<u8> {
        let mut bytes = vec![0; 4 * S::LANES];
        let values = [0, 1, 2, 3].map(|i| s.load(&self.0[i * S::LANES..]));
        s.store_four_u8(values, &mut bytes);
        bytes
    }
}

#[test]
fn four_vectors_become_bytes_in_order() {
    let x: Vec<f32> = (0..4 * MAX_LANES as i16)
        .map(|i| f32::from(i * 4 - 126) + 0.5)
        .collect();
    for cpu in Cpu::available() {
        let bytes = cpu.run(Four(&x));
        assert_eq!(bytes.len(), 4 * cpu.lanes());
        for (byte, x) in bytes.iter().zip(&x) {
            assert_eq!(
                f32::from(*byte),
                x.round_ties_even() + 128.0,
                "{}",
                cpu.isa()
            );
        }
    }
}

/// Loads `length` elements, alone and before others, and stores as many, with a guard behind; keeps as many lanes.
struct Heads<'a>(&'a [f32]);

impl Kernel for Heads<'_> {
    type Output = (Vec<f32>, Vec<f32>, Vec<f32>, Vec<f32>);
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Self::Output {
        let length = self.0.len().min(S::LANES);
        let value = s.load_head(&self.0[..length]);
        let (mut whole, mut part) = (vec![9.0; S::LANES], vec![9.0; length + 1]);
        s.store(value, &mut whole);
        s.store_head(value, &mut part[..length]);
        let (mut before, mut kept) = (vec![9.0; S::LANES], vec![9.0; S::LANES]);
        s.store(s.load_before(&self.0[..length], s.splat(7.0)), &mut before);
        s.store(s.keep(s.splat(5.0), length), &mut kept);
        (whole, part, before, kept)
    }
}

#[test]
fn heads_touch_only_their_elements() {
    for cpu in Cpu::available() {
        for length in 0..=cpu.lanes() {
            let x: Vec<f32> = (1..=length).map(|i| i as f32).collect();
            let (whole, part, before, kept) = cpu.run(Heads(&x));
            assert_eq!(&whole[..length], &x[..]);
            assert!(whole[length..].iter().all(|x| *x == 0.0));
            assert_eq!(&part[..length], &x[..]);
            assert_eq!(part[length], 9.0);
            assert_eq!(&before[..length], &x[..]);
            assert!(before[length..].iter().all(|x| *x == 7.0));
            assert!(kept[..length].iter().all(|x| *x == 5.0));
            assert!(kept[length..].iter().all(|x| *x == 0.0));
        }
    }
}

#[test]
fn comparisons_with_nan_answer_the_second_operand_or_the_largest() {
    struct Compare;
    impl Kernel for Compare {
        type Output = [f32; 6];
        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> [f32; 6] {
            let (nan, one) = (s.splat(f32::NAN), s.splat(1.0));
            let all = [
                s.max(nan, one),
                s.max(one, nan),
                s.min(nan, one),
                s.min(one, nan),
                s.max_magnitude(nan, one),
                s.max_magnitude(s.splat(f32::NEG_INFINITY), nan),
            ];
            let mut out = [0.0; 6];
            for (out, value) in out.iter_mut().zip(all) {
                s.store_head(value, std::slice::from_mut(out));
            }
            out
        }
    }
    for cpu in Cpu::available() {
        let [a, b, c, d, e, f] = cpu.run(Compare);
        assert!(
            a == 1.0 && b.is_nan() && c == 1.0 && d.is_nan(),
            "{}",
            cpu.isa()
        );
        assert!(e.is_nan() && f.is_nan(), "{}", cpu.isa());
    }
}
