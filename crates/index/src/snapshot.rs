//! A segment as a file: written beside the former one, put in its place by
//! renaming, read back in a fraction of the time that making it took.
//!
//! Called by `persist.rs`. [`sections`] knows bytes and checksums, this file what
//! they mean. Invariant: a file that was read is a segment that searches can use:
//! every length fits, every number points at something that is there.

mod check;
mod sections;

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use crate::block::{Block, Blocks, Moment};
use crate::generation::Recipe;
use crate::hnsw::tune::Tuning;
use crate::hnsw::{Graph, Layer};
use crate::quantise::{AnyCodes, Cell, Codes, Precision, Space, with_codes};
use crate::segment::{Owners, Segment};
use crate::{Metric, SnapshotError};
use sections::{Reader, Writer};

/// What describes a segment beside its sections.
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Facts {
    generation: u64,
    laid_out: u64,
    checked: u64,
    rejected: u64,
    ef: [u32; 2],
    measured: [f32; 2],
    dimension: u32,
    metric: u32,
    precision: u32,
    m: u32,
    ef_construction: u32,
    blocks: u32,
    /// Layers of the graph, the lowest included; 0 without a graph.
    layers: u32,
    longest: f32,
    largest_norm: f32,
    largest_error: f32,
}

/// Sections of a block: keys, squared norms, deaths, vectors.
const BLOCK_SECTIONS: usize = 4;

/// Sections that every segment has, before those of layers and blocks.
const FIXED_SECTIONS: usize = 9;

/// Sections of a layer above the lowest: rows, nodes below, links.
const LAYER_SECTIONS: usize = 3;

fn metric_number(metric: Metric) -> u32 {
    match metric {
        Metric::Cosine => 0,
        Metric::InnerProduct => 1,
        Metric::L2 => 2,
    }
}

fn precision_number(precision: Precision) -> u32 {
    match precision {
        Precision::Int8 => 0,
        Precision::Bf16 => 1,
        Precision::F32 => 2,
    }
}

/// Writes a segment as it was at a moment, the one of a generation, to a file.
/// Returns the file's size.
///
/// # Errors
/// [`SnapshotError::Io`]; then the file is as it was.
pub(crate) fn write(
    path: &Path,
    segment: &Segment,
    recipe: &Recipe,
    generation: u64,
    at: Moment,
) -> Result<u64, SnapshotError> {
    let mut writer = Writer::create(path)?;
    let space = with_codes!(&segment.codes, codes => {
        let parts = codes.parts();
        writer.put(&codes.space.mean)?;
        writer.put(parts.cells)?;
        writer.put(parts.sizes)?;
        writer.put(parts.errors)?;
        writer.put(parts.lifts)?;
        &codes.space
    });
    writer.put(&segment.slots)?;
    writer.put(&segment.nodes)?;
    let (slots, twins) = segment.owners.parts();
    writer.put(slots)?;
    writer.put(
        &twins
            .iter()
            .flat_map(|twin| [twin.0, twin.1])
            .collect::<Vec<u32>>(),
    )?;
    let mut layers = 0;
    if let Some(graph) = &segment.graph {
        let (base, upper) = graph.parts();
        writer.put(base)?;
        for layer in upper {
            writer.put(&layer.rows)?;
            writer.put(&layer.below)?;
            writer.put(&layer.links)?;
        }
        layers = 1 + upper.len() as u32;
    }
    for block in &segment.blocks.list {
        let dead = (0..block.len()).map(|row| u8::from(block.is_dead(row, at)));
        writer.put(block.keys())?;
        writer.put(block.squared_norms())?;
        writer.put(&dead.collect::<Vec<u8>>())?;
        writer.put(block.vectors())?;
    }
    let tuning = &segment.tuning;
    writer.finish(&Facts {
        generation,
        laid_out: tuning.laid_out as u64,
        checked: tuning.checked as u64,
        rejected: tuning.rejected as u64,
        ef: tuning.ef.map(|ef| ef as u32),
        measured: tuning.measured,
        dimension: recipe.dimension as u32,
        metric: metric_number(recipe.metric),
        precision: precision_number(recipe.precision),
        m: recipe.shape.m as u32,
        ef_construction: recipe.shape.ef_construction as u32,
        blocks: segment.blocks.list.len() as u32,
        layers,
        longest: space.longest,
        largest_norm: space.largest_norm,
        largest_error: space.largest_error,
    })
}

/// Reads a segment for an index of the same making. Returns its generation and the
/// file's size too.
///
/// # Errors
/// [`SnapshotError::Mismatch`] if the index is to be made otherwise,
/// [`SnapshotError::Damaged`] if the file is not whole, [`SnapshotError::Io`].
pub(crate) fn read(path: &Path, recipe: &Recipe) -> Result<(Segment, u64, u64), SnapshotError> {
    let (reader, facts) = Reader::open::<Facts>(path)?;
    for (what, found, wanted) in [
        ("dimension", facts.dimension, recipe.dimension as u32),
        ("metric", facts.metric, metric_number(recipe.metric)),
        (
            "precision",
            facts.precision,
            precision_number(recipe.precision),
        ),
        ("m", facts.m, recipe.shape.m as u32),
        (
            "ef_construction",
            facts.ef_construction,
            recipe.shape.ef_construction as u32,
        ),
    ] {
        if found != wanted {
            return Err(SnapshotError::Mismatch {
                what,
                found,
                wanted,
            });
        }
    }
    let upper = facts.layers.saturating_sub(1) as usize;
    let graph_sections = if facts.layers == 0 {
        0
    } else {
        1 + LAYER_SECTIONS * upper
    };
    let first_block = FIXED_SECTIONS + graph_sections;
    if reader.count() != first_block + BLOCK_SECTIONS * facts.blocks as usize {
        return Err(SnapshotError::Damaged("a snapshot lacks a section"));
    }
    let list: Vec<Arc<Block>> = (0..facts.blocks as usize)
        .into_par_iter()
        .map(|block| read_block(&reader, first_block + BLOCK_SECTIONS * block, recipe))
        .collect::<Result<_, _>>()?;
    let mut blocks = Blocks::new(recipe.dimension);
    blocks.list = list;
    let space = Space {
        metric: recipe.metric,
        mean: reader.take(0)?,
        longest: facts.longest,
        largest_norm: facts.largest_norm,
        largest_error: facts.largest_error,
    };
    let codes = match recipe.precision {
        Precision::Int8 => AnyCodes::Int8(read_codes(&reader, space)?),
        Precision::Bf16 => AnyCodes::Bf16(read_codes(&reader, space)?),
        Precision::F32 => AnyCodes::F32(read_codes(&reader, space)?),
    };
    let twins: Vec<u32> = reader.take(8)?;
    let (pairs, _) = twins.as_chunks::<2>();
    let owners = Owners::from_parts(
        reader.take(7)?,
        pairs.iter().map(|[a, b]| (*a, *b)).collect(),
    );
    let graph = (facts.layers > 0)
        .then(|| read_graph(&reader, recipe, upper))
        .transpose()?;
    let parts = check::Loaded {
        blocks,
        slots: reader.take(5)?,
        nodes: reader.take(6)?,
        owners,
        codes,
        graph,
        tuning: Tuning {
            laid_out: facts.laid_out as usize,
            checked: facts.checked as usize,
            rejected: facts.rejected as usize,
            ef: facts.ef.map(|ef| ef as usize),
            measured: facts.measured,
        },
    };
    Ok((
        Segment::new(parts.checked()?),
        facts.generation,
        reader.file_bytes(),
    ))
}

fn read_block(reader: &Reader, first: usize, recipe: &Recipe) -> Result<Arc<Block>, SnapshotError> {
    let dead: Vec<u8> = reader.take(first + 2)?;
    let block = Block::from_parts(
        recipe.dimension,
        reader.take(first)?,
        reader.take(first + 1)?,
        &dead,
        reader.take(first + 3)?,
    );
    block
        .map(Arc::new)
        .ok_or(SnapshotError::Damaged("a block's sections disagree"))
}

fn read_codes<C: Cell>(reader: &Reader, space: Space) -> Result<Codes<C>, SnapshotError> {
    Codes::from_parts(
        space,
        reader.take_pages(1)?,
        reader.take(2)?,
        reader.take(3)?,
        reader.take(4)?,
    )
    .ok_or(SnapshotError::Damaged("the codes' sections disagree"))
}

fn read_graph(reader: &Reader, recipe: &Recipe, upper: usize) -> Result<Graph, SnapshotError> {
    let layer = |level: usize| {
        let first = FIXED_SECTIONS + 1 + LAYER_SECTIONS * level;
        Ok(Layer {
            rows: reader.take(first)?,
            below: reader.take(first + 1)?,
            links: reader.take(first + 2)?,
        })
    };
    let layers = (0..upper)
        .map(layer)
        .collect::<Result<Vec<_>, SnapshotError>>()?;
    Ok(Graph::from_parts(
        recipe.shape,
        reader.take_pages(FIXED_SECTIONS)?,
        layers,
    ))
}

#[cfg(test)]
mod tests;
