//! Which way of searching a segment is cheapest.
//!
//! Called for every query. Estimates come from what a scan, a scan of matches and
//! a step through a graph cost on this machine with this segment, measured when
//! the segment is taken into use ([`Costs::measure`]), and from what the recall
//! check said about the graph. Every choice is counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::Metric;
use crate::block::NOW;
use crate::hnsw::node_set::NodeSet;
use crate::metric::Ranker;
use crate::segment::{Ask, Segment, Way};
use crate::topk::TopK;

/// How a query was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Plan {
    /// By a scan of the vectors themselves: there are no codes yet, or none for the metric.
    Vectors,
    /// By a scan of all codes, and the vectors of the best.
    ScanAll,
    /// By a scan of the codes that the filter keeps, and the vectors of the best.
    ScanMatches,
    /// By the graph.
    Graph,
    /// By the graph among what the filter keeps.
    BoundedGraph,
    /// By the graph among what the filter keeps, which took too long, and then by a scan.
    BoundedGraphThenScan,
}

impl Plan {
    /// All plans, in the order of [`PlanCounts`].
    pub const ALL: [Self; 6] = [
        Self::Vectors,
        Self::ScanAll,
        Self::ScanMatches,
        Self::Graph,
        Self::BoundedGraph,
        Self::BoundedGraphThenScan,
    ];

    /// A short name for logs and counters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vectors => "vectors",
            Self::ScanAll => "scan_all",
            Self::ScanMatches => "scan_matches",
            Self::Graph => "graph",
            Self::BoundedGraph => "bounded_graph",
            Self::BoundedGraphThenScan => "bounded_graph_then_scan",
        }
    }
}

/// How often each plan of [`Plan::ALL`] was taken.
#[derive(Debug, Default)]
pub(crate) struct PlanCounts([AtomicU64; Plan::ALL.len()]);

impl PlanCounts {
    pub fn count(&self, plan: Plan) {
        self.0[plan as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub fn all(&self) -> [(Plan, u64); Plan::ALL.len()] {
        Plan::ALL.map(|plan| (plan, self.0[plan as usize].load(Ordering::Relaxed)))
    }
}

/// What searching a segment costs, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Costs {
    /// A row of a scan of all.
    scan: f64,
    /// A row of a scan of matches.
    matching: f64,
    /// A distance measured in a graph, and all that comes with it.
    step: f64,
}

/// A filtered walk may cost this part of what a scan would, before it is given up:
/// then the query has cost half as much again as the scan alone.
const WALK_PART: f64 = 0.5;

impl Costs {
    /// Searches for some of the segment's own vectors in each way and keeps the
    /// fastest time of each: noise only ever adds.
    pub fn measure(segment: &Segment, metric: Metric) -> Self {
        const TRIALS: usize = 3;
        const MATCHES: usize = 2048;
        const K: usize = 10;
        let nodes = segment.owners.len();
        let mut matches = NodeSet::empty(nodes);
        let step = (nodes / MATCHES).max(1);
        (0..nodes)
            .step_by(step)
            .for_each(|node| matches.insert(node as u32));
        let ef = segment.tuning.ef(K).unwrap_or(1);
        let walk = Way::Graph {
            ef,
            budget: usize::MAX,
        };
        let fastest = |way: Way, keep: Option<&NodeSet>, units: f64| {
            let time = |trial: usize| {
                let node = (trial * nodes / TRIALS) as u32;
                let vector = segment.blocks.vector(segment.owners.slot(node));
                let Ok(ranker) = Ranker::new(metric, vector.len(), vector) else {
                    return f64::INFINITY;
                };
                let ask = Ask {
                    ranker: &ranker,
                    vector,
                    k: K,
                    allowed: None,
                    now: NOW,
                };
                let start = Instant::now();
                segment.search(&ask, way, keep, &mut TopK::new(K));
                start.elapsed().as_nanos() as f64 / units.max(1.0)
            };
            let trials = if nodes == 0 { 0 } else { TRIALS };
            (0..trials).map(time).fold(f64::INFINITY, f64::min)
        };
        Self {
            scan: fastest(Way::ScanAll, None, nodes as f64),
            matching: fastest(Way::ScanMatches, Some(&matches), matches.len() as f64),
            step: fastest(walk, None, segment.tuning.distances(ef)),
        }
    }

    /// The cheapest way to the `k` best of the nodes kept, and its name.
    pub fn choose(&self, segment: &Segment, k: usize, keep: Option<&NodeSet>) -> (Way, Plan) {
        let nodes = segment.owners.len() as f64;
        let kept = keep.map_or(nodes, |keep| keep.len() as f64);
        let (scan, scan_ns) = self.cheapest_scan(nodes, keep.map(|_| kept));
        let Some(ef) = segment.tuning.ef(k).filter(|_| segment.graph.is_some()) else {
            return scan;
        };
        if keep.is_some() {
            // To find as many nodes that are kept, so many more are looked at.
            let looked_at = (ef as f64 * nodes / kept.max(1.0)) as usize;
            let walk_ns = segment.tuning.distances(looked_at) * self.step;
            let budget = (WALK_PART * scan_ns / self.step) as usize;
            if walk_ns < WALK_PART * scan_ns {
                return (Way::Graph { ef, budget }, Plan::BoundedGraph);
            }
        } else if segment.tuning.distances(ef) * self.step < scan_ns {
            let budget = usize::MAX;
            return (Way::Graph { ef, budget }, Plan::Graph);
        }
        scan
    }

    /// The cheapest exact way, and its name.
    pub fn choose_scan(&self, segment: &Segment, keep: Option<&NodeSet>) -> (Way, Plan) {
        let nodes = segment.owners.len() as f64;
        self.cheapest_scan(nodes, keep.map(|keep| keep.len() as f64))
            .0
    }

    /// The graph, whatever it costs, if there is one.
    pub fn choose_graph(
        &self,
        segment: &Segment,
        ef: usize,
        keep: Option<&NodeSet>,
    ) -> (Way, Plan) {
        if segment.graph.is_none() {
            return self.choose_scan(segment, keep);
        }
        let budget = usize::MAX;
        let plan = if keep.is_some() {
            Plan::BoundedGraph
        } else {
            Plan::Graph
        };
        (Way::Graph { ef, budget }, plan)
    }

    /// The cheapest scan of so many nodes, of which a filter keeps some, and its time.
    fn cheapest_scan(&self, nodes: f64, kept: Option<f64>) -> ((Way, Plan), f64) {
        let all = nodes * self.scan;
        let matches = kept.map_or(f64::INFINITY, |kept| kept * self.matching);
        if all <= matches {
            ((Way::ScanAll, Plan::ScanAll), all)
        } else {
            ((Way::ScanMatches, Plan::ScanMatches), matches)
        }
    }
}
