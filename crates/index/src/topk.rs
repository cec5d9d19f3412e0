//! Keeps the best k of a stream of ranks, and everything that ties with the
//! last of them.

/// The best entries seen so far. Larger ranks are better; NaN is not taken.
pub(crate) struct TopK<T> {
    k: usize,
    entries: Vec<(f32, T)>,
    /// Ranks below this cannot be among the best k any more.
    floor: f32,
}

impl<T: Copy> TopK<T> {
    pub fn new(k: usize) -> Self {
        Self {
            k,
            entries: Vec::with_capacity(2 * k.min(4096) + 64),
            floor: f32::NEG_INFINITY,
        }
    }

    #[inline]
    pub fn push(&mut self, rank: f32, value: T) {
        if rank >= self.floor {
            self.entries.push((rank, value));
            if self.entries.len() >= 2 * self.k + 64
                && self.entries.len() == self.entries.capacity()
            {
                self.cut();
            }
        }
    }

    /// Offers consecutive entries, `value(i)` for `ranks[i]`.
    pub fn extend(&mut self, ranks: &[f32], value: impl Fn(usize) -> T) {
        for (index, rank) in ranks.iter().enumerate() {
            if *rank >= self.floor {
                self.push(*rank, value(index));
            }
        }
    }

    /// Drops what can no longer win. Ties with the k-th stay, so the buffer may
    /// stay full of them: then it grows, and cutting stays amortised.
    fn cut(&mut self) {
        if self.entries.len() > self.k {
            self.entries
                .select_nth_unstable_by(self.k - 1, |a, b| b.0.total_cmp(&a.0));
            self.floor = self.entries[self.k - 1].0;
            let floor = self.floor;
            self.entries.retain(|entry| entry.0 >= floor);
        }
        if self.entries.len() * 2 > self.entries.capacity() {
            self.entries.reserve(self.entries.len() + 64);
        }
    }

    /// The best k and their ties, in no particular order.
    pub fn into_entries(mut self) -> Vec<(f32, T)> {
        self.cut();
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(k: usize, ranks: &[f32]) -> Vec<usize> {
        let mut top = TopK::new(k);
        top.extend(ranks, |index| index);
        let mut kept: Vec<usize> = top
            .into_entries()
            .into_iter()
            .map(|entry| entry.1)
            .collect();
        kept.sort_unstable();
        kept
    }

    #[test]
    fn ties_with_the_last_place_stay() {
        assert_eq!(kept(2, &[1.0, 3.0, 2.0, 2.0, 0.0]), [1, 2, 3]);
        assert_eq!(kept(1, &[2.0; 500]), (0..500).collect::<Vec<_>>());
    }

    #[test]
    fn fewer_than_k_are_all_kept_and_nan_never() {
        assert_eq!(kept(5, &[1.0, f32::NAN, 0.5]), [0, 2]);
    }

    #[test]
    fn ascending_input_keeps_the_end() {
        let ranks: Vec<f32> = (0..10_000_u16).map(f32::from).collect();
        assert_eq!(kept(3, &ranks), [9997, 9998, 9999]);
    }
}
