//! Which paths a query takes, one after the other, and what becomes of their answers.
//!
//! Called by [`super::search`] under the collection's lock for searching. A path is taken when the
//! query looks for something by it; how answers are mixed is [`super::fuse`]'s business.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, RwLock},
};

use lookalike_index::{Bitmap, Hit, Metric, SparseIndex, TextIndex, VectorIndex};
use tokio::sync::OwnedRwLockReadGuard;

use super::{
    fuse::{Candidate, Rule, Scored, fuse, ranks},
    hybrid::Fusion,
    paths::{Answer, Ask, Path, PerPath, RetrievalSource, dense, full_text, sparse},
};
use crate::{
    columns::Reader,
    cpu::Cpu,
    error::EngineError,
    lookup::{SparseRecipe, TextRecipe},
    resident::Resident,
    store::collection::CollectionRow,
};

/// Hits that each path is asked for at least, so that a row which is good by all of them is found
/// even where it is among the best by none.
pub(super) const MIN_CANDIDATES: usize = 100;

/// Hits that are taken of a path at most: it answers with all that tie with the last, and a thousand
/// copies of a text tie.
const MAX_CANDIDATES: usize = 3000;

/// What a query looks for. Each of them is a path.
#[derive(Debug, Clone, Default)]
pub(super) struct Sought {
    /// Rows near this vector, which has the collection's length.
    pub(super) vector: Option<Vec<f32>>,
    /// Rows whose sparse vectors have large inner products with this.
    pub(super) sparse: Option<Vec<(u32, f32)>>,
    /// Rows with any of these words.
    pub(super) words: Option<Vec<String>>,
}

impl Sought {
    fn taken(&self) -> PerPath<bool> {
        PerPath {
            dense: self.vector.is_some(),
            sparse: self.sparse.is_some(),
            full_text: self.words.is_some(),
        }
    }
}

/// How to look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) metric: Metric,
    /// How many rows.
    pub(super) k: usize,
    /// How several answers become one; `None` searches by vector alone.
    pub(super) fusion: Option<Fusion>,
}

/// Where to look.
pub(super) struct Scene<'a> {
    pub(super) cpu: &'a Cpu,
    pub(super) row: &'a CollectionRow,
    pub(super) resident: &'a Resident,
    pub(super) index: &'a Arc<OwnedRwLockReadGuard<VectorIndex>>,
    pub(super) allowed: Option<Arc<Bitmap>>,
}

/// The rows that were found: the best `k` and those that tie with the last of them.
pub(super) struct Findings {
    pub(super) found: Vec<Scored>,
    /// Whether a larger score is better.
    pub(super) larger_is_better: bool,
    /// How they were found, for the request log.
    pub(super) plan: Cow<'static, str>,
}

/// Takes the paths of a query.
pub(super) async fn find(
    scene: &Scene<'_>,
    mut reader: Reader<'_>,
    (sought, manner): (Sought, Manner),
) -> Result<Findings, EngineError> {
    let paths = Paths::open(scene, &mut reader, sought).await?;
    match manner.fusion {
        None => paths.by_vector(manner).await,
        Some(Fusion::Cascaded) => paths.cascade(manner).await,
        Some(fusion) => paths.side_by_side(manner, fusion).await,
    }
}

/// What a path looks in and what it looks for.
type Asked<T, W> = Option<(Arc<RwLock<T>>, Arc<[W]>)>;

/// The paths that are taken, each with what it needs.
struct Paths<'a> {
    scene: &'a Scene<'a>,
    taken: PerPath<bool>,
    vector: Arc<[f32]>,
    sparse: Asked<SparseIndex, (u32, f32)>,
    texts: Asked<TextIndex, String>,
}

impl<'a> Paths<'a> {
    async fn open(
        scene: &'a Scene<'a>,
        reader: &mut Reader<'_>,
        sought: Sought,
    ) -> Result<Self, EngineError> {
        let taken = sought.taken();
        let (collection, lookups) = (&scene.row.collection, scene.resident.lookups());
        let mut sparse = None;
        if let Some(pairs) = sought.sparse {
            let recipe = SparseRecipe::of(collection);
            sparse = Some((lookups.sparse.current(reader, &recipe).await?, pairs.into()));
        }
        let mut texts = None;
        if let Some(words) = sought.words {
            let recipe = TextRecipe::of_full_text(collection);
            texts = Some((lookups.texts.current(reader, &recipe).await?, words.into()));
        }
        Ok(Self {
            scene,
            taken,
            vector: sought.vector.unwrap_or_default().into(),
            sparse,
            texts,
        })
    }

    /// Asks the paths that are in `asked`.
    async fn ask(
        &self,
        metric: Metric,
        asked: PerPath<Option<Ask>>,
    ) -> Result<PerPath<Option<Answer>>, EngineError> {
        let cpu = self.scene.cpu;
        let mut answers = PerPath::default();
        if let Some(ask) = asked.dense {
            let sought = (&self.vector, metric);
            answers.dense = Some(dense::search(cpu, self.scene.index, sought, ask).await?);
        }
        if let (Some(ask), Some((table, pairs))) = (asked.sparse, &self.sparse) {
            answers.sparse = Some(sparse::search(cpu, table, pairs, ask).await?);
        }
        if let (Some(ask), Some((table, words))) = (asked.full_text, &self.texts) {
            answers.full_text = Some(full_text::search(cpu, table, words, ask).await?);
        }
        Ok(answers)
    }

    /// By the dense vector, with the metric's own scores.
    async fn by_vector(&self, manner: Manner) -> Result<Findings, EngineError> {
        if !self.taken.dense {
            return Err(EngineError::internal("a query looks for nothing"));
        }
        let asked = PerPath {
            dense: Some(self.within(manner.k)),
            ..PerPath::default()
        };
        let answer = self.ask(manner.metric, asked).await?.dense;
        Ok(Findings {
            plan: answer.as_ref().map_or("", |answer| answer.plan).into(),
            found: alone(answer, RetrievalSource::Vector),
            larger_is_better: manner.metric != Metric::L2,
        })
    }

    /// Vectors within the hits of full text, with the scores of the vectors.
    async fn cascade(&self, manner: Manner) -> Result<Findings, EngineError> {
        let (table, words) = self
            .texts
            .as_ref()
            .ok_or_else(|| EngineError::internal("a cascade without text"))?;
        let mut hits = full_text::matching(self.scene.cpu, table, words).await?;
        if let Some(allowed) = &self.scene.allowed {
            hits = hits.intersection(allowed);
        }
        let mut answer = None;
        if !hits.is_empty() {
            let ask = Ask {
                k: manner.k,
                allowed: Some(Arc::new(hits)),
            };
            let asked = PerPath {
                dense: self.taken.dense.then(|| ask.clone()),
                sparse: self.taken.sparse.then(|| ask.clone()),
                full_text: None,
            };
            let answers = self.ask(manner.metric, asked).await?;
            answer = answers.dense.or(answers.sparse);
        }
        let second = answer.as_ref().map_or("", |answer| answer.plan);
        Ok(Findings {
            plan: format!("cascaded: full_text {second}")
                .trim_end()
                .to_owned()
                .into(),
            found: alone(answer, RetrievalSource::Both),
            larger_is_better: self.taken.sparse || manner.metric != Metric::L2,
        })
    }

    /// All paths, then one score for each row.
    async fn side_by_side(&self, manner: Manner, fusion: Fusion) -> Result<Findings, EngineError> {
        let k = manner.k.max(MIN_CANDIDATES);
        let asked = PerPath::of(|path| self.taken[path].then(|| self.within(k)));
        let mut answers = self.ask(manner.metric, asked).await?;
        let mut plan = format!("{}:", label(fusion));
        let mut candidates = BTreeMap::<u64, Candidate>::new();
        for path in Path::ALL {
            let Some(answer) = &mut answers[path] else {
                continue;
            };
            plan.push(' ');
            plan.push_str(answer.plan);
            answer.hits.truncate(MAX_CANDIDATES);
            for (hit, rank) in ranks(&answer.hits) {
                let candidate = candidates.entry(hit.key).or_default();
                candidate.key = hit.key;
                candidate.ranks[path] = Some(rank);
                candidate.scores[path] = Some(hit.score);
            }
        }
        if !matches!(fusion, Fusion::ReciprocalRank { .. }) {
            self.fill_in(manner.metric, &mut candidates).await?;
        }
        let rule = Rule {
            fusion,
            metric: manner.metric,
            taken: self.taken,
        };
        let candidates: Vec<Candidate> = candidates.into_values().collect();
        let mut found = fuse(rule, &candidates);
        if let Some(last) = found.get(manner.k - 1).map(|last| last.score) {
            found.retain(|row| row.score >= last);
        }
        Ok(Findings {
            found,
            larger_is_better: true,
            plan: plan.into(),
        })
    }

    /// Looks up the scores of candidates by the paths that did not find them: a row that is good by
    /// one path is not worthless by the others.
    async fn fill_in(
        &self,
        metric: Metric,
        candidates: &mut BTreeMap<u64, Candidate>,
    ) -> Result<(), EngineError> {
        let missing = |path: Path| {
            let keys: Bitmap = candidates
                .values()
                .filter(|candidate| self.taken[path] && candidate.ranks[path].is_none())
                .map(|candidate| candidate.key)
                .collect();
            (!keys.is_empty()).then(|| Ask {
                k: keys.len(),
                allowed: Some(Arc::new(keys)),
            })
        };
        let answers = self.ask(metric, PerPath::of(missing)).await?;
        for path in Path::ALL {
            for hit in answers[path].iter().flat_map(|answer| &answer.hits) {
                if let Some(candidate) = candidates.get_mut(&hit.key) {
                    candidate.scores[path] = Some(hit.score);
                }
            }
        }
        Ok(())
    }

    fn within(&self, k: usize) -> Ask {
        Ask {
            k,
            allowed: self.scene.allowed.clone(),
        }
    }
}

/// The hits of one path, with its own scores.
fn alone(answer: Option<Answer>, source: RetrievalSource) -> Vec<Scored> {
    let hits = answer.map(|answer| answer.hits).unwrap_or_default();
    let found = |hit: Hit| Scored {
        key: hit.key,
        score: hit.score,
        source,
    };
    hits.into_iter().map(found).collect()
}

/// What the request log calls a way to fuse.
fn label(fusion: Fusion) -> &'static str {
    match fusion {
        Fusion::AsTheyAre => "as they are",
        Fusion::ReciprocalRank { .. } => "rrf",
        Fusion::Weighted(_) => "weight",
        Fusion::Cascaded => "cascaded",
    }
}
