//! `ann-data`: vectors to measure `ann` on, in the folder layout that it reads.
//!
//! `clip` imitates what is published of CLIP's embeddings (Liang et al., "Mind the Gap",
//! arXiv:2203.02053): pictures lie in a narrow cone, texts in another, both in clusters of
//! clusters whose sizes follow Zipf, with few directions of their own and a little noise;
//! 1.5 % are near twins of others and 0.2 % are twins. `random` is uniform on the sphere:
//! no graph can be good at it. A seed and nothing else decides every number.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use fs_err as fs;
use lookalike_index::{Effort, Metric, Options, Query, VectorIndex};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

use crate::ann::insert;

/// True neighbours recorded for each query.
const NEIGHBOURS: usize = 100;

/// Directions in which clusters differ, at most.
const SEMANTIC: usize = 160;

/// Directions in which the members of one cluster differ.
const INNER: usize = 40;

const TOP_CLUSTERS: usize = 120;
const CLUSTERS: usize = 2400;
const BASES: usize = 64;

/// What a picture's squared length is made of.
const CONE: f32 = 0.50;
const CLUSTER: f32 = 0.24;
const MEMBER: f32 = 0.20;
const NOISE: f32 = 0.06;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder to write `base.f32`, `meta.json`, `q_SET.f32`, `gt_SET.i32` and `attr_NAME.f32` to
    folder: PathBuf,
    #[arg(long, value_enum, default_value = "clip")]
    kind: Kind,
    /// Vectors
    #[arg(long, default_value_t = 100_000)]
    n: usize,
    /// Numbers of a vector
    #[arg(long, default_value_t = 512)]
    dim: usize,
    /// Queries of each set
    #[arg(long, default_value_t = 1000)]
    queries: usize,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    Clip,
    Random,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { n, dim, .. } = *arguments;
    ensure!(n > NEIGHBOURS, "--n must be above {NEIGHBOURS}");
    ensure!(
        arguments.kind == Kind::Random || dim > SEMANTIC + 2,
        "--dim must be above {} for clip",
        SEMANTIC + 2
    );
    fs::create_dir_all(&arguments.folder)?;
    let mut random = StdRng::seed_from_u64(arguments.seed);
    let mut sets = Vec::new();
    let mut correlated = Vec::with_capacity(n);
    let mut base = Vec::with_capacity(n * dim);
    if arguments.kind == Kind::Clip {
        let world = World::new(dim, &mut random);
        for _ in 0..n {
            let (picture, theme) = world.picture(&mut random);
            base.extend(picture);
            correlated.push(theme);
        }
        add_twins(&mut base, &mut correlated, dim, &mut random);
        let pictures = (0..arguments.queries).map(|_| world.picture(&mut random).0);
        sets.push(("img", pictures.collect::<Vec<_>>()));
        let texts = (0..arguments.queries).map(|_| world.text(&mut random));
        sets.push(("txt", texts.collect()));
    } else {
        for _ in 0..n {
            let vector = unit(normals(dim, 1.0, &mut random));
            correlated.push(vector[0]);
            base.extend(vector);
        }
        let queries = (0..arguments.queries).map(|_| unit(normals(dim, 1.0, &mut random)));
        sets.push(("img", queries.collect::<Vec<_>>()));
    }
    let folder = &arguments.folder;
    write(&folder.join("base.f32"), &base, f32::to_le_bytes)?;
    let independent: Vec<f32> = (0..n).map(|_| random.random()).collect();
    write(&folder.join("attr_u.f32"), &independent, f32::to_le_bytes)?;
    write(
        &folder.join("attr_c.f32"),
        &ranks(&correlated),
        f32::to_le_bytes,
    )?;
    let names: Vec<&str> = sets.iter().map(|set| set.0).collect();
    let meta = json!({ "kind": format!("{:?}", arguments.kind).to_lowercase(), "n": n, "dim": dim,
        "nq": arguments.queries, "sets": names, "seed": arguments.seed });
    fs::write(folder.join("meta.json"), serde_json::to_vec_pretty(&meta)?)?;
    let exact = scanned(&base, dim)?;
    drop(base);
    for (name, queries) in sets {
        let mut nearest: Vec<i32> = Vec::with_capacity(queries.len() * NEIGHBOURS);
        for vector in &queries {
            let query = Query {
                vector,
                k: NEIGHBOURS,
                metric: Metric::InnerProduct,
                allowed: None,
            };
            let hits = exact.answer(&query, Effort::Exact)?.hits;
            for hit in &hits[..NEIGHBOURS] {
                nearest.push(i32::try_from(hit.key)?);
            }
        }
        write(
            &folder.join(format!("gt_{name}.i32")),
            &nearest,
            i32::to_le_bytes,
        )?;
        write(
            &folder.join(format!("q_{name}.f32")),
            &queries.concat(),
            f32::to_le_bytes,
        )?;
    }
    Ok(())
}

/// An index that has no codes of the vectors and so can only scan them as they are.
fn scanned(base: &[f32], dim: usize) -> Result<VectorIndex> {
    let index = VectorIndex::with_options(Options {
        fold_in_background: false,
        ..Options::new(dim, Metric::Cosine)
    })?;
    for (chunk, vectors) in (0..).zip(base.chunks(dim * 1024)) {
        insert(&index, chunk * 1024, vectors.chunks_exact(dim))?;
    }
    Ok(index)
}

/// What pictures and texts are made of.
struct World {
    dim: usize,
    picture_cone: Vec<f32>,
    text_cone: Vec<f32>,
    /// Directions of meaning; nearly orthogonal, being random.
    directions: Vec<Vec<f32>>,
    /// Each cluster's place along the directions.
    clusters: Vec<Vec<f32>>,
    /// Sums of the clusters' shares.
    shares: Vec<f32>,
    /// Directions within a cluster, along the directions of meaning.
    bases: Vec<Vec<Vec<f32>>>,
}

impl World {
    fn new(dim: usize, random: &mut StdRng) -> Self {
        let picture_cone = unit(normals(dim, 1.0, random));
        let aside = unit(normals(dim, 1.0, random));
        let text_cone = mixed(&[(0.33, &picture_cone), (0.944, &aside)]);
        let directions = (0..SEMANTIC)
            .map(|_| unit(normals(dim, 1.0, random)))
            .collect();
        let spectrum = falling(SEMANTIC, 0.45);
        let place = |random: &mut StdRng| scaled(&normals(SEMANTIC, 1.0, random), &spectrum);
        let top: Vec<Vec<f32>> = (0..TOP_CLUSTERS).map(|_| place(random)).collect();
        let clusters = (0..CLUSTERS)
            .map(|_| {
                let parent = &top[random.random_range(0..TOP_CLUSTERS)];
                mixed(&[(0.70, parent), (0.714, &place(random))])
            })
            .collect();
        let mut sum = 0.0;
        let shares = falling_weights(CLUSTERS, 0.7)
            .map(|share| {
                sum += share;
                sum
            })
            .collect();
        let inner = falling(INNER, 0.25);
        let bases = (0..BASES)
            .map(|_| {
                let direction = |length: &f32| {
                    let mut direction = unit(normals(SEMANTIC, 1.0, random));
                    for value in &mut direction {
                        *value *= length;
                    }
                    direction
                };
                inner.iter().map(direction).collect()
            })
            .collect();
        Self {
            dim,
            picture_cone,
            text_cone,
            directions,
            clusters,
            shares,
            bases,
        }
    }

    fn cluster(&self, random: &mut StdRng) -> usize {
        let drawn = random.random::<f32>() * self.shares[CLUSTERS - 1];
        self.shares
            .partition_point(|sum| *sum < drawn)
            .min(CLUSTERS - 1)
    }

    /// A member of a cluster, along the directions of meaning.
    fn member(&self, cluster: usize, random: &mut StdRng) -> Vec<f32> {
        let mut meaning = mixed(&[(CLUSTER.sqrt(), &self.clusters[cluster])]);
        for direction in &self.bases[cluster % BASES] {
            add(&mut meaning, MEMBER.sqrt() * normal(random), direction);
        }
        meaning
    }

    /// A picture, and how much it has of one theme.
    fn picture(&self, random: &mut StdRng) -> (Vec<f32>, f32) {
        let cluster = self.cluster(random);
        let meaning = self.member(cluster, random);
        let strength = (0.12 * normal(random)).exp();
        #[expect(clippy::cast_precision_loss, reason = "below 2^24 numbers")]
        let noise = (NOISE / self.dim as f32).sqrt();
        let mut picture = normals(self.dim, noise, random);
        add(&mut picture, CONE.sqrt(), &self.picture_cone);
        for (direction, amount) in self.directions.iter().zip(&meaning) {
            add(&mut picture, strength * amount, direction);
        }
        (unit(picture), meaning[0])
    }

    /// A text: it describes a cluster and, loosely, a member of it.
    fn text(&self, random: &mut StdRng) -> Vec<f32> {
        let cluster = self.cluster(random);
        let meaning = mixed(&[
            (0.188, &self.clusters[cluster]),
            (0.27, &self.member(cluster, random)),
        ]);
        #[expect(clippy::cast_precision_loss, reason = "below 2^24 numbers")]
        let noise = (0.30 / self.dim as f32).sqrt();
        let mut text = normals(self.dim, noise, random);
        add(&mut text, 0.60_f32.sqrt(), &self.text_cone);
        for (direction, amount) in self.directions.iter().zip(&meaning) {
            add(&mut text, *amount, direction);
        }
        unit(text)
    }
}

/// Makes 1.5 % of the vectors near twins of others, and 0.2 % their twins.
fn add_twins(base: &mut [f32], themes: &mut [f32], dim: usize, random: &mut StdRng) {
    let n = themes.len();
    #[expect(clippy::cast_precision_loss, reason = "below 2^24 numbers")]
    let near = 0.06 / (dim as f32).sqrt();
    for (count, noise) in [(n * 15 / 1000, near), (n * 2 / 1000, 0.0)] {
        for _ in 0..count {
            let (source, twin) = (random.random_range(0..n), random.random_range(0..n));
            let mut vector = base[source * dim..][..dim].to_vec();
            if noise > 0.0 {
                add(&mut vector, 1.0, &normals(dim, noise, random));
                vector = unit(vector);
            }
            base[twin * dim..][..dim].copy_from_slice(&vector);
            themes[twin] = themes[source];
        }
    }
}

/// Each value's place among all, as a part of their number.
fn ranks(values: &[f32]) -> Vec<f32> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|one, other| values[*one].total_cmp(&values[*other]));
    let mut ranks = vec![0.0; values.len()];
    for (rank, at) in order.into_iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
        {
            ranks[at] = rank as f32 / values.len() as f32;
        }
    }
    ranks
}

/// One number of the normal distribution (Box and Muller).
fn normal(random: &mut StdRng) -> f32 {
    let radius = (-2.0 * (1.0 - random.random::<f32>()).ln()).sqrt();
    radius * (std::f32::consts::TAU * random.random::<f32>()).cos()
}

fn normals(count: usize, deviation: f32, random: &mut StdRng) -> Vec<f32> {
    (0..count).map(|_| deviation * normal(random)).collect()
}

/// Weights that fall by a power of their place.
fn falling_weights(count: usize, power: f32) -> impl Iterator<Item = f32> {
    #[expect(clippy::cast_precision_loss, reason = "below 2^24 numbers")]
    (1..=count).map(move |place| (place as f32).powf(-power))
}

/// The same, as a vector of unit length.
fn falling(count: usize, power: f32) -> Vec<f32> {
    unit(falling_weights(count, power).collect())
}

fn scaled(values: &[f32], by: &[f32]) -> Vec<f32> {
    values.iter().zip(by).map(|(a, b)| a * b).collect()
}

fn mixed(parts: &[(f32, &Vec<f32>)]) -> Vec<f32> {
    let mut sum = vec![0.0; parts[0].1.len()];
    for (amount, part) in parts {
        add(&mut sum, *amount, part);
    }
    sum
}

fn add(sum: &mut [f32], amount: f32, part: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(part) {
        *sum += amount * value;
    }
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    for value in &mut vector {
        *value /= norm;
    }
    vector
}

/// A file of little-endian numbers of four bytes.
fn write<T: Copy>(path: &Path, values: &[T], bytes: impl Fn(T) -> [u8; 4]) -> Result<()> {
    let mut file = BufWriter::new(fs::File::create(path)?);
    for value in values {
        file.write_all(&bytes(*value))?;
    }
    file.flush()?;
    Ok(())
}
