//! Exact scans of stored vectors, block by block.
//!
//! Called for what has no codes yet and for metrics that codes do not serve.

use crate::block::Block;
use crate::segment::Ask;
use crate::topk::TopK;

/// Rows ranked at a time: ranks stay in the first-level cache.
const STRETCH: usize = 128;

/// Offers the living, allowed rows of a block with their ranks.
pub(crate) fn scan(block: &Block, ask: &Ask<'_>, top: &mut TopK<u64>) {
    let mut ranks = [0.0; STRETCH];
    for first in (0..block.len()).step_by(STRETCH) {
        let ranks = &mut ranks[..STRETCH.min(block.len() - first)];
        block.rank(ask.ranker, first, ranks);
        for (at, rank) in ranks.iter().enumerate() {
            let row = first + at;
            if *rank >= top.floor()
                && ask.may_answer(block.keys()[row], block.is_dead(row, ask.now))
            {
                top.push(*rank, block.keys()[row]);
            }
        }
    }
}
