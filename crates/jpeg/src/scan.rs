//! The MCUs of a scan, row by row, to RGB.
//!
//! Eight MCUs are decoded, then their blocks are transformed together, and a row of MCUs is turned into RGB when it is
//! complete: coefficients and samples never leave the cache.

use crate::bits::Source;
use crate::block::{Group, LANES, Tables, decode};
use crate::colour::{Rows, grey_to_rgb, to_rgb};
use crate::header::{Component, Header};
use crate::huffman::{AcTable, DcTable};
use crate::transform::{Factor, Transform, factors, last_wanted, transform};
use crate::{Refused, Rgb};

/// One component: its tables and the row of MCUs that is being decoded.
struct Channel {
    dc: DcTable,
    ac: Box<AcTable>,
    factors: [Factor; 64],
    transform: Transform,
    /// The last coefficient that is wanted, in zigzag order.
    last: usize,
    /// Blocks of an MCU.
    columns: usize,
    rows: usize,
    /// Samples of a block.
    block_width: usize,
    block_height: usize,
    /// Coefficients of eight MCUs: for each row of blocks as many groups as an MCU has columns.
    groups: Vec<Group>,
    prediction: i32,
    /// Samples of a row of MCUs.
    plane: Vec<u8>,
    stride: usize,
}

impl Channel {
    fn new(
        component: &Component,
        (columns, rows): (usize, usize),
        (block_width, block_height): (usize, usize),
        mcus: usize,
    ) -> Result<Self, Refused> {
        let last = last_wanted(block_width, block_height);
        let transform = transform(block_width, block_height)
            .ok_or(Refused::Unsupported("an unusual sampling"))?;
        // Eight MCUs are transformed together, sixteen samples converted.
        let stride = mcus.next_multiple_of(LANES) * columns * block_width;
        let stride = stride.next_multiple_of(16);
        Ok(Self {
            dc: DcTable::new(&component.dc),
            ac: AcTable::new(&component.ac, last > 0, last < 20),
            factors: factors(&component.steps, block_width, block_height)?,
            transform,
            last,
            columns,
            rows,
            block_width,
            block_height,
            groups: vec![[[0; _]; _]; columns * rows],
            prediction: 0,
            plane: vec![0; stride * rows * block_height],
            stride,
        })
    }

    /// Transforms eight MCUs, the first of which is number `first` of its row.
    fn transform(&mut self, first: usize) {
        let groups = self.groups.iter();
        for (number, group) in groups.enumerate() {
            let (row, column) = (number / self.columns, number % self.columns);
            let block = first * self.columns + column * LANES;
            let start = row * self.block_height * self.stride + block * self.block_width;
            (self.transform)(group, &self.factors, &mut self.plane[start..], self.stride);
        }
    }

    fn row(&self, row: usize) -> &[u8] {
        &self.plane[row * self.stride..][..self.stride]
    }
}

/// Decodes the scan at `1 / divisor` of its sides; `divisor` is 2, 4 or 8.
pub(crate) fn read(header: &Header, divisor: usize) -> Result<Rgb, Refused> {
    let (across, down) = header.sampling;
    let mcus = (header.width as usize).div_ceil(8 * across);
    let mcu_rows = (header.height as usize).div_ceil(8 * down);
    let mut channels = Vec::new();
    for (number, component) in header.components.iter().enumerate() {
        // Chroma has fewer blocks, so more samples are made of each: it never has to be stretched.
        let (blocks, samples) = match number {
            0 => ((across, down), (8 / divisor, 8 / divisor)),
            _ => ((1, 1), (8 * across / divisor, 8 * down / divisor)),
        };
        channels.push(Channel::new(component, blocks, samples, mcus)?);
    }
    let width = (header.width as usize).div_ceil(divisor);
    let height = (header.height as usize).div_ceil(divisor);
    let mut rgb = vec![0; width * 3 * height];
    let mut source = Source::new(header.coded);
    let mut bits = source.start();
    let mut intervals = Intervals::new(header.restart_interval);

    let row_height = 8 * down / divisor;
    for rgb in rgb.chunks_mut(width * 3 * row_height).take(mcu_rows) {
        for first in (0..mcus).step_by(LANES) {
            for mcu in 0..LANES.min(mcus - first) {
                if let Some(ended) = intervals.next() {
                    source.finish_interval(bits)?;
                    bits = source.pass_restart(ended)?;
                    for channel in &mut channels {
                        channel.prediction = 0;
                    }
                }
                for channel in &mut channels {
                    let tables = Tables {
                        dc: &channel.dc,
                        ac: &channel.ac,
                        last: channel.last,
                        stored: if channel.last < 20 { channel.last + 1 } else { 64 },
                    };
                    for row in 0..channel.rows {
                        for column in 0..channel.columns {
                            let block = mcu * channel.columns + column;
                            let group = row * channel.columns + block / LANES;
                            let lane = &mut channel.groups[group][block % LANES];
                            let prediction = &mut channel.prediction;
                            bits = decode(bits, &mut source, tables, prediction, lane)?;
                        }
                    }
                }
            }
            for channel in &mut channels {
                channel.transform(first);
            }
        }
        for (row, rgb) in rgb.chunks_mut(width * 3).enumerate() {
            match &channels[..] {
                [luma, blue, red] => {
                    let rows = Rows {
                        luma: luma.row(row),
                        blue: blue.row(row),
                        red: red.row(row),
                    };
                    to_rgb(rows, rgb);
                }
                [grey, ..] => grey_to_rgb(grey.row(row), rgb),
                [] => {}
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
