//! The inner loop compiled for each number format and instruction set, and the choice among them.

#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::Range;

use super::Precision;
use super::operand::Layout;
use super::results::Results;
use super::tile::Strip;
use crate::dispatch::{Cpu, Isa};

/// How the weights of a panel are encoded, step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// One f32 a column and step.
    F32,
    /// Two bf16 a column and step, the earlier in the low half.
    Bf16Pairs,
    /// Two 8-bit integers a column and step.
    Int8Pairs,
    /// Four 8-bit integers a column and step.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "only x86-64 multiplies bytes by four so far")
    )]
    Int8Quads,
}

impl Encoding {
    /// Inputs that a step of the inner loop takes.
    pub const fn step_inputs(self) -> usize {
        match self {
            Self::F32 => 1,
            Self::Bf16Pairs | Self::Int8Pairs => 2,
            Self::Int8Quads => 4,
        }
    }

    /// Words that a step of `columns` columns takes in a panel.
    pub const fn step_words(self, columns: usize) -> usize {
        match self {
            Self::Int8Pairs => columns / 2,
            Self::F32 | Self::Bf16Pairs | Self::Int8Quads => columns,
        }
    }
}

/// One compiled inner loop.
#[derive(Debug)]
pub(super) struct Micro {
    /// The most rows of a tile.
    pub rows: usize,
    /// So many dense rows are a single tile even so, and take a panel in parts of [`LONE_VECTORS`]: it is read once, and as many
    /// lines of the next one are asked for as of this one are read.
    lone_rows: Range<usize>,
    /// Columns in a vector of sums, and the most vectors of a tile.
    pub lanes: usize,
    pub vectors: usize,
    /// Steps that the loop takes at a time, and of which the weights and rows of a segment are therefore a multiple.
    pub depth: usize,
    /// Bytes of rows that are worked on at a time, because the loop waits for what is not in the second level of cache.
    pub kept_bytes: usize,
    /// Bytes of results that a thread makes before they are read again to be encoded, where rows are encoded whole. Fewer read
    /// the weights more often, more leave the second level of cache in between.
    pub staged_bytes: usize,
    pub encoding: Encoding,
    pub layout: Layout,
    run: unsafe fn(&mut Strip<'_>, usize, &Results<'_>),
    /// The same on numbers in registers, where that says something.
    run_registers: Option<unsafe fn(usize) -> usize>,
}

/// The most vectors of sums of a tile that is alone.
pub(super) const LONE_VECTORS: usize = 2;

impl Micro {
    /// The fastest loop that `cpu` has for `precision`.
    pub fn choose(cpu: Cpu, precision: Precision) -> Choice {
        let micro = match cpu.isa() {
            #[cfg(target_arch = "x86_64")]
            isa @ (Isa::Avx2
            | Isa::Avx2Vnni
            | Isa::Avx512
            | Isa::Avx512Vnni
            | Isa::Avx512Bf16
            | Isa::Amx) => x86::choose(isa, precision),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2
            | Isa::Avx2Vnni
            | Isa::Avx512
            | Isa::Avx512Vnni
            | Isa::Avx512Bf16
            | Isa::Amx => portable::choose(precision),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => neon::choose(precision),
            #[cfg(not(target_arch = "aarch64"))]
            Isa::Neon => portable::choose(precision),
            Isa::Portable => portable::choose(precision),
        };
        Choice { micro, cpu }
    }

    /// Whether so many dense rows are a tile that is alone.
    pub fn is_lone(&self, rows: usize) -> bool {
        self.lone_rows.contains(&rows)
    }

    /// Panels of a layer with so many outputs.
    pub fn panels(&self, outputs: usize) -> usize {
        outputs.div_ceil(self.lanes).div_ceil(self.vectors)
    }

    /// The columns of one of them, padded to whole vectors.
    ///
    /// Panels are as equally wide as vectors allow: one that is a single vector wide waits for its
    /// loads, and 64 outputs are two panels of two vectors rather than one of three and one of one.
    pub fn panel(&self, outputs: usize, index: usize) -> Range<usize> {
        let (vectors, panels) = (outputs.div_ceil(self.lanes), self.panels(outputs));
        vectors * index / panels * self.lanes..vectors * (index + 1) / panels * self.lanes
    }
}

/// A loop together with the proof that it may run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    micro: &'static Micro,
    cpu: Cpu,
}

impl Choice {
    pub fn cpu(self) -> Cpu {
        self.cpu
    }
    /// Multiplies the tiles of `strip` with a panel of `vectors` vectors.
    pub fn run(self, strip: &mut Strip<'_>, vectors: usize, results: &Results<'_>) {
        // SAFETY: `choose` picked the loop by the level that the `Cpu` proves.
        unsafe { (self.micro.run)(strip, vectors, results) }
    }

    /// Multiplies and adds `steps` times on numbers in registers; answers how many products that
    /// were, if it is known.
    pub fn run_registers(self, steps: usize) -> Option<usize> {
        let run = self.micro.run_registers?;
        // SAFETY: as above.
        Some(unsafe { run(steps) })
    }
}

impl std::ops::Deref for Choice {
    type Target = Micro;
    fn deref(&self) -> &Micro {
        self.micro
    }
}

/// A function that runs the inner loop of a `Dot` for each number of rows and vectors of
/// its tiles, all compiled with the given instructions; after `peak`, also the one on registers
/// with the given rows and vectors.
macro_rules! tiles {
    (
        $name:ident $(, $features:literal)?; $dot:expr;
        peak $peak:ident $peak_rows:literal $peak_vectors:literal;
        $($tiles:tt)*
    ) => {
        $(
            /// # Safety
            /// The processor must have the instructions.
            #[target_feature(enable = $features)]
            unsafe
        )?
        fn $peak(steps: usize) -> usize {
            $crate::gemm::tile::multiply_registers::<_, $peak_rows, $peak_vectors>($dot, steps)
        }
        tiles!($name $(, $features)?; $dot; $($tiles)*);
    };
    ($name:ident $(, $features:literal)?; $dot:expr; $($vectors:literal: [$($rows:literal)*])*) => {
        $(
            /// # Safety
            /// The processor must have the instructions.
            #[target_feature(enable = $features)]
            unsafe
        )?
        fn $name(
            strip: &mut $crate::gemm::tile::Strip<'_>,
            vectors: usize,
            results: &$crate::gemm::results::Results<'_>,
        ) {
            let dot = $dot;
            for index in strip.tiles.clone() {
                let rows = strip.heights.of(index);
                let tile = $crate::memory::afresh(&strip.tile);
                let results = $crate::memory::afresh(results);
                match (vectors, rows) {
                    $($(
                        ($vectors, $rows) => {
                            $crate::gemm::tile::multiply::<_, $rows, $vectors>(dot, tile, results);
                        }
                    )*)*
                    _ => unreachable!("a tile of {rows} rows and {vectors} vectors"),
                }
                strip.tile.advance(rows);
            }
        }
    };
}
use tiles;
