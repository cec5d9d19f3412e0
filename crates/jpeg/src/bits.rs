//! Bits of one scan, most significant first, with stuffing and restart markers taken out (ITU-T T.81, F.2.2.5).
//!
//! The block decoder asks for bits through a small copy of the state, [`Bits`], that the compiler keeps in registers, and
//! refills it eight bytes at a time without looking for 0xff: coded bytes are freed of their stuffing piece by piece, into
//! a buffer that stays in the first-level cache.
//!
//! Invariant: no call reads outside the buffer, whatever the bytes are. Behind the last coded byte there are zeros, and
//! whoever used one of them is told so by [`Source::finish_interval`].

use memchr::memchr;

use crate::Refused;

/// Coded bytes that are unstuffed at once.
const PIECE: usize = 8 * 1024;
/// Bits that may be asked for behind the end before it is called an overrun: what two refills look ahead.
const LOOK_AHEAD: usize = 16;

/// The next bits.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bits {
    /// The next bits, topmost first. Those below `count` may be set: they are what a refill would put there.
    pub(crate) word: u64,
    /// Bits of `word` that count, at most 63.
    pub(crate) count: u32,
    /// Where in the buffer the bits behind these begin.
    position: usize,
}

impl Bits {
    /// The same with 56 bits or more available. (By value, here and below: a reference would keep the state in memory.)
    #[inline(always)]
    #[must_use]
    pub(crate) fn refilled(mut self, source: &mut Source) -> Self {
        let ahead = source.buffer.get(self.position..);
        let next = if let Some(bytes) = ahead.and_then(<[u8]>::first_chunk::<8>) {
            u64::from_be_bytes(*bytes)
        } else {
            let (position, next) = source.fetch(self.position);
            self.position = position;
            next
        };
        self.word |= next >> self.count;
        self.position += ((63 - self.count) >> 3) as usize;
        // Eight times what was just added to the position, added to a number below 64.
        self.count |= 0x38;
        self
    }

    /// Drops `length` bits, at most 63 and no more than there are.
    #[inline(always)]
    #[must_use]
    pub(crate) fn dropped(mut self, length: u32) -> Self {
        self.word <<= length & 63;
        self.count = self.count.wrapping_sub(length);
        self
    }
}

/// The coded bytes of one scan.
pub(crate) struct Source<'a> {
    /// What was not unstuffed yet; begins with a marker when `at_marker`.
    rest: &'a [u8],
    at_marker: bool,
    buffer: Box<[u8; PIECE]>,
    /// Coded bytes in `buffer`; zeros behind them when no more follow.
    filled: usize,
    overrun: bool,
}

impl<'a> Source<'a> {
    /// For the bytes behind a scan's header.
    pub(crate) fn new(coded: &'a [u8]) -> Self {
        Self {
            rest: coded,
            at_marker: false,
            buffer: Box::new([0; PIECE]),
            filled: 0,
            overrun: false,
        }
    }

    /// State in front of the first bit of an interval.
    pub(crate) fn start(&mut self) -> Bits {
        self.filled = 0;
        self.unstuff();
        Bits::default()
    }

    /// Goes on with the next piece: where `position` is now, and the eight bytes there.
    #[cold]
    #[inline(never)]
    fn fetch(&mut self, mut position: usize) -> (usize, u64) {
        let used = position.min(self.filled);
        self.buffer.copy_within(used..self.filled, 0);
        self.filled -= used;
        // Where more is to come, nothing was read behind what is there.
        position -= used;
        if position > LOOK_AHEAD {
            self.overrun = true;
            position = LOOK_AHEAD;
        }
        self.unstuff();
        let next = self.buffer[position..].first_chunk();
        let next = next.expect("a piece is longer than what is looked ahead");
        (position, u64::from_be_bytes(*next))
    }

    /// Fills the buffer with coded bytes up to the next marker, and with zeros behind them.
    fn unstuff(&mut self) {
        while !self.at_marker && self.filled < PIECE {
            let room = (PIECE - self.filled).min(self.rest.len());
            let plain = memchr(0xff, &self.rest[..room]).unwrap_or(room);
            self.buffer[self.filled..self.filled + plain].copy_from_slice(&self.rest[..plain]);
            self.filled += plain;
            self.rest = &self.rest[plain..];
            match self.rest {
                [0xff, 0x00, ..] if self.filled < PIECE => {
                    self.buffer[self.filled] = 0xff;
                    self.filled += 1;
                    self.rest = &self.rest[2..];
                }
                // A marker may have any number of 0xff in front of it.
                [0xff, 0xff, ..] => self.rest = &self.rest[1..],
                [0xff, 0x01..=0xff, ..] | [0xff] | [] => self.at_marker = true,
                _ => {}
            }
        }
        self.buffer[self.filled..].fill(0);
    }

    /// Checks that an interval was read to its end and not beyond.
    pub(crate) fn finish_interval(&mut self, bits: Bits) -> Result<(), Refused> {
        // A piece may end where the interval does.
        if !self.at_marker && !matches!(self.marker(), [0xff, 0x01..=0xfe, ..]) {
            return Err(Refused::Damaged("coded data is left over"));
        }
        let used = bits.position * 8;
        let given = self.filled * 8 + bits.count as usize;
        if self.overrun || used > given {
            return Err(Refused::Damaged("coded data ends early"));
        }
        if given - used >= 8 {
            return Err(Refused::Damaged("coded data is left over"));
        }
        Ok(())
    }

    /// Passes the restart marker that ends interval number `interval`, counted from 0.
    pub(crate) fn pass_restart(&mut self, interval: u32) -> Result<Bits, Refused> {
        let expected = 0xd0 + (interval % 8).to_le_bytes()[0];
        match self.marker() {
            [0xff, code, rest @ ..] if *code == expected => {
                self.rest = rest;
                self.at_marker = false;
                Ok(self.start())
            }
            _ => Err(Refused::Damaged(
                "a restart marker is not where it should be",
            )),
        }
    }

    /// What follows the last interval, from its marker's 0xff on.
    pub(crate) fn marker(&self) -> &'a [u8] {
        let fill = self
            .rest
            .windows(2)
            .take_while(|pair| *pair == [0xff, 0xff]);
        &self.rest[fill.count()..]
    }
}
