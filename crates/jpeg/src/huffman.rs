//! Tables that turn the next bits into DC differences and AC coefficients (ITU-T T.81, annexes C and F).
//!
//! One look-up takes several symbols at once, extra bits included, as far as they fit into the bits looked at.
//! Invariant: an entry never claims more bits than were looked at.

use crate::Refused;

/// Bits that one look-up of coefficients sees.
pub(crate) const STEP_BITS: u32 = 12;
/// Bits that one look-up of what is skipped sees.
pub(crate) const SKIP_BITS: u32 = 13;
/// Bits that the look-up of a DC code sees.
const DC_BITS: u32 = 9;
/// What an end of block adds to the index: more than any sum of runs.
pub(crate) const END: u32 = 128;

/// Codes as the file defines them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Codes {
    /// For each length from 1 on, the first bit pattern, aligned to 16 bits, that is no code of this length or less.
    limits: [u32; 16],
    /// What to add to a code of that length to get its index in `symbols`.
    offsets: [i32; 16],
    symbols: [u8; 256],
}

impl Codes {
    /// By how many codes of each length there are, and what they mean.
    pub(crate) fn new(counts: &[u8; 16], meanings: &[u8]) -> Result<Self, Refused> {
        let mut symbols = [0; 256];
        let total: usize = counts.iter().map(|count| usize::from(*count)).sum();
        if total > 256 || meanings.len() != total {
            return Err(Refused::Damaged("a Huffman table has too many codes"));
        }
        symbols[..total].copy_from_slice(meanings);
        let (mut limits, mut offsets) = ([0; 16], [0; 16]);
        let (mut code, mut index) = (0u32, 0i32);
        for (place, count) in counts.iter().enumerate() {
            offsets[place] = index - code.cast_signed();
            code += u32::from(*count);
            index += i32::from(*count);
            if code > 2 << place {
                return Err(Refused::Damaged("a Huffman table has too many codes"));
            }
            limits[place] = code << (15 - place);
            code <<= 1;
        }
        Ok(Self {
            limits,
            offsets,
            symbols,
        })
    }

    /// Length and meaning of the code at the top of 16 bits.
    #[inline(always)]
    fn find(&self, top: u32) -> Option<(u32, u8)> {
        // Counted, not searched: limits do not fall, and a loop that ends anywhere is mispredicted.
        let shorter: u32 = self
            .limits
            .iter()
            .map(|limit| u32::from(top >= *limit))
            .sum();
        let offset = self.offsets.get(shorter as usize)?;
        let length = shorter + 1;
        let code = (top >> (16 - length)).cast_signed();
        let index = (code + offset).cast_unsigned() as usize % 256;
        Some((length, self.symbols[index]))
    }
}

/// The lowest bits of a number.
#[inline(always)]
pub(crate) fn low_bits(word: u64, count: u32) -> u32 {
    word as u32 & ((1 << count) - 1)
}

/// The number that `size` extra bits stand for (T.81, F.2.2.1, EXTEND).
#[inline(always)]
pub(crate) fn extend(extra: u32, size: u32) -> i32 {
    let half = (1u32 << size) >> 1;
    let low = (1i32 << size) - 1;
    if extra < half {
        extra.cast_signed() - low
    } else {
        extra.cast_signed()
    }
}

/// Codes of DC differences.
pub(crate) struct DcTable {
    /// By the next bits: bits of the code and the difference in the low eight, of the difference alone above; 0 where the
    /// code is longer.
    short: [u16; 1 << DC_BITS],
    codes: Codes,
}

/// How long a code and the number behind it are, and the number alone.
#[derive(Clone, Copy)]
pub(crate) struct DcSymbol {
    pub(crate) bits: u32,
    pub(crate) size: u32,
}

impl DcTable {
    pub(crate) fn new(codes: &Codes) -> Self {
        let mut short = [0; 1 << DC_BITS];
        for (bits, entry) in (0u32..).zip(&mut short) {
            if let Some((length, size)) = codes.find(bits << (16 - DC_BITS))
                && length <= DC_BITS
                && size <= 11
            {
                *entry = u16::from(size) << 8 | (length as u16 + u16::from(size));
            }
        }
        Self {
            short,
            codes: codes.clone(),
        }
    }

    /// The symbol at the top of `word`.
    #[inline(always)]
    pub(crate) fn find(&self, word: u64) -> Option<DcSymbol> {
        let entry = u32::from(self.short[(word >> (64 - DC_BITS)) as usize]);
        if entry != 0 {
            return Some(DcSymbol {
                bits: entry & 0xff,
                size: entry >> 8,
            });
        }
        self.find_long(word)
    }

    #[cold]
    #[inline(never)]
    fn find_long(&self, word: u64) -> Option<DcSymbol> {
        let (length, size) = self.codes.find((word >> 48) as u32)?;
        let size = u32::from(size);
        (size <= 11).then_some(DcSymbol {
            bits: length + size,
            size,
        })
    }
}

/// Codes of AC coefficients.
pub(crate) struct AcTable {
    /// As many symbols as fit, the last of which may end the block.
    pub(crate) steps: [Step; 1 << STEP_BITS],
    /// Their coefficients, from the first that is not 0 on, in the lowest byte; those not reached are 0. Where the step
    /// takes no bits: see [`AcSymbol::unpack`].
    pub(crate) values: [u64; 1 << STEP_BITS],
    /// As many symbols as fit, without their values: bits in the low six, what the index grows by above.
    pub(crate) skips: [u16; 1 << SKIP_BITS],
    codes: Codes,
}

/// What one look-up of coefficients does. Bits 0..4: bits taken; 4..9: run in front of the first coefficient; 9..15: what
/// the index grows by; 15: the block ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step(u16);

impl Step {
    /// Takes no bits, and leaves every loop over the index.
    const LONG: Self = Self(1 << 15);

    fn new(bits: u32, run: u32, advance: u32, ends: bool) -> Self {
        let fields = bits | run << 4 | advance << 9 | u32::from(ends) << 15;
        Self(u16::try_from(fields).expect("15, 31 and 63 at most"))
    }

    #[inline(always)]
    pub(crate) fn bits(self) -> u32 {
        u32::from(self.0 & 15)
    }

    #[inline(always)]
    pub(crate) fn run(self) -> usize {
        usize::from(self.0 >> 4 & 31)
    }

    /// What the index grows by; 64 more at the end of the block.
    #[inline(always)]
    pub(crate) fn advance(self) -> usize {
        usize::from(self.0 >> 9)
    }

    #[inline(always)]
    pub(crate) fn ends(self) -> bool {
        self.0 >> 15 != 0
    }
}

/// One AC symbol: a code and what it says.
#[derive(Clone, Copy)]
pub(crate) struct AcSymbol {
    /// Of the code, without the extra bits.
    pub(crate) length: u32,
    /// What the index grows by; [`END`] for the end of the block.
    pub(crate) advance: u32,
    /// Extra bits; 0 when there is no coefficient.
    pub(crate) size: u32,
}

impl AcSymbol {
    fn new(length: u32, meaning: u8) -> Option<Self> {
        let (run, size) = (u32::from(meaning >> 4), u32::from(meaning & 15));
        let advance = match (run, size) {
            (0, 0) => END,
            (15, 0) | (_, 1..=10) => run + 1,
            _ => return None,
        };
        Some(Self {
            length,
            advance,
            size,
        })
    }
}

/// An entry of [`AcTable::steps`] or [`AcTable::skips`] that takes no bits and leaves every loop over the index.
const LONG: u16 = 1 << 15;

impl AcSymbol {
    /// An entry of [`AcTable::values`] for a symbol that is not stored as others are. Never 0.
    fn pack(self) -> u64 {
        u64::from(self.length | self.size << 8 | self.advance << 16)
    }

    /// The reverse, if the code is known.
    #[inline(always)]
    pub(crate) fn unpack(value: u64) -> Option<Self> {
        let fields = value as u32;
        (fields != 0).then_some(Self {
            length: fields & 31,
            size: fields >> 8 & 15,
            advance: fields >> 16,
        })
    }

    /// The same for [`AcTable::skips`]: bits beyond those looked at in 6..10, the run in 10..14.
    fn pack_skip(self) -> u16 {
        let beyond = self.length + self.size - SKIP_BITS;
        let fields = u16::try_from(beyond << 6 | (self.advance - 1) << 10);
        LONG | fields.expect("a code and its extra bits are 26 at most")
    }
}

/// Bits taken and what the index grows by, of an entry of [`AcTable::skips`] that takes no bits, if the code is known.
#[inline(always)]
pub(crate) fn unpack_skip(entry: u16) -> Option<(u32, u32)> {
    let beyond = u32::from(entry >> 6 & 15);
    (beyond != 0).then_some((SKIP_BITS + beyond, u32::from(entry >> 10 & 15) + 1))
}

impl AcTable {
    /// With what is needed to store coefficients, to pass over them, or both.
    #[expect(
        clippy::large_stack_arrays,
        reason = "56 KB for a moment, once a component; a slice would be checked at each look-up"
    )]
    pub(crate) fn new(codes: &Codes, stored: bool, skipped: bool) -> Box<Self> {
        let mut table = Box::new(Self {
            steps: [Step::LONG; 1 << STEP_BITS],
            values: [0; 1 << STEP_BITS],
            skips: [0; 1 << SKIP_BITS],
            codes: codes.clone(),
        });
        for bits in 0..(1u32 << STEP_BITS) * u32::from(stored) {
            let (step, value) = table.step(bits << (16 - STEP_BITS));
            table.steps[bits as usize] = step;
            table.values[bits as usize] = value;
        }
        for bits in 0..(1u32 << SKIP_BITS) * u32::from(skipped) {
            table.skips[bits as usize] = table.skip(bits << (16 - SKIP_BITS));
        }
        table
    }

    /// The symbol at the top of 16 bits, when it and its extra bits are among the first `known`.
    fn whole_symbol(&self, top: u32, known: u32) -> Option<AcSymbol> {
        let (length, meaning) = self.codes.find(top & 0xffff)?;
        AcSymbol::new(length, meaning).filter(|symbol| length + symbol.size <= known)
    }

    fn step(&self, top: u32) -> (Step, u64) {
        let (mut bits, mut advance, mut first) = (0, 0, None);
        let mut ends = false;
        let mut values = [0; 8];
        while !ends && let Some(symbol) = self.whole_symbol(top << bits, STEP_BITS - bits) {
            ends = symbol.advance == END;
            let behind = advance + symbol.advance % END;
            if behind > 31 {
                break;
            }
            if symbol.size > 0 {
                let run = *first.get_or_insert(behind - 1);
                let value = extend(
                    (top << (bits + symbol.length) & 0xffff) >> (16 - symbol.size),
                    symbol.size,
                );
                let room = values.get_mut((behind - 1 - run) as usize);
                let (Some(room), Ok(value)) = (room, i8::try_from(value)) else {
                    break;
                };
                *room = value;
            }
            advance = behind;
            bits += symbol.length + symbol.size;
        }
        if bits == 0 {
            let value = self.long(top, STEP_BITS).map_or(0, AcSymbol::pack);
            return (Step::LONG, value);
        }
        let step = Step::new(bits, first.unwrap_or(0), advance, ends);
        (step, u64::from_le_bytes(values.map(i8::cast_unsigned)))
    }

    /// The symbol at the top of 16 bits, when its code is among the first `known`.
    fn long(&self, top: u32, known: u32) -> Option<AcSymbol> {
        let (length, meaning) = self.codes.find(top)?;
        AcSymbol::new(length, meaning).filter(|symbol| symbol.length <= known)
    }

    fn skip(&self, top: u32) -> u16 {
        let (mut bits, mut advance) = (0, 0);
        while advance < END
            && let Some(symbol) = self.whole_symbol(top << bits, SKIP_BITS - bits)
            && advance + symbol.advance % END < 64
        {
            bits += symbol.length + symbol.size;
            advance += symbol.advance;
        }
        if bits == 0 {
            return self.long(top, SKIP_BITS).map_or(LONG, AcSymbol::pack_skip);
        }
        u16::try_from(bits | advance << 6).expect("13 bits and 191 at most")
    }

    /// One symbol, at the top of `word`.
    #[inline(always)]
    pub(crate) fn find(&self, word: u64) -> Option<AcSymbol> {
        let (length, meaning) = self.codes.find((word >> 48) as u32)?;
        AcSymbol::new(length, meaning)
    }
}
