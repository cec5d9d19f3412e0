//! Every level against sums without vectors, and without weights cut in two.

use proptest::prelude::*;

use super::*;

/// Sums without weights cut in two, and without vectors.
fn expected(lines: Lines<'_>, kept: Range<usize>, outputs: &[(usize, Vec<i32>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (start, weights) in outputs {
        for column in kept.clone() {
            let mut sum = i64::from(ONE_HALF);
            for (i, weight) in weights.iter().enumerate() {
                let row = start + i - lines.first;
                sum += i64::from(*weight) * i64::from(lines.bytes[row * lines.stride + column]);
            }
            out.push((sum >> WEIGHT_BITS).clamp(0, 255) as u8);
        }
    }
    out
}

fn taps(outputs: &[(usize, Vec<i32>)]) -> Taps {
    let mut taps = Taps::with_capacity(outputs.len(), 4);
    for (start, weights) in outputs {
        taps.push(*start, weights);
    }
    taps
}

/// Outputs over so many samples, from sample 2 on.
fn outputs(samples: usize) -> impl Strategy<Value = Vec<(usize, Vec<i32>)>> {
    let weights = prop_oneof![
        Just(vec![1 << WEIGHT_BITS]),
        Just(vec![-400_000, 2_500_000, 2_500_000, -405_696]),
        Just(vec![5_000_000, -900_000, 94_304]),
        Just(vec![-2_000_000; 3]),
        Just(vec![4_000_000; 2]),
        prop::collection::vec(-800_000..800_000, 1..6),
    ];
    let output = (2..samples - 6, weights);
    prop::collection::vec(output, 1..20).prop_map(|mut outputs| {
        outputs.sort();
        outputs
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

    #[test]
    fn every_level_sums_rows_exactly(
        outputs in outputs(12),
        stride in 1_usize..200,
        cut in (0.0..1.0, 0.0..1.0),
        bytes in prop::collection::vec(any::<u8>(), 200 * 10),
    ) {
        let from = (cut.0 * stride as f64) as usize;
        let kept = from..from + (cut.1 * (stride - from) as f64) as usize;
        let lines = Lines { bytes: &bytes[..10 * stride], stride, first: 2 };
        let want = expected(lines, kept.clone(), &outputs);
        for cpu in Cpu::available() {
            prop_assert_eq!(&sum_rows(cpu, lines, kept.clone(), &taps(&outputs)), &want);
        }
    }

    #[test]
    fn every_level_sums_columns_exactly(
        outputs in outputs(60),
        rows in 1_usize..140,
        seed in any::<u64>(),
    ) {
        let mut random = crate::testing::Random::new(seed);
        let bytes: Vec<u8> = random.floats(rows * 60 * 3).iter().map(|x| (x * 127.0 + 128.0) as u8).collect();
        let want: Vec<u8> = bytes
            .chunks(60 * 3)
            .flat_map(|row| {
                let pixels = Lines { bytes: row, stride: 3, first: 0 };
                expected(pixels, 0..3, &outputs)
            })
            .collect();
        let lines = Lines { bytes: &bytes, stride: 60 * 3, first: 0 };
        for cpu in Cpu::available() {
            prop_assert_eq!(&sum_columns(cpu, lines, &taps(&outputs)), &want);
        }
    }
}

#[test]
fn squares_are_transposed() {
    type Sixteen = portable::Sixteen;
    let byte = |line: usize, column: usize| (line * SQUARE + column) as u8;
    let line = |line| -> [u8; SQUARE] { std::array::from_fn(|column| byte(line, column)) };
    let square = std::array::from_fn(|i| Sixteen::load(&line(i)));
    for (line, lanes) in transpose::<Sixteen>(square).into_iter().enumerate() {
        let mut bytes = [0; SQUARE];
        lanes.store(&mut bytes);
        assert_eq!(bytes, std::array::from_fn(|column| byte(column, line)));
    }
}

#[test]
#[should_panic(expected = "last.start <= start")]
fn outputs_come_in_order() {
    taps(&[(5, vec![1]), (4, vec![1])]);
}
