//! Unit length, and the isometric lift from an encoder's dimension to a collection's.

use std::f64::consts::PI;

/// Shorter vectors are treated as zero rather than blown up to noise.
const TINY: f32 = 1e-6;

/// Euclidean norm.
pub(crate) fn norm(vector: &[f32]) -> f32 {
    vector.iter().map(|x| x * x).sum::<f32>().sqrt()
}

/// Scales to unit length in place; a vector of (nearly) no length stays (nearly) zero.
pub(crate) fn normalise(vector: &mut [f32]) {
    let scale = norm(vector).max(TINY).recip();
    for x in vector {
        *x *= scale;
    }
}

/// An isometric map into a space of more dimensions: the first rows of the orthonormal DCT-II basis.
///
/// Cosines, inner products and distances survive. Padding with zeros would do that too, but it starves quantisers
/// that give every column its bits; the cosine basis spreads the energy over all columns.
#[derive(Debug)]
pub(crate) struct Lift {
    to: usize,
    /// `from` rows of `to` values.
    rows: Vec<f32>,
}

impl Lift {
    /// # Panics
    /// When `to <= from`: equal needs no lift, fewer cannot be isometric. The caller refuses that with a message.
    pub(crate) fn new(from: u32, to: u32) -> Self {
        assert!(from < to, "a lift goes upwards");
        let step = PI / f64::from(to);
        let scale = (2.0 / f64::from(to)).sqrt();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the basis is computed in f64 and stored in f32"
        )]
        let rows = (0..from)
            .flat_map(|n| {
                (0..to).map(move |k| match n {
                    0 => (1.0 / f64::from(to)).sqrt() as f32,
                    _ => (scale * (step * (f64::from(k) + 0.5) * f64::from(n)).cos()) as f32,
                })
            })
            .collect();
        Self {
            to: to as usize,
            rows,
        }
    }

    /// `vector` has the `from` values that the lift was made for; the answer has `to`.
    pub(crate) fn apply(&self, vector: &[f32]) -> Vec<f32> {
        let mut lifted = vec![0.0; self.to];
        for (&x, row) in vector.iter().zip(self.rows.chunks_exact(self.to)) {
            for (y, &basis) in lifted.iter_mut().zip(row) {
                *y += x * basis;
            }
        }
        lifted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pseudo_random(seed: u32, length: usize) -> Vec<f32> {
        let mut state = seed;
        let mut vector: Vec<f32> = (0..length)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f32::from((state >> 16) as u16) / 32_768.0 - 1.0
            })
            .collect();
        normalise(&mut vector);
        vector
    }

    fn dot(a: &[f32], b: &[f32]) -> f32 {
        a.iter().zip(b).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn lift_keeps_every_cosine() {
        for to in [513, 640, 768, 1024, 1536, 2048, 2560] {
            let lift = Lift::new(512, to);
            let vectors: Vec<_> = (1..9).map(|seed| pseudo_random(seed, 512)).collect();
            let lifted: Vec<_> = vectors.iter().map(|v| lift.apply(v)).collect();
            for (a, high_a) in vectors.iter().zip(&lifted) {
                assert_eq!(high_a.len(), to as usize);
                for (b, high_b) in vectors.iter().zip(&lifted) {
                    assert!((dot(a, b) - dot(high_a, high_b)).abs() < 1e-5, "to {to}");
                }
            }
        }
    }

    #[test]
    fn lift_spreads_the_energy_over_all_columns() {
        let lifted = Lift::new(512, 1024).apply(&pseudo_random(3, 512));
        let upper: f32 = lifted[512..].iter().map(|x| x * x).sum();
        assert!((0.3..0.7).contains(&upper), "upper half holds {upper}");
    }

    #[test]
    fn zero_stays_zero() {
        let mut vector = vec![0.0; 8];
        normalise(&mut vector);
        assert_eq!(vector, vec![0.0; 8]);
    }
}
