use proptest::prelude::*;

use super::*;

/// Rows of every width up to a few vectors, plus one that fills them exactly.
fn widths() -> impl Strategy<Value = usize> {
    prop_oneof![1..200_usize, Just(512_usize), Just(1024)]
}

/// What a processor level gives for the rows: in order from the second on, and listed.
type Scores<S> = (Cpu, Vec<S>, Vec<S>);

/// The scores of every available processor level.
fn scores<C: Code>(matrix: &[C], query: &[C::Query], list: &[u32]) -> Vec<Scores<C::Sum>>
where
    C::Sum: Default,
{
    let rows = matrix.len() / query.len();
    let run = |cpu| {
        let mut all = vec![C::Sum::default(); rows - 1];
        score(cpu, matrix, Rows::From(1), query, &mut all);
        let mut listed = vec![C::Sum::default(); list.len()];
        score(cpu, matrix, Rows::Listed(list), query, &mut listed);
        (cpu, all, listed)
    };
    Cpu::available().into_iter().map(run).collect()
}

/// A matrix of rows of a width, a query and a list of rows, from one seed.
fn shape() -> impl Strategy<Value = (usize, usize, Vec<u32>, u64)> {
    (widths(), 2..30_usize).prop_flat_map(|(width, rows)| {
        let list = proptest::collection::vec(0..rows as u32, 0..40);
        (Just(width), Just(rows), list, any::<u64>())
    })
}

/// Deterministic bits without structure.
fn noise(count: usize, seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32
    })
    .take(count)
}

fn floats(count: usize, seed: u64) -> Vec<f32> {
    noise(count, seed)
        .map(|bits| bits as f32 / 2_147_483_648.0 - 1.0)
        .collect()
}

/// Checks sums of floats against double precision and list against order.
fn check_floats<C: Code<Sum = f32>>(
    matrix: &[C],
    query: &[C::Query],
    list: &[u32],
    value: impl Fn(C, C::Query) -> f64,
) -> Result<(), TestCaseError> {
    let exact: Vec<f64> = matrix
        .chunks_exact(query.len())
        .map(|row| row.iter().zip(query).map(|(a, b)| value(*a, *b)).sum())
        .collect();
    for (cpu, all, listed) in scores(matrix, query, list) {
        for (sum, exact) in all.iter().zip(&exact[1..]) {
            prop_assert!(
                (f64::from(*sum) - exact).abs() < 1e-6 * (query.len() + 10) as f64,
                "{:?}",
                cpu
            );
        }
        for (sum, row) in listed.iter().zip(list).filter(|(_, row)| **row > 0) {
            prop_assert_eq!(sum.to_bits(), all[*row as usize - 1].to_bits());
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn byte_products_are_exact_on_every_processor((width, rows, list, seed) in shape()) {
        let matrix: Vec<u8> = noise(width * rows, seed).map(|bits| bits as u8).collect();
        let query: Vec<i8> = noise(width, !seed).map(|bits| bits as i8).collect();
        let exact: Vec<i32> = matrix
            .chunks_exact(width)
            .map(|row| row.iter().zip(&query).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum())
            .collect();
        for (cpu, all, listed) in scores(&matrix, &query, &list) {
            prop_assert_eq!(&all, &exact[1..], "{:?}", cpu);
            prop_assert!(listed.iter().zip(&list).all(|(sum, row)| *sum == exact[*row as usize]));
        }
    }

    #[test]
    fn bf16_products_agree_with_double_precision((width, rows, list, seed) in shape()) {
        let half = |values: Vec<f32>| values.into_iter().map(Bf16::nearest).collect::<Vec<_>>();
        let (matrix, query) = (half(floats(width * rows, seed)), half(floats(width, !seed)));
        check_floats(&matrix, &query, &list, |a, b| f64::from(f32::from(a)) * f64::from(f32::from(b)))?;
    }

    #[test]
    fn float_products_agree_with_double_precision((width, rows, list, seed) in shape()) {
        let (matrix, query) = (floats(width * rows, seed), floats(width, !seed));
        check_floats(&matrix, &query, &list, |a, b| f64::from(a) * f64::from(b))?;
    }

    #[test]
    fn bf16_is_the_nearest(value in -1e30_f32..1e30) {
        let half = f32::from(Bf16::nearest(value));
        prop_assert!((half - value).abs() <= value.abs() / 256.0);
        prop_assert_eq!(Bf16::nearest(half), Bf16::nearest(value));
    }
}

#[test]
fn the_largest_bytes_do_not_overflow() {
    let (matrix, query) = (vec![255_u8; 8192 * 2], vec![-128_i8; 8192]);
    for (_, all, _) in scores(&matrix, &query, &[]) {
        assert_eq!(all, [-128 * 255 * 8192]);
    }
}

#[test]
#[should_panic(expected = "a row outside the matrix")]
fn rows_outside_the_matrix_are_refused() {
    score(
        Cpu::PORTABLE,
        &[0_u8; 8],
        Rows::Listed(&[0, 4]),
        &[0_i8; 2],
        &mut [0; 2],
    );
}

#[test]
#[should_panic(expected = "a row outside the matrix")]
fn ranges_outside_the_matrix_are_refused() {
    score(
        Cpu::PORTABLE,
        &[0_f32; 8],
        Rows::From(3),
        &[0.0; 2],
        &mut [0.0; 2],
    );
}
