//! What was read from a file, before it is trusted: checksums find accidents, and
//! these checks keep whatever they let through from making a search panic.

use crate::SnapshotError;
use crate::block::{Blocks, NOW};
use crate::hnsw::Graph;
use crate::hnsw::tune::Tuning;
use crate::quantise::{AnyCodes, with_codes};
use crate::segment::{Owners, Parts};

/// The content of a file.
pub(super) struct Loaded {
    pub blocks: Blocks,
    /// The slot of each row, by ascending key.
    pub slots: Vec<u32>,
    /// The node of each row, by ascending key.
    pub nodes: Vec<u32>,
    pub owners: Owners,
    pub codes: AnyCodes,
    pub graph: Option<Graph>,
    pub tuning: Tuning,
}

impl Loaded {
    /// A segment's parts, if they fit together.
    pub fn checked(self) -> Result<Parts, SnapshotError> {
        let count = with_codes!(&self.codes, codes => codes.len());
        let node_exists = |node: &u32| (*node as usize) < count;
        let rules = [
            (
                self.owners.len() == count,
                "nodes and codes disagree in number",
            ),
            (
                self.slots.len() == self.nodes.len(),
                "rows and their nodes disagree in number",
            ),
            (self.nodes.iter().all(node_exists), "a row has no node"),
            (
                self.slots.iter().all(|slot| self.blocks.has(*slot)),
                "a row has no vector",
            ),
            (self.owners.are_valid(&self.blocks), "a node has no vector"),
            (
                self.graph
                    .as_ref()
                    .is_none_or(|graph| graph.is_valid(count)),
                "a link leads nowhere",
            ),
        ];
        if let Some((_, broken)) = rules.into_iter().find(|(kept, _)| !kept) {
            return Err(SnapshotError::Damaged(broken));
        }
        let blocks = &self.blocks;
        let rows: Vec<(u64, u32, u32)> = self
            .slots
            .iter()
            .zip(&self.nodes)
            .filter(|(slot, _)| !blocks.is_dead(**slot, NOW))
            .map(|(slot, node)| (blocks.key(*slot), *slot, *node))
            .collect();
        if !rows.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(SnapshotError::Damaged("keys are not in order"));
        }
        Ok(Parts {
            rows,
            blocks: self.blocks,
            owners: self.owners,
            codes: self.codes,
            graph: self.graph,
            tuning: self.tuning,
        })
    }
}
