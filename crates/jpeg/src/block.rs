//! One block's coefficients out of the bits (ITU-T T.81, F.2.2).
//!
//! Called for every block of a scan; nearly all time is spent here. Coefficients up to the last one that the transform
//! uses are stored, in pairs; of what comes behind them only the length matters.

use crate::Refused;
use crate::bits::{Bits, Source};
use crate::huffman::{
    AcSymbol, AcTable, DcTable, END, LONG, PAIR_BITS, SKIP_BITS, extend, low_bits, unpack_skip,
};

/// Blocks that are transformed together.
pub(crate) const LANES: usize = 8;
/// Coefficients of [`LANES`] blocks: that of zigzag index `k` in lane `lane` is at `k * LANES + lane`. Twice as long as they
/// are many, because what is stored behind the last one is not looked at.
pub(crate) type Group = [i16; 128 * LANES];

const INSIDE: usize = 128 * LANES - 1;
const TOO_LONG: Refused = Refused::Damaged("a block has more than 64 coefficients");
const NO_CODE: Refused = Refused::Damaged("its bits are no Huffman code");

/// What decodes the blocks of one component.
#[derive(Clone, Copy)]
pub(crate) struct Tables<'a> {
    pub(crate) dc: &'a DcTable,
    pub(crate) ac: &'a AcTable,
    /// The last zigzag index that is wanted.
    pub(crate) last: usize,
}

/// Decodes a block into one lane of a group whose wanted coefficients are zero. `prediction` is the DC coefficient of
/// the component's block before. Returns the bits behind the block.
#[inline(always)]
pub(crate) fn decode(
    bits: Bits,
    source: &mut Source,
    tables: Tables,
    prediction: &mut i32,
    (group, lane): (&mut Group, usize),
) -> Result<Bits, Refused> {
    let lane = lane % LANES;
    let mut bits = bits.refilled(source);
    let word = bits.word;
    let symbol = tables.dc.find(word).ok_or(NO_CODE)?;
    bits = bits.dropped(symbol.bits);
    let extra = low_bits(word >> (64 - symbol.bits), symbol.size);
    *prediction += extend(extra, symbol.size);
    group[lane] = i16::try_from(*prediction)
        .map_err(|_| Refused::Damaged("a DC coefficient is out of range"))?;
    let (bits, next) = wanted(bits, source, tables, (group, lane))?;
    if next < 64 {
        skip(bits, source, tables.ac, next)
    } else {
        Ok(bits)
    }
}

/// Stores coefficients as long as they are wanted. Returns the index of the next one, 64 at the end of the block.
#[inline(always)]
fn wanted(
    mut bits: Bits,
    source: &mut Source,
    tables: Tables,
    (group, lane): (&mut Group, usize),
) -> Result<(Bits, usize), Refused> {
    let ac = tables.ac;
    // The next index times the lanes, and the lane.
    let mut at = LANES + lane;
    let end = (tables.last + 1) * LANES;
    while at < end {
        bits = bits.refilled(source);
        // As many look-ups as 56 bits are enough for.
        for _ in 0..56 / PAIR_BITS {
            let entry = ac.pairs[(bits.word >> (64 - PAIR_BITS)) as usize];
            let behind = at + (entry >> 3 & 0x7f8) as usize;
            group[(at + (entry >> 11 & 0xf8) as usize) & INSIDE] = i16::from((entry >> 40) as i8);
            group[(at + (entry >> 16 & 0x1f8) as usize) & INSIDE] = i16::from((entry >> 48) as i8);
            group[(at + (entry >> 22 & 0x1f8) as usize) & INSIDE] = (entry.cast_signed() >> 56) as i16;
            let length = entry as u32 & 63;
            if behind < end {
                bits = bits.dropped(length);
                at = behind;
                continue;
            }
            // The end of the block, the end of what is wanted, a long symbol, or two symbols of which the second is not
            // of this block any more.
            let index = behind / LANES;
            let ended = index.wrapping_sub(END as usize);
            if length == 0 || (index > 64 && ended > 63) {
                let (rest, symbol) = single(bits.refilled(source), ac, entry, at / LANES)?;
                bits = rest;
                group[at & INSIDE] = 0;
                group[(symbol.stored * LANES + lane) & INSIDE] = symbol.value;
                at = symbol.next * LANES + lane;
                break;
            }
            return Ok((bits.dropped(length), index.min(64)));
        }
    }
    Ok((bits, at / LANES))
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
                let (rest, symbol) = single(bits, ac, LONG, next)?;
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

/// The symbol at index `next`, by an entry of [`AcTable::pairs`] that may say what it is, or not.
#[inline(always)]
fn single(
    mut bits: Bits,
    ac: &AcTable,
    entry: u64,
    next: usize,
) -> Result<(Bits, Single), Refused> {
    let known = if entry & 63 == 0 { AcSymbol::unpack(entry) } else { None };
    let symbol = match known {
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
