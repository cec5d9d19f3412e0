//! What a vector index can be asked for, with the ranges of semantics.md (`CreateDocumentCollection`).
//!
//! `HnswM` and `HnswEfConstruction` shape the graph, once there are so many vectors that one is
//! worth it. The rest is checked and kept, so that a program that would fail against the service
//! fails here, too.

use std::num::NonZero;

use lookalike_index::{Metric, Options};
use serde::{Deserialize, Serialize};

use crate::error::EngineError;

/// The algorithms of the API.
const ALGORITHMS: [&str; 3] = ["hnswflat", "novam", "novad"];

/// Those that it has for sparse vectors.
const SPARSE_ALGORITHMS: [&str; 2] = ["hnswflat", "novam"];

/// Options as a request has them; absent ones are the service's defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IndexOptions {
    /// `hnswflat`, `novam` or `novad`.
    pub algorithm: Option<String>,
    /// 1 to 1000.
    pub hnsw_m: Option<u32>,
    /// 4 to 4000, and at least twice `hnsw_m` when both are given.
    pub hnsw_ef_construction: Option<u32>,
    /// 0 or 1.
    pub pq_enable: Option<u32>,
    /// 0 or 1.
    pub external_storage: Option<u32>,
    /// 2 to 1,073,741,824.
    pub nlist: Option<u32>,
    /// 1 to 8.
    pub rabitq_bits: Option<u32>,
}

impl IndexOptions {
    /// The same options if all are within their ranges.
    pub(crate) fn checked(&self) -> Result<Self, EngineError> {
        match self.fault(&ALGORITHMS) {
            None => Ok(self.clone()),
            Some((field, reason)) => Err(EngineError::invalid(field, reason)),
        }
    }

    /// Checks the `SparseVectorIndexConfig` of a new collection. It shapes nothing: searches by
    /// sparse vectors are exact.
    pub(crate) fn check_sparse(&self) -> Result<(), EngineError> {
        match self.fault(&SPARSE_ALGORITHMS) {
            None => Ok(()),
            Some((field, reason)) => Err(EngineError::invalid(
                "SparseVectorIndexConfig",
                format!("{field}: {reason}"),
            )),
        }
    }

    /// The first field that is wrong, and why.
    fn fault(&self, algorithms: &[&str]) -> Option<(&'static str, String)> {
        if let Some(algorithm) = &self.algorithm
            && !algorithms.contains(&algorithm.as_str())
        {
            return Some((
                "Algorithm",
                format!(
                    "'{algorithm}' is not an algorithm; valid are {}",
                    algorithms.join(", ")
                ),
            ));
        }
        for (field, value, min, max) in [
            ("HnswM", self.hnsw_m, 1, 1000),
            ("HnswEfConstruction", self.hnsw_ef_construction, 4, 4000),
            ("PqEnable", self.pq_enable, 0, 1),
            ("ExternalStorage", self.external_storage, 0, 1),
            ("Nlist", self.nlist, 2, 1 << 30),
            ("RabitqBits", self.rabitq_bits, 1, 8),
        ] {
            if let Some(value) = value
                && !(min..=max).contains(&value)
            {
                return Some((
                    field,
                    format!("{value} is outside the range {min} to {max}"),
                ));
            }
        }
        if let (Some(m), Some(ef)) = (self.hnsw_m, self.hnsw_ef_construction)
            && ef < 2 * m
        {
            return Some((
                "HnswEfConstruction",
                format!("{ef} is less than twice HnswM, which is {m}"),
            ));
        }
        None
    }
}

/// How the vectors of a collection are searched: by a graph of the shape asked for where that is
/// the cheapest way, or always exactly when no index is asked for.
pub(crate) fn for_search(index: Option<&IndexOptions>, dimension: u32, metric: Metric) -> Options {
    let mut options = Options::new(dimension as usize, metric);
    // The graph is made in the background: requests and jobs keep half of the cores.
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    options.fold_threads = (cores / 2).max(1);
    let Some(index) = index else {
        options.graph_min_bytes = usize::MAX;
        return options;
    };
    options.m = index.hnsw_m.map_or(options.m, |m| m as usize);
    options.ef_construction = (index.hnsw_ef_construction)
        .map_or(options.ef_construction.max(2 * options.m), |ef| ef as usize);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused_field(options: &IndexOptions) -> Option<&'static str> {
        match options.checked() {
            Ok(_) => None,
            Err(EngineError::Invalid { field, .. }) => Some(field),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn ranges_are_checked_at_their_edges() {
        let options = IndexOptions::default;
        assert_eq!(refused_field(&options()), None);
        for (m, refused) in [
            (0, Some("HnswM")),
            (1, None),
            (1000, None),
            (1001, Some("HnswM")),
        ] {
            assert_eq!(
                refused_field(&IndexOptions {
                    hnsw_m: Some(m),
                    ..options()
                }),
                refused
            );
        }
        for (bits, refused) in [(0, Some("RabitqBits")), (8, None), (9, Some("RabitqBits"))] {
            assert_eq!(
                refused_field(&IndexOptions {
                    rabitq_bits: Some(bits),
                    ..options()
                }),
                refused
            );
        }
        assert_eq!(
            refused_field(&IndexOptions {
                pq_enable: Some(2),
                ..options()
            }),
            Some("PqEnable")
        );
        assert_eq!(
            refused_field(&IndexOptions {
                algorithm: Some("flat".to_owned()),
                ..options()
            }),
            Some("Algorithm")
        );
    }

    #[test]
    fn ef_construction_is_at_least_twice_m() {
        let with = |ef| IndexOptions {
            hnsw_m: Some(16),
            hnsw_ef_construction: Some(ef),
            ..IndexOptions::default()
        };
        assert_eq!(refused_field(&with(32)), None);
        assert_eq!(refused_field(&with(31)), Some("HnswEfConstruction"));
    }

    #[test]
    fn a_sparse_index_has_algorithms_of_its_own_and_the_same_ranges() {
        let check = |algorithm: &str, m| {
            let options = IndexOptions {
                algorithm: Some(algorithm.to_owned()),
                hnsw_m: Some(m),
                ..IndexOptions::default()
            };
            options.check_sparse().map_err(|error| error.to_string())
        };
        assert_eq!(check("hnswflat", 1), Ok(()));
        assert_eq!(check("novam", 1000), Ok(()));
        let refused = |algorithm, m| check(algorithm, m).unwrap_err();
        assert!(refused("novad", 1).contains("valid are hnswflat, novam"));
        let message = refused("novam", 1001);
        assert!(
            message.contains("SparseVectorIndexConfig") && message.contains("HnswM: 1001"),
            "{message}"
        );
    }

    #[test]
    fn the_graph_has_the_shape_asked_for() {
        let shape = |m, ef| {
            let index = IndexOptions {
                hnsw_m: m,
                hnsw_ef_construction: ef,
                ..IndexOptions::default()
            };
            let options = for_search(Some(&index), 512, Metric::Cosine);
            (options.m, options.ef_construction)
        };
        assert_eq!(shape(None, None), (16, 200));
        assert_eq!(shape(Some(24), Some(64)), (24, 64));
        // At least twice m, where nothing else is asked for.
        assert_eq!(shape(Some(500), None), (500, 1000));
        let none = for_search(None, 512, Metric::Cosine);
        assert_eq!(none.graph_min_bytes, usize::MAX, "no index, no graph");
    }
}
