//! One block's coefficients out of the bits (ITU-T T.81, F.2.2).
//!
//! Called for every block of a scan; nearly all time is spent here. Coefficients up to the last one that the transform
//! uses are stored, several at a time; of what comes behind them only the length matters.

use std::ops::ControlFlow;

use bytemuck::cast;
use wide::{i16x8, u8x16};

use crate::Refused;
use crate::bits::{Bits, Source};
use crate::huffman::{
    AcSymbol, AcTable, DcTable, END, SKIP_BITS, STEP_BITS, extend, low_bits, unpack_skip,
};

/// Blocks that are transformed together.
pub(crate) const LANES: usize = 8;
/// Coefficients of a block in zigzag order, and room behind the last one: eight are stored at a time, up to 31 further on.
pub(crate) type Block = [i16; 136];
/// Blocks that are transformed together.
pub(crate) type Group = [Block; LANES];

/// Look-ups that are made of what a DC coefficient leaves of 56 bits.
const FIRST_STEPS: u32 = 3;

const TOO_LONG: Refused = Refused::Damaged("a block has more than 64 coefficients");
const NO_CODE: Refused = Refused::Damaged("its bits are no Huffman code");

/// What decodes the blocks of one component.
#[derive(Clone, Copy)]
pub(crate) struct Tables<'a> {
    pub(crate) dc: &'a DcTable,
    pub(crate) ac: &'a AcTable,
    /// The index up to which coefficients are stored; what is behind is passed over.
    pub(crate) stored: usize,
}

/// Decodes a block. `prediction` is the DC coefficient of the component's block before. Returns the bits behind the block,
/// and an index from which on no coefficient is stored but zeros.
#[inline(always)]
pub(crate) fn decode(
    bits: Bits,
    source: &mut Source,
    tables: Tables,
    (prediction, block): (&mut i32, &mut Block),
) -> Result<(Bits, usize), Refused> {
    let mut bits = bits.refilled(source);
    let word = bits.word;
    let symbol = tables.dc.find(word).ok_or(NO_CODE)?;
    bits = bits.dropped(symbol.bits);
    let extra = low_bits(word >> (64 - symbol.bits), symbol.size);
    *prediction += extend(extra, symbol.size);
    if !(-2048..2048).contains(prediction) {
        return Err(Refused::Damaged("a DC coefficient is out of range"));
    }
    if symbol.bits > 56 - FIRST_STEPS * STEP_BITS {
        bits = bits.refilled(source);
    }
    block[..64].fill(0);
    block[0] = *prediction as i16;
    let (bits, next, reach) = wanted(bits, source, tables, block)?;
    if next < 64 {
        return Ok((skip(bits, source, tables.ac, next)?, reach));
    }
    Ok((bits, reach))
}

/// Stores coefficients as long as they are wanted. Returns the index of the next one, 64 or more at the end of the block, and
/// an index that nothing but zeros is stored from.
#[inline(always)]
fn wanted(
    bits: Bits,
    source: &mut Source,
    tables: Tables,
    block: &mut Block,
) -> Result<(Bits, usize, usize), Refused> {
    let mut next = (bits, 1);
    if tables.stored > 1 {
        match steps::<FIRST_STEPS>(next, source, tables, block)? {
            ControlFlow::Break(done) => return Ok(done),
            ControlFlow::Continue(more) => next = more,
        }
    }
    while next.1 < tables.stored.min(64) {
        next.0 = next.0.refilled(source);
        // As many look-ups as 56 bits are enough for.
        match steps::<{ 56 / STEP_BITS }>(next, source, tables, block)? {
            ControlFlow::Break(done) => return Ok(done),
            ControlFlow::Continue(more) => next = more,
        }
    }
    Ok((next.0, next.1, 64))
}

/// What becomes of a block behind some look-ups: see [`steps`].
type Go = ControlFlow<(Bits, usize, usize), (Bits, usize)>;

/// Up to so many look-ups. Goes on with the bits and the index behind them, or ends as [`wanted`] does.
#[inline(always)]
fn steps<const COUNT: u32>(
    (mut bits, mut at): (Bits, usize),
    source: &mut Source,
    tables: Tables,
    block: &mut Block,
) -> Result<Go, Refused> {
    let (ac, end) = (tables.ac, tables.stored.min(64));
    for _ in 0..COUNT {
        let index = (bits.word >> (64 - STEP_BITS)) as usize;
        let step = ac.steps[index];
        store(block, at + step.run(), ac.values[index]);
        let behind = at + step.advance();
        if behind < end {
            bits = bits.dropped(step.bits());
            at = behind;
            continue;
        }
        // The end of the block, the end of what is wanted, a long symbol, or several of which not all are of this block.
        let last = if step.ends() { 64 + 63 } else { 64 };
        if step.bits() > 0 && behind <= last {
            let reach = if step.ends() { behind - 64 } else { 64 };
            let done = (bits.dropped(step.bits()), behind, reach);
            return Ok(ControlFlow::Break(done));
        }
        let known = if step.bits() == 0 {
            ac.values[index]
        } else {
            0
        };
        store(block, at + step.run(), 0);
        let (rest, symbol) = single(bits.refilled(source), ac, known, at)?;
        block[symbol.stored % 128] = symbol.value;
        return Ok(ControlFlow::Continue((rest, symbol.next)));
    }
    Ok(ControlFlow::Continue((bits, at)))
}

/// Stores eight coefficients, each a byte of `values`, from the lowest on.
#[inline(always)]
fn store(block: &mut Block, at: usize, values: u64) {
    // By vectors, or the compiler extends each sign by itself.
    let bytes: u8x16 = cast([values, 0u64]);
    let raised: i16x8 = cast(u8x16::unpack_low(u8x16::ZERO, bytes));
    block[at % 128..][..8].copy_from_slice(&(raised >> 8u32).to_array());
}

/// Passes over what is left of a block, from index `next` on.
#[inline(always)]
fn skip(
    mut bits: Bits,
    source: &mut Source,
    ac: &AcTable,
    mut next: usize,
) -> Result<Bits, Refused> {
    while next < 64 {
        bits = bits.refilled(source);
        for _ in 0..56 / SKIP_BITS {
            let entry = ac.skips[(bits.word >> (64 - SKIP_BITS)) as usize];
            let behind = next + usize::from(entry >> 6);
            let length = u32::from(entry) & 63;
            if behind < 64 {
                bits = bits.dropped(length);
                next = behind;
                continue;
            }
            let ended = behind.wrapping_sub(END as usize);
            if length == 0 || (behind > 64 && ended > 63) {
                bits = bits.refilled(source);
                if length == 0
                    && let Some((length, advance)) = unpack_skip(entry)
                {
                    bits = bits.dropped(length);
                    next += advance as usize;
                    if next > 64 {
                        return Err(TOO_LONG);
                    }
                    break;
                }
                let (rest, symbol) = single(bits, ac, 0, next)?;
                bits = rest;
                next = symbol.next;
                break;
            }
            return Ok(bits.dropped(length));
        }
    }
    Ok(bits)
}

/// One symbol of a block.
struct Single {
    /// The index behind it, 64 at the end of the block.
    next: usize,
    /// Its coefficient, and the index that it is to be stored at.
    value: i16,
    stored: usize,
}

/// The symbol at index `next`. `known` is an entry of [`AcTable::values`] that says what it is, or 0.
#[inline(always)]
fn single(
    mut bits: Bits,
    ac: &AcTable,
    known: u64,
    next: usize,
) -> Result<(Bits, Single), Refused> {
    let symbol = match AcSymbol::unpack(known) {
        Some(symbol) => symbol,
        None => ac.find(bits.word).ok_or(NO_CODE)?,
    };
    if symbol.advance == END {
        let single = Single {
            next: 64,
            value: 0,
            stored: 64,
        };
        return Ok((bits.dropped(symbol.length), single));
    }
    let length = symbol.length + symbol.size;
    let extra = low_bits(bits.word >> (64 - length), symbol.size);
    bits = bits.dropped(length);
    let behind = next + symbol.advance as usize;
    if behind > 64 {
        return Err(TOO_LONG);
    }
    let single = Single {
        next: behind,
        value: extend(extra, symbol.size) as i16,
        stored: behind - 1,
    };
    Ok((bits, single))
}
