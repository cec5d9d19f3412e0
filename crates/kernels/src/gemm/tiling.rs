//! The order in which the tiles of a product are computed, and how threads share them.

use std::ops::Range;

/// Bytes of rows that stay in the second level of cache from panel to panel, beside the weights.
const ROW_BYTES: usize = 192 * 1024;
/// Bytes of weights that stay there from block to block.
const WEIGHT_BYTES: usize = 512 * 1024;

/// What a product reads and writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes {
    pub rows: usize,
    pub weights: usize,
    pub results: usize,
}

/// Tiles in blocks of rows, in each block panel by panel.
///
/// A thread takes a range of this order, whether it has few panels and many rows (the first layers of a
/// convolutional network) or many panels and few rows (the last ones).
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiling {
    /// Tiles below each other.
    pub tiles: usize,
    pub panels: usize,
    blocks: usize,
}

impl Tiling {
    /// The order for operands and results of so many bytes: one that seldom reads again what does not fit into the cache.
    /// Where the weights do not stay in the cache anyway, no more than `kept_bytes` of rows are worked on at a time.
    ///
    /// The `threads` share blocks where these are more than the weights, so that a thread reads rows that it wrote itself
    /// in the layer before, and panels where the weights are more.
    pub fn new(
        (tiles, panels): (usize, usize),
        bytes: Bytes,
        kept_bytes: usize,
        threads: usize,
    ) -> Self {
        let rows_at_once = if bytes.weights <= WEIGHT_BYTES {
            ROW_BYTES
        } else {
            kept_bytes
        };
        let mut blocks = bytes.rows.div_ceil(rows_at_once).max(1);
        if bytes.rows + bytes.results > bytes.weights {
            blocks = blocks.next_multiple_of(threads);
        }
        Self {
            tiles,
            panels,
            blocks: blocks.min(tiles.max(1)),
        }
    }

    /// Tiles, of all panels.
    pub fn count(&self) -> usize {
        self.tiles * self.panels
    }

    /// Calls `run` with each panel and the tiles of it that are in `range` of the order.
    pub fn visit(&self, range: Range<usize>, mut run: impl FnMut(usize, Range<usize>)) {
        let mut first = 0;
        for block in 0..self.blocks {
            let top = self.tiles * block / self.blocks;
            let height = self.tiles * (block + 1) / self.blocks - top;
            for panel in 0..self.panels {
                let from = range.start.clamp(first, first + height) - first;
                let to = range.end.clamp(first, first + height) - first;
                if from < to {
                    run(panel, top + from..top + to);
                }
                first += height;
            }
        }
    }
}

/// How rows are cut into tiles: of equal heights, because seven 7-row ones do better than six of 8 and one of 2.
#[derive(Clone, Copy)]
pub(super) struct Heights {
    least: usize,
    /// So many of the first tiles have a row more.
    higher: usize,
}

impl Heights {
    pub fn new(rows: usize, tiles: usize) -> Self {
        let tiles = tiles.max(1);
        Self {
            least: rows / tiles,
            higher: rows % tiles,
        }
    }

    /// The rows of a tile.
    #[inline(always)]
    pub fn of(self, tile: usize) -> usize {
        self.least + usize::from(tile < self.higher)
    }

    /// The first row of a tile.
    pub fn start(self, tile: usize) -> usize {
        tile * self.least + tile.min(self.higher)
    }

    /// The most rows of a tile.
    pub fn most(self) -> usize {
        self.least + usize::from(self.higher > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(rows: usize, weights: usize) -> Bytes {
        Bytes {
            rows,
            weights,
            results: 0,
        }
    }

    #[test]
    fn ranges_of_the_order_visit_each_tile_once() {
        for (tiles, panels, row_bytes) in [(0, 3, 0), (1, 1, 1), (7, 11, 0), (23, 2, ROW_BYTES * 5)]
        {
            let tiling = Tiling::new((tiles, panels), bytes(row_bytes, 1), usize::MAX, 3);
            for pieces in [1, 2, 5, 8] {
                let mut visits = vec![0; tiling.count()];
                for piece in 0..pieces {
                    let at = |piece| tiling.count() * piece / pieces;
                    tiling.visit(at(piece)..at(piece + 1), |panel, tiles| {
                        tiles.for_each(|tile| visits[panel * tiling.tiles + tile] += 1);
                    });
                }
                assert!(visits.iter().all(|visits| *visits == 1), "{tiling:?}");
            }
        }
    }

    #[test]
    fn tiles_cover_all_rows_and_are_of_equal_heights() {
        for (rows, tiles) in [(0, 0), (1, 1), (8, 1), (50, 7), (400, 50), (401, 51)] {
            let heights = Heights::new(rows, tiles);
            let of = |tile| heights.start(tile + 1) - heights.start(tile);
            assert_eq!((heights.start(0), heights.start(tiles)), (0, rows));
            assert_eq!((0..tiles).map(of).max().unwrap_or(0), heights.most());
            assert!((0..tiles).all(|tile| of(tile) == heights.of(tile)));
            assert!((0..tiles).all(|tile| of(tile) + 1 >= heights.most()));
        }
    }

    #[test]
    fn rows_are_read_again_from_the_cache_if_the_weights_leave_room() {
        let order = |weight_bytes| {
            let mut order = Vec::new();
            let bytes = bytes(2 * ROW_BYTES, weight_bytes);
            let tiling = Tiling::new((4, 2), bytes, usize::MAX, 1);
            tiling.visit(0..8, |panel, tiles| order.push((panel, tiles)));
            order
        };
        assert_eq!(order(1), [(0, 0..2), (1, 0..2), (0, 2..4), (1, 2..4)]);
        assert_eq!(order(WEIGHT_BYTES + 1), [(0, 0..4), (1, 0..4)]);
        let kept = Tiling::new((4, 2), bytes(2 * ROW_BYTES, WEIGHT_BYTES + 1), ROW_BYTES, 1);
        assert_eq!(kept.blocks, 2);
    }

    #[test]
    fn threads_share_rows_or_weights_whichever_are_more() {
        let blocks = |weight_bytes, threads| {
            let bytes = bytes(ROW_BYTES, weight_bytes);
            Tiling::new((4, 2), bytes, usize::MAX, threads).blocks
        };
        assert_eq!([1, 2, 3, 8].map(|threads| blocks(1, threads)), [1, 2, 3, 4]);
        assert_eq!(blocks(ROW_BYTES, 2), 1);
    }
}
