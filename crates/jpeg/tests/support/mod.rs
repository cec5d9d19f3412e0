//! JPEGs made of given coefficients, and what they should decode to, by the definition and in 64-bit floats.

#![allow(
    dead_code,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "each test uses a part; numbers here are small"
)]

use std::f64::consts::{PI, SQRT_2};

/// A picture before it is coded.
#[derive(Debug, Clone)]
pub struct Sketch {
    pub width: usize,
    pub height: usize,
    /// Luma blocks of an MCU in either direction; nothing for grey.
    pub sampling: Option<(usize, usize)>,
    /// MCUs between restart markers; 0 for none.
    pub restart: u16,
    /// Quantisation steps of luma and of chroma, in zigzag order.
    pub steps: [[u16; 64]; 2],
    /// For each component its blocks, row by row, each in zigzag order.
    pub blocks: Vec<Vec<[i16; 64]>>,
}

/// How the codes of a table are dealt out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codes {
    /// All of eight bits.
    Even,
    /// What is frequent in photos is short.
    Skewed,
    /// One code of each length up to 8, for what is rarest; 16 bits that begin with eight ones for all others.
    Long,
}

/// A generator of numbers that are the same everywhere (xorshift).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}

impl Sketch {
    pub fn sampling_or_one(&self) -> (usize, usize) {
        self.sampling.unwrap_or((1, 1))
    }

    pub fn mcus(&self) -> (usize, usize) {
        let (across, down) = self.sampling_or_one();
        (
            self.width.div_ceil(8 * across),
            self.height.div_ceil(8 * down),
        )
    }

    /// How many blocks a component has.
    pub fn block_count(&self, component: usize) -> usize {
        let (mcus, rows) = self.mcus();
        let (across, down) = if component == 0 {
            self.sampling_or_one()
        } else {
            (1, 1)
        };
        mcus * across * rows * down
    }

    pub fn component_count(&self) -> usize {
        if self.sampling.is_some() { 3 } else { 1 }
    }

    /// Random blocks: `density` coefficients of 64, at most `strength`, fewer of high frequencies.
    pub fn fill(&mut self, seed: u64, density: usize, strength: usize) {
        let mut random = Random(seed * 2 + 1);
        let counts: Vec<usize> = (0..self.component_count())
            .map(|component| self.block_count(component))
            .collect();
        self.blocks = counts
            .into_iter()
            .map(|count| {
                let block = |_| {
                    let mut block = [0; 64];
                    for _ in 0..random.below(density + 1) {
                        let at = random.below(64).min(random.below(64));
                        let most = (strength / (1 + at)).max(1);
                        block[at] = random.below(2 * most + 1) as i16 - most as i16;
                    }
                    block
                };
                (0..count).map(block).collect()
            })
            .collect();
    }

    /// The file.
    pub fn encode(&self, codes: Codes) -> Vec<u8> {
        let mut file = vec![0xff, 0xd8];
        segment(&mut file, 0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
        for (number, steps) in (0..).zip(&self.steps) {
            let wide = steps.iter().any(|step| *step > 255);
            let mut table = vec![u8::from(wide) << 4 | number];
            for step in steps {
                if wide {
                    table.extend(step.to_be_bytes());
                } else {
                    table.push(*step as u8);
                }
            }
            segment(&mut file, 0xdb, &table);
        }
        let mut frame = vec![8];
        frame.extend((self.height as u16).to_be_bytes());
        frame.extend((self.width as u16).to_be_bytes());
        let (across, down) = self.sampling_or_one();
        let components = self.component_count() as u8;
        frame.push(components);
        let mut scan = vec![components];
        for id in 0..components {
            let sampling = if id == 0 {
                (across << 4 | down) as u8
            } else {
                0x11
            };
            frame.extend([id + 1, sampling, u8::from(id > 0)]);
            scan.extend([id + 1, 0]);
        }
        scan.extend([0, 63, 0]);
        segment(&mut file, 0xc0, &frame);
        let (dc, ac) = (
            Table::new(&dc_symbols(), codes),
            Table::new(&ac_symbols(), codes),
        );
        segment(&mut file, 0xc4, &dc.segment(0x00));
        segment(&mut file, 0xc4, &ac.segment(0x10));
        if self.restart > 0 {
            segment(&mut file, 0xdd, &self.restart.to_be_bytes());
        }
        segment(&mut file, 0xda, &scan);
        self.write_scan(&mut file, &dc, &ac);
        file.extend([0xff, 0xd9]);
        file
    }

    fn write_scan(&self, file: &mut Vec<u8>, dc: &Table, ac: &Table) {
        let (across, down) = self.sampling_or_one();
        let (mcus, rows) = self.mcus();
        let mut bits = BitWriter::default();
        let mut predictions = vec![0; self.component_count()];
        for mcu in 0..mcus * rows {
            if self.restart > 0 && mcu > 0 && mcu % usize::from(self.restart) == 0 {
                bits.finish(file);
                let number = (mcu / usize::from(self.restart) - 1) % 8;
                file.extend([0xff, 0xd0 + number as u8]);
                predictions.fill(0);
            }
            for (component, prediction) in predictions.iter_mut().enumerate() {
                let (across, down) = if component == 0 {
                    (across, down)
                } else {
                    (1, 1)
                };
                for place in 0..across * down {
                    let column = mcu % mcus * across + place % across;
                    let row = mcu / mcus * down + place / across;
                    let block = &self.blocks[component][row * mcus * across + column];
                    let difference = i32::from(block[0]) - *prediction;
                    *prediction = i32::from(block[0]);
                    write_block(&mut bits, file, (difference, block), dc, ac);
                }
            }
        }
        bits.finish(file);
    }

    /// What the file is to decode to at a part of its sides: red, green and blue.
    pub fn expected(&self, divisor: usize) -> Vec<u8> {
        let (across, down) = self.sampling_or_one();
        let planes: Vec<Vec<f64>> = (0..self.component_count())
            .map(|component| {
                if component == 0 {
                    self.plane(0, across, (8 / divisor, 8 / divisor))
                } else {
                    self.plane(component, 1, (8 * across / divisor, 8 * down / divisor))
                }
            })
            .collect();
        let stride = self.mcus().0 * across * 8 / divisor;
        let (width, height) = (self.width.div_ceil(divisor), self.height.div_ceil(divisor));
        let mut rgb = Vec::new();
        for at in (0..height).flat_map(|y| (0..width).map(move |x| y * stride + x)) {
            let y = planes[0][at];
            let (cb, cr) = match &planes[..] {
                [_, cb, cr] => (cb[at] - 128.0, cr[at] - 128.0),
                _ => (0.0, 0.0),
            };
            let colours = [
                y + 1.402 * cr,
                y - 0.344_136 * cb - 0.714_136 * cr,
                y + 1.772 * cb,
            ];
            rgb.extend(colours.map(|level| level.round().clamp(0.0, 255.0) as u8));
        }
        rgb
    }

    /// The samples of one component, blocks of `size` columns and rows: means over all that a sample stands for.
    fn plane(&self, component: usize, across: usize, size: (usize, usize)) -> Vec<f64> {
        let (columns, rows) = size;
        let blocks_in_row = self.mcus().0 * across;
        let steps = &self.steps[usize::from(component > 0)];
        let blocks = &self.blocks[component];
        let mut plane = vec![0.0; blocks.len() * columns * rows];
        for (number, block) in blocks.iter().enumerate() {
            let samples = samples(block, steps);
            let (left, top) = (
                number % blocks_in_row * columns,
                number / blocks_in_row * rows,
            );
            for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |x| (row, x))) {
                let (wide, high) = (8 / columns, 8 / rows);
                let covered = (row * high..(row + 1) * high)
                    .flat_map(|y| (column * wide..(column + 1) * wide).map(move |x| samples[y][x]));
                let mean = covered.sum::<f64>() / (wide * high) as f64;
                plane[(top + row) * blocks_in_row * columns + left + column] =
                    mean.clamp(0.0, 255.0);
            }
        }
        plane
    }
}

/// T.81, A.3.3.
fn samples(block: &[i16; 64], steps: &[u16; 64]) -> [[f64; 8]; 8] {
    let wave = |frequency: usize, at: usize| {
        let scale = if frequency == 0 { 0.5 / SQRT_2 } else { 0.5 };
        scale * ((2 * at + 1) as f64 * frequency as f64 * PI / 16.0).cos()
    };
    let mut samples = [[128.0; 8]; 8];
    for (index, (row, column)) in zigzag().into_iter().enumerate() {
        let level = f64::from(block[index]) * f64::from(steps[index]);
        if level != 0.0 {
            for (y, x) in (0..8).flat_map(|y| (0..8).map(move |x| (y, x))) {
                samples[y][x] += level * wave(row, y) * wave(column, x);
            }
        }
    }
    samples
}

/// Rows and columns in the order of diagonals, every other one upwards.
pub fn zigzag() -> Vec<(usize, usize)> {
    let mut order: Vec<(usize, usize)> = (0..8)
        .flat_map(|row| (0..8).map(move |column| (row, column)))
        .collect();
    order.sort_by_key(|(row, column)| {
        let diagonal = row + column;
        (diagonal, if diagonal % 2 == 0 { *column } else { *row })
    });
    order
}

fn segment(file: &mut Vec<u8>, marker: u8, content: &[u8]) {
    file.extend([0xff, marker]);
    file.extend((content.len() as u16 + 2).to_be_bytes());
    file.extend(content);
}

/// By how frequent they are in photos.
fn ac_symbols() -> Vec<u8> {
    let mut symbols: Vec<u8> = (0..16u8)
        .flat_map(|run| (1..=10).map(move |size| run << 4 | size))
        .collect();
    symbols.sort_by_key(|symbol| (symbol >> 4) + 2 * (symbol & 15));
    symbols.insert(1, 0);
    symbols.push(0xf0);
    symbols
}

fn dc_symbols() -> Vec<u8> {
    (0..12).collect()
}

struct Table {
    counts: [u8; 16],
    symbols: Vec<u8>,
    /// Code and length by symbol.
    codes: Vec<(u32, u32)>,
}

impl Table {
    fn new(frequent_first: &[u8], codes: Codes) -> Self {
        let mut symbols = frequent_first.to_vec();
        let mut counts = [0; 16];
        match codes {
            Codes::Even => counts[7] = symbols.len() as u8,
            Codes::Skewed => {
                // Two of each length from two on, until the rest fits into lengths of its own.
                for count in &mut counts[1..7] {
                    *count = 2;
                }
                counts[1] = 1;
                let rest = symbols.len().saturating_sub(11);
                counts[14] = rest as u8;
                let used = symbols.len() - rest;
                let mut left = used;
                for count in &mut counts[..14] {
                    *count = usize::from(*count).min(left) as u8;
                    left -= usize::from(*count);
                }
            }
            Codes::Long => {
                symbols.reverse();
                let short = symbols.len().min(8);
                counts[..short].fill(1);
                counts[15] = (symbols.len() - short) as u8;
            }
        }
        let mut by_symbol = vec![(0, 0); 256];
        let (mut code, mut next) = (0u32, symbols.iter());
        for (length, count) in (1..).zip(counts) {
            for _ in 0..count {
                by_symbol[usize::from(*next.next().unwrap())] = (code, length);
                code += 1;
            }
            assert!(code <= 1 << length);
            code <<= 1;
        }
        assert!(next.next().is_none());
        Self {
            counts,
            symbols,
            codes: by_symbol,
        }
    }

    fn segment(&self, place: u8) -> Vec<u8> {
        [&[place][..], &self.counts, &self.symbols].concat()
    }
}

#[derive(Default)]
struct BitWriter {
    held: u64,
    count: u32,
}

impl BitWriter {
    fn put(&mut self, file: &mut Vec<u8>, bits: u32, length: u32) {
        self.held = self.held << length | u64::from(bits);
        self.count += length;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.held >> self.count) as u8;
            file.push(byte);
            if byte == 0xff {
                file.push(0);
            }
        }
        self.held &= (1 << self.count) - 1;
    }

    fn finish(&mut self, file: &mut Vec<u8>) {
        let missing = (8 - self.count % 8) % 8;
        self.put(file, (1 << missing) - 1, missing);
    }
}

fn write_block(
    bits: &mut BitWriter,
    file: &mut Vec<u8>,
    (difference, block): (i32, &[i16; 64]),
    dc: &Table,
    ac: &Table,
) {
    let put = |bits: &mut BitWriter, file: &mut Vec<u8>, table: &Table, run: u32, value: i32| {
        let size = 32 - value.unsigned_abs().leading_zeros();
        let (code, length) = table.codes[(run << 4 | size) as usize];
        bits.put(file, code, length);
        let extra = if value < 0 { value - 1 } else { value };
        bits.put(file, extra as u32 & ((1 << size) - 1), size);
    };
    put(bits, file, dc, 0, difference);
    let mut run = 0;
    for value in &block[1..] {
        if *value == 0 {
            run += 1;
            continue;
        }
        while run > 15 {
            let (code, length) = ac.codes[0xf0];
            bits.put(file, code, length);
            run -= 16;
        }
        put(bits, file, ac, run, i32::from(*value));
        run = 0;
    }
    if run > 0 {
        let (code, length) = ac.codes[0];
        bits.put(file, code, length);
    }
}
