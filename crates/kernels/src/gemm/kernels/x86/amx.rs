//! Inner loops for AMX: eight registers of 16 rows of 64 bytes, of which four hold the sums of 32 rows and columns.
//!
//! Rust has no stable intrinsics for these instructions, so they stand in `asm!` blocks, each of which begins with zero sums and ends
//! with all sums in memory. What a register's rows are is a state of the thread; [`configure`] keeps account of it.

use std::arch::asm;
use std::arch::x86_64::__m512i;
use std::cell::{Cell, RefCell};
use std::mem::MaybeUninit;
use std::slice;

use super::avx512::{Halves, PLAIN, Quads};
use crate::gemm::kernels::{Encoding, Micro};
use crate::gemm::operand::Layout;
use crate::gemm::results::{Results, finish};
use crate::gemm::tile::{Dot, LINE_WORDS, Offsets, Strip, Tile};
use crate::simd::Avx512;

/// Rows of a register.
const HEIGHT: usize = 16;
/// Rows and columns of a tile: two registers each.
const SIDE: usize = 2 * HEIGHT;

const TILES: Micro = Micro {
    rows: SIDE,
    vectors: 2,
    depth: LINE_WORDS,
    // 400 rows of 3072 bf16, read from the third level for each panel, took 2.6 ms a product instead of 1.6; floats in AVX-512, which
    // take six times as long, lost a twentieth by reading the weights more often instead
    kept_bytes: 1024 * 1024,
    staged_bytes: usize::MAX,
    ..PLAIN
};

pub(super) static BF16: Micro = Micro {
    encoding: Encoding::Bf16Pairs,
    layout: Layout::Bf16,
    run: bf16_tiles,
    run_registers: Some(bf16_peak),
    ..TILES
};

pub(super) static INT8: Micro = Micro {
    encoding: Encoding::Int8Quads,
    layout: Layout::U8,
    run: int8_tiles,
    run_registers: Some(int8_peak),
    ..TILES
};

/// Rows that are adjacent, or equally far apart, in the left matrix: those of a tile's upper and lower registers, for some
/// steps of the loop. The loop reads this structure.
#[repr(C)]
#[derive(Clone, Copy)]
struct Run {
    upper: *const u32,
    lower: *const u32,
    /// Bytes from row to row.
    upper_stride: usize,
    lower_stride: usize,
    steps: usize,
}

/// What a loop multiplies. The loop reads the first fields.
#[repr(C)]
struct Work {
    /// Behind the last run.
    end: *const Run,
    /// Where the sums of the upper registers go, and those of the lower ones.
    upper_sums: *mut u32,
    lower_sums: *mut u32,
    runs: *const Run,
    panel: *const u32,
    /// As those of [`Tile`], in bytes. Rows are not asked for: that made products of many inputs a tenth slower.
    next_panel: *const u32,
    pace: usize,
}

/// A function that computes the sums of a tile by the given instructions of each step, and stores them by others.
macro_rules! sums {
    ($name:ident, $vectors:literal, [$($step:expr),*], [$($store:literal),*]) => {
        /// # Safety
        /// The processor must have AMX with these products, configured for the tile, and `work` must describe memory that exists.
        unsafe fn $name(work: &Work) {
            // SAFETY: the caller's promise; the compiler itself never uses these registers.
            unsafe {
                asm!(
                    "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
                    "2:",
                    "mov {upper}, [{run}]", "mov {lower}, [{run} + 8]",
                    "mov {upper_stride}, [{run} + 16]", "mov {lower_stride}, [{run} + 24]",
                    "mov {steps}, [{run} + 32]",
                    "3:",
                    $($step,)*
                    // a step is sixteen of other loops
                    ".rept 16", "prefetcht1 [{next_panel}]", "add {next_panel}, {pace}", ".endr",
                    "add {upper}, 64", "add {lower}, 64",
                    concat!("add {panel}, 1024 * ", $vectors),
                    "dec {steps}", "jnz 3b",
                    "add {run}, 40", "cmp {run}, [{work}]", "jne 2b",
                    "mov {upper}, [{work} + 8]", "mov {lower}, [{work} + 16]",
                    $($store,)*
                    work = in(reg) work,
                    run = inout(reg) work.runs => _,
                    panel = inout(reg) work.panel => _,
                    width = in(reg) 64_usize * $vectors,
                    next_panel = inout(reg) work.next_panel => _,
                    pace = in(reg) work.pace,
                    upper = out(reg) _,
                    lower = out(reg) _,
                    upper_stride = out(reg) _,
                    lower_stride = out(reg) _,
                    steps = out(reg) _,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    };
}

/// The functions of one kind of products: for tiles of one or two registers' rows and columns.
macro_rules! products {
    ($module:ident, $product:literal) => {
        mod $module {
            use super::{Work, asm};

            sums!(low_narrow, 1, [
                "tileloadd tmm4, [{upper} + {upper_stride}]", "tileloadd tmm6, [{panel} + {width}]",
                concat!($product, " tmm0, tmm4, tmm6")
            ], ["tilestored [{upper} + {width}], tmm0"]);

            sums!(low_wide, 2, [
                "tileloadd tmm4, [{upper} + {upper_stride}]", "tileloadd tmm6, [{panel} + {width}]",
                concat!($product, " tmm0, tmm4, tmm6"),
                "tileloadd tmm7, [{panel} + {width} + 64]",
                concat!($product, " tmm1, tmm4, tmm7")
            ], ["tilestored [{upper} + {width}], tmm0", "tilestored [{upper} + {width} + 64], tmm1"]);

            sums!(tall_narrow, 1, [
                "tileloadd tmm4, [{upper} + {upper_stride}]", "tileloadd tmm6, [{panel} + {width}]",
                concat!($product, " tmm0, tmm4, tmm6"),
                "tileloadd tmm5, [{lower} + {lower_stride}]",
                concat!($product, " tmm2, tmm5, tmm6")
            ], ["tilestored [{upper} + {width}], tmm0", "tilestored [{lower} + {width}], tmm2"]);

            sums!(tall_wide, 2, [
                "tileloadd tmm4, [{upper} + {upper_stride}]", "tileloadd tmm6, [{panel} + {width}]",
                concat!($product, " tmm0, tmm4, tmm6"),
                "tileloadd tmm7, [{panel} + {width} + 64]",
                concat!($product, " tmm1, tmm4, tmm7"),
                "tileloadd tmm5, [{lower} + {lower_stride}]",
                concat!($product, " tmm2, tmm5, tmm6"),
                concat!($product, " tmm3, tmm5, tmm7")
            ], [
                "tilestored [{upper} + {width}], tmm0", "tilestored [{upper} + {width} + 64], tmm1",
                "tilestored [{lower} + {width}], tmm2", "tilestored [{lower} + {width} + 64], tmm3"
            ]);

            /// As the others.
            pub unsafe fn run(tall: bool, vectors: usize, work: &Work) {
                // SAFETY: the caller's promise.
                unsafe {
                    match (tall, vectors) {
                        (false, 1) => low_narrow(work),
                        (false, _) => low_wide(work),
                        (true, 1) => tall_narrow(work),
                        (true, _) => tall_wide(work),
                    }
                }
            }

            /// Multiplies what is in the registers, four products a step.
            pub unsafe fn run_registers(steps: usize) {
                // SAFETY: the caller's promise.
                unsafe {
                    asm!(
                        "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
                        "tilezero tmm4", "tilezero tmm5", "tilezero tmm6", "tilezero tmm7",
                        "2:",
                        concat!($product, " tmm0, tmm4, tmm6"), concat!($product, " tmm1, tmm4, tmm7"),
                        concat!($product, " tmm2, tmm5, tmm6"), concat!($product, " tmm3, tmm5, tmm7"),
                        "dec {steps}", "jnz 2b",
                        steps = inout(reg) steps => _,
                        out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                        out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                        options(nostack, nomem),
                    );
                }
            }
        }
    };
}

products!(halves, "tdpbf16ps");
products!(quads, "tdpbusd");

/// The rows of a thread's registers, as `ldtilecfg` reads them (Intel SDM, volume 2, LDTILECFG).
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// Rows of the upper registers and of the lower ones.
type Heights = (usize, usize);

thread_local! {
    /// What this thread's registers are configured for. They stay so, because nothing else in the process uses them.
    static CONFIGURED: Cell<Heights> = const { Cell::new((0, 0)) };
    static GATHERED: RefCell<Gathered> = RefCell::default();
}

/// Gives the registers heights for `rows` rows, or one row more if there is one to read; answers them. Configuring takes as long
/// as multiplying some ten steps, and the tiles of a product differ in height by one row at most.
///
/// # Safety
/// The processor must have AMX.
unsafe fn configure(rows: usize, one_more: bool) -> Heights {
    let now = CONFIGURED.get();
    let total = now.0 + now.1;
    if total == rows || (one_more && total == rows + 1 && (rows <= HEIGHT) == (now.1 == 0)) {
        return now;
    }
    let heights = if rows <= HEIGHT {
        (rows, 0)
    } else {
        (rows.div_ceil(2), rows / 2)
    };
    // a register without rows would be a fault where sums are set to zero
    let (upper, lower) = (heights.0 as u8, heights.1.max(1) as u8);
    let configuration = Configuration {
        palette: 1,
        start_row: 0,
        reserved: [0; 14],
        row_bytes: std::array::from_fn(|register| if register < 8 { 64 } else { 0 }),
        rows: [
            upper, upper, lower, lower, upper, lower, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0,
        ],
    };
    // SAFETY: the caller's promise.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const configuration, options(nostack, readonly)) };
    CONFIGURED.set(heights);
    heights
}

/// Runs of a tile whose rows are not equally far apart, and copies of those rows.
#[derive(Default)]
struct Gathered {
    runs: Vec<Run>,
    rows: Vec<u32>,
}

/// The sums of a tile, row by row without gaps.
#[repr(align(64))]
struct Sums([MaybeUninit<u32>; SIDE * SIDE]);

/// The products of a tile in [`Sums`], by one of the modules above.
type Multiply = unsafe fn(bool, usize, &Work);

/// Multiplies the tiles of `strip` with a panel of `vectors` vectors.
///
/// # Safety
/// The processor must have AMX with the products of `multiply`, and AVX-512.
#[inline(always)]
unsafe fn run<D: Dot<Sum = __m512i, Right = __m512i>>(
    dot: D,
    multiply: Multiply,
    (strip, vectors): (&mut Strip<'_>, usize),
    results: &Results<'_>,
) {
    let tile = &mut strip.tile;
    for index in strip.tiles.clone() {
        let rows = strip.heights.of(index);
        // SAFETY: the caller's promise.
        unsafe { run_tile(dot, multiply, (tile, rows, vectors), results) };
        tile.advance(rows);
    }
}

/// Multiplies `rows` rows of `tile`.
///
/// # Safety
/// As above.
#[inline(always)]
unsafe fn run_tile<D: Dot<Sum = __m512i, Right = __m512i>>(
    dot: D,
    multiply: Multiply,
    (tile, rows, vectors): (&Tile<'_>, usize, usize),
    results: &Results<'_>,
) {
    assert!((1..=SIDE).contains(&rows) && (1..=2).contains(&vectors));
    let width = vectors * HEIGHT;
    let words = tile.segment_steps;
    assert!(words.is_multiple_of(LINE_WORDS));
    assert_eq!(tile.panel.len(), tile.segments * words * width);
    let end = tile.first_row + rows;
    let one_more = match tile.offsets {
        Offsets::Dense { stride } => end * stride + words <= tile.left.len(),
        Offsets::Gathered { table } => (end + 1) * tile.segments <= table.len(),
    };
    // SAFETY: the caller's promise.
    let heights = unsafe { configure(rows, one_more) };
    let mut sums = Sums([const { MaybeUninit::uninit() }; SIDE * SIDE]);
    let to: *mut u32 = sums.0.as_mut_ptr().cast();
    let work = |runs: &[Run]| {
        let runs = runs.as_ptr_range();
        let work = Work {
            end: runs.end,
            upper_sums: to,
            lower_sums: to.wrapping_add(heights.0 * width),
            runs: runs.start,
            panel: tile.panel.as_ptr(),
            next_panel: tile.next_panel,
            pace: tile.pace * size_of::<u32>(),
        };
        // SAFETY: the runs' rows have as many words as their steps take, and so has the panel, as asserted above; the sums of
        // as many rows as are configured have room.
        unsafe { multiply(heights.1 > 0, vectors, &work) };
    };
    match tile.offsets {
        Offsets::Dense { stride } => {
            assert_eq!(tile.segments, 1);
            let first = tile.first_row * stride;
            let last = (heights.0 + heights.1 - 1) * stride;
            let upper = tile.left[first..][..last + words].as_ptr();
            let bytes = stride * size_of::<u32>();
            work(&[Run {
                upper,
                lower: upper.wrapping_add(heights.0 * stride),
                upper_stride: bytes,
                lower_stride: bytes,
                steps: words / LINE_WORDS,
            }]);
        }
        Offsets::Gathered { table } => GATHERED.with_borrow_mut(|gathered| {
            let total = heights.0 + heights.1;
            gathered.gather(
                tile,
                &table[tile.first_row * tile.segments..][..total * tile.segments],
                heights,
            );
            work(&gathered.runs);
        }),
    }
    // SAFETY: the loop has written the sums of at least so many rows.
    let sums = unsafe { slice::from_raw_parts(to, rows * width) };
    match vectors {
        1 => finish_rows::<D, 1>(dot, sums, results, tile.first_row),
        _ => finish_rows::<D, 2>(dot, sums, results, tile.first_row),
    }
}

impl Gathered {
    /// Makes a run of each segment of the rows whose offsets are in `table`.
    fn gather(&mut self, tile: &Tile<'_>, table: &[u32], heights: Heights) {
        let (segments, words) = (tile.segments, tile.segment_steps);
        let last = tile.left.len().checked_sub(words);
        let last = last.expect("a segment fits the left matrix");
        assert!(table.iter().all(|at| *at as usize <= last));
        self.runs.clear();
        if self.rows.len() < table.len() * words {
            self.rows.resize(table.len() * words, 0);
        }
        let (upper, lower) = table.split_at(heights.0 * segments);
        let mut copies = &mut self.rows[..];
        for segment in 0..segments {
            let mut half = |offsets: &[u32]| {
                let mut offsets = offsets.iter().skip(segment).step_by(segments);
                let Some(first) = offsets.clone().next() else {
                    return (tile.left.as_ptr(), 0);
                };
                let first = *first as usize;
                let stride = offsets
                    .clone()
                    .nth(1)
                    .map_or(0, |second| (*second as usize).wrapping_sub(first));
                let mut expected = first;
                let equal = offsets.clone().all(|at| {
                    let met = *at as usize == expected;
                    expected = expected.wrapping_add(stride);
                    met
                });
                if equal {
                    return (tile.left[first..].as_ptr(), stride);
                }
                let start = copies.as_ptr();
                for at in &mut offsets {
                    let (to, behind) = std::mem::take(&mut copies).split_at_mut(words);
                    to.copy_from_slice(&tile.left[*at as usize..][..words]);
                    copies = behind;
                }
                (start, words)
            };
            let (upper, lower) = (half(upper), half(lower));
            self.runs.push(Run {
                upper: upper.0,
                lower: lower.0,
                upper_stride: upper.1.wrapping_mul(size_of::<u32>()),
                lower_stride: lower.1.wrapping_mul(size_of::<u32>()),
                steps: words / LINE_WORDS,
            });
        }
    }
}

/// Brings sums to their place; `first_row` is that of the first.
#[inline(always)]
fn finish_rows<D: Dot<Sum = __m512i, Right = __m512i>, const V: usize>(
    dot: D,
    sums: &[u32],
    results: &Results<'_>,
    first_row: usize,
) {
    for (row, sums) in sums.chunks_exact(V * HEIGHT).enumerate() {
        let mut totals = [dot.zero(); V];
        for (v, (total, sums)) in totals.iter_mut().zip(sums.chunks_exact(HEIGHT)).enumerate() {
            *total = dot.right(sums, 0);
            if let Some(integers) = results.integers {
                *total = dot.corrected(*total, &integers.corrections[v * HEIGHT..]);
            }
        }
        finish::<D, 1, V>(dot, [totals], results, first_row + row);
    }
}

/// # Safety
/// The processor must have the instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn bf16_tiles(strip: &mut Strip<'_>, vectors: usize, results: &Results<'_>) {
    // SAFETY: the caller's promise.
    unsafe {
        let dot = Halves(Avx512::proven());
        run(dot, halves::run, (strip, vectors), results);
    }
}

/// # Safety
/// The processor must have the instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn int8_tiles(strip: &mut Strip<'_>, vectors: usize, results: &Results<'_>) {
    // SAFETY: the caller's promise.
    unsafe {
        let dot = Quads(Avx512::proven());
        run(dot, quads::run, (strip, vectors), results);
    }
}

/// # Safety
/// The processor must have AMX.
unsafe fn bf16_peak(steps: usize) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        configure(SIDE, false);
        halves::run_registers(steps);
    }
    steps * SIDE * SIDE * 2 * LINE_WORDS
}

/// # Safety
/// The processor must have AMX.
unsafe fn int8_peak(steps: usize) -> usize {
    // SAFETY: the caller's promise.
    unsafe {
        configure(SIDE, false);
        quads::run_registers(steps);
    }
    steps * SIDE * SIDE * 4 * LINE_WORDS
}
