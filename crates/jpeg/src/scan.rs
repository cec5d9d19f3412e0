//! The MCUs of a scan, row by row, to RGB.
//!
//! Eight MCUs are decoded, then their blocks are transformed together, and a row of MCUs is turned into RGB when it is
//! complete: coefficients and samples never leave the cache.

use std::ops::Range;
use std::rc::Rc;

use crate::bits::{Bits, Source};
use crate::block::{Block, LANES, Tables, decode};
use crate::colour::{Rows, STEP, grey_to_rgb, to_rgb};
use crate::header::{Component, Header};
use crate::huffman::{AcTable, DcTable};
use crate::transform::{Factor, REACH, Transform, factors, last_wanted, transforms};
use crate::{Part, Refused, Rgb};

/// One component: its tables and the row of MCUs that is being decoded.
struct Channel {
    coder: Rc<Coder>,
    /// The index up to which coefficients are stored.
    stored: usize,
    factors: [Factor; 64],
    transforms: [Transform; 2],
    /// Blocks of an MCU.
    columns: usize,
    rows: usize,
    /// Samples of a block.
    width: usize,
    height: usize,
    /// Samples of a row of MCUs.
    plane: Vec<u8>,
    stride: usize,
}

/// The tables of coefficients. Both kinds of chroma have the same ones, which are large: they share them.
struct Coder {
    dc: DcTable,
    ac: Box<AcTable>,
}

impl Coder {
    fn new(component: &Component, stored: usize) -> Self {
        Self {
            dc: DcTable::new(&component.dc),
            ac: AcTable::new(&component.ac, stored > 1, stored < 64),
        }
    }
}

impl Channel {
    /// Of so many columns and rows of blocks an MCU, and of samples a block. `before` is the component before, if its codes
    /// are the same.
    fn new(
        component: &Component,
        before: Option<&Self>,
        [(columns, rows), (width, height)]: [(usize, usize); 2],
        mcus: usize,
    ) -> Result<Self, Refused> {
        let last = last_wanted(width, height);
        // Passing over what is behind the last one pays where that is most of the block.
        let stored = if last < 20 { last + 1 } else { 64 };
        // Eight MCUs are transformed together, sixteen samples converted.
        let stride = mcus.next_multiple_of(LANES) * columns * width;
        let stride = stride.next_multiple_of(16);
        let coder = match before {
            Some(before) if before.stored == stored => Rc::clone(&before.coder),
            _ => Rc::new(Coder::new(component, stored)),
        };
        Ok(Self {
            coder,
            stored,
            factors: factors(&component.steps, width, height)?,
            transforms: transforms(width, height)
                .ok_or(Refused::Unsupported("an unusual sampling"))?,
            columns,
            rows,
            width,
            height,
            plane: vec![0; stride * rows * height],
            stride,
        })
    }

    /// Transforms the blocks of eight MCUs, the first of which is number `first` of its row.
    fn transform(&mut self, blocks: &[Block], reach: &[u8], first: usize) {
        let groups = blocks.as_chunks::<LANES>().0.iter();
        for (number, (group, reach)) in groups.zip(reach.chunks(LANES)).enumerate() {
            let (row, column) = (number / self.columns, number % self.columns);
            let block = first * self.columns + column * LANES;
            let start = row * self.height * self.stride + block * self.width;
            let far = reach.iter().any(|reach| usize::from(*reach) > REACH);
            let transform = self.transforms[usize::from(far)];
            transform(group, &self.factors, &mut self.plane[start..], self.stride);
        }
    }

    /// Samples of a row, from column `first` on.
    fn row(&self, row: usize, first: usize) -> &[u8] {
        &self.plane[row * self.stride..][first..self.stride]
    }
}

/// One block of an MCU: its component, and where it is among the blocks of eight MCUs. Those of a component lie together,
/// in rows.
struct Place {
    channel: usize,
    first: usize,
    /// How much further the same block of the next MCU is.
    step: usize,
}

/// Decodes the scan at `1 / divisor` of its sides, `part` of its pixels at least; `divisor` is 2, 4 or 8.
pub(crate) fn read(
    header: &Header,
    divisor: usize,
    part: &Part,
    between: &dyn Fn(),
) -> Result<Rgb, Refused> {
    let (across, down) = header.sampling;
    let mcus = (header.width as usize).div_ceil(8 * across);
    let mut channels: Vec<Channel> = Vec::new();
    let mut places = Vec::new();
    let mut block_count = 0;
    for (number, component) in header.components.iter().enumerate() {
        // Chroma has fewer blocks, so more samples are made of each: it never has to be stretched.
        let ((columns, rows), samples) = match number {
            0 => ((across, down), (8 / divisor, 8 / divisor)),
            _ => ((1, 1), (8 * across / divisor, 8 * down / divisor)),
        };
        let before = number.checked_sub(1).filter(|before| {
            let before = &header.components[*before];
            before.dc == component.dc && before.ac == component.ac
        });
        let before = before.map(|before| &channels[before]);
        let channel = Channel::new(component, before, [(columns, rows), samples], mcus)?;
        channels.push(channel);
        for block in 0..rows * columns {
            places.push(Place {
                channel: number,
                first: block_count + block / columns * columns * LANES + block % columns,
                step: columns,
            });
        }
        block_count += rows * columns * LANES;
    }
    let mut row = Row {
        mcus,
        places,
        blocks: vec![[0; _]; block_count],
        reach: vec![0; block_count],
        predictions: [0; 3],
        intervals: Intervals::new(header.restart_interval),
    };
    let width = (header.width as usize).div_ceil(divisor);
    let height = (header.height as usize).div_ceil(divisor);
    let length = (width * 3).checked_mul(height);
    let length = length.ok_or(Refused::Unsupported("larger than this machine's memory"))?;
    let (mcu_width, mcu_height) = (8 * across / divisor, 8 * down / divisor);
    let rows = limited(&part.rows, height);
    let columns = limited(&part.columns, width);
    // From where sixteen pixels are converted together.
    let columns = columns.start / STEP * STEP..columns.end;
    let groups = columns.start / mcu_width / LANES..columns.end.div_ceil(mcu_width * LANES);
    let mut rgb = Vec::with_capacity(length);
    let mut source = Source::new(header.coded);
    let mut bits = source.start();
    // A picture of so many rows has as many rows of MCUs as there are steps here: the divisor divides an MCU.
    for top in (0..height).step_by(mcu_height) {
        between();
        let bottom = height.min(top + mcu_height);
        let is_wanted = rows.start < bottom && top < rows.end;
        let groups = if is_wanted { groups.clone() } else { 0..0 };
        bits = row.decode(&mut channels, &mut source, (bits, &groups))?;
        for row in 0..bottom - top {
            let start = rgb.len();
            rgb.resize(start + width * 3, 0);
            if is_wanted {
                convert(&channels, row, &columns, &mut rgb[start..]);
            }
        }
    }
    source.finish_interval(bits)?;
    // Another scan would change the picture.
    if !matches!(source.marker(), [0xff, 0xd9, ..]) {
        return Err(Refused::Damaged("its end marker is not where it should be"));
    }
    Ok(Rgb {
        width: u32::try_from(width).expect("a part of a side of 16 bits"),
        height: u32::try_from(height).expect("a part of a side of 16 bits"),
        pixels: rgb,
    })
}

/// What there is of a range.
fn limited(range: &Range<u32>, length: usize) -> Range<usize> {
    let end = length.min(range.end as usize);
    end.min(range.start as usize)..end
}

/// What decodes a row of MCUs.
struct Row {
    mcus: usize,
    places: Vec<Place>,
    /// Coefficients of eight MCUs.
    blocks: Vec<Block>,
    /// For each block an index that nothing but zeros is stored from.
    reach: Vec<u8>,
    predictions: [i32; 3],
    intervals: Intervals,
}

impl Row {
    /// Decodes a row, and transforms those of its groups of eight MCUs that are `wanted` into the channels' planes. Returns
    /// the bits behind it.
    fn decode(
        &mut self,
        channels: &mut [Channel],
        source: &mut Source,
        (mut bits, wanted): (Bits, &Range<usize>),
    ) -> Result<Bits, Refused> {
        for (group, first) in (0..self.mcus).step_by(LANES).enumerate() {
            for mcu in 0..LANES.min(self.mcus - first) {
                if let Some(ended) = self.intervals.next() {
                    source.finish_interval(bits)?;
                    bits = source.pass_restart(ended)?;
                    self.predictions = [0; 3];
                }
                bits = self.decode_mcu(channels, source, bits, mcu)?;
            }
            if !wanted.contains(&group) {
                continue;
            }
            let (mut blocks, mut reach) = (&self.blocks[..], &self.reach[..]);
            for channel in &mut *channels {
                let count = channel.columns * channel.rows * LANES;
                channel.transform(&blocks[..count], &reach[..count], first);
                (blocks, reach) = (&blocks[count..], &reach[count..]);
            }
        }
        Ok(bits)
    }

    #[inline(always)]
    fn decode_mcu(
        &mut self,
        channels: &[Channel],
        source: &mut Source,
        mut bits: Bits,
        mcu: usize,
    ) -> Result<Bits, Refused> {
        for place in &self.places {
            let channel = &channels[place.channel];
            let tables = Tables {
                dc: &channel.coder.dc,
                ac: &channel.coder.ac,
                stored: channel.stored,
            };
            let at = place.first + mcu * place.step;
            let target = (&mut self.predictions[place.channel], &mut self.blocks[at]);
            let reach;
            (bits, reach) = decode(bits, source, tables, target)?;
            self.reach[at] = reach as u8;
        }
        Ok(bits)
    }
}

/// Converts some columns of a row of samples to RGB.
fn convert(channels: &[Channel], row: usize, columns: &Range<usize>, rgb: &mut [u8]) {
    let rgb = &mut rgb[columns.start * 3..columns.end * 3];
    match channels {
        [luma, blue, red] => {
            let rows = Rows {
                luma: luma.row(row, columns.start),
                blue: blue.row(row, columns.start),
                red: red.row(row, columns.start),
            };
            to_rgb(rows, rgb);
        }
        [grey, ..] => grey_to_rgb(grey.row(row, columns.start), rgb),
        [] => {}
    }
}

/// Counts MCUs for restart markers.
struct Intervals {
    length: u32,
    left: u32,
    ended: u32,
}

impl Intervals {
    fn new(length: u32) -> Self {
        let left = if length == 0 { u32::MAX } else { length };
        Self {
            length,
            left,
            ended: 0,
        }
    }

    /// Called in front of each MCU; the number of the interval that ended there, if one did. A picture of 2^16 by 2^16
    /// pixels has fewer MCUs than there are numbers, so without restarts none does.
    fn next(&mut self) -> Option<u32> {
        let mut ended = None;
        if self.left == 0 {
            ended = Some(self.ended);
            self.ended = self.ended.wrapping_add(1);
            self.left = self.length;
        }
        self.left -= 1;
        ended
    }
}
