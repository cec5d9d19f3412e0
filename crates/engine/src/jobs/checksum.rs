//! MD5 of several files at once.
//!
//! Called for the members of an archive. Each step of MD5 waits for the one before it, so that one file keeps a core
//! mostly waiting; eight side by side in a vector take less than twice as long as one alone.

use lookalike_embed::give_way;
use md5::{Digest as _, Md5};
use wide::u32x8;

/// Files that are hashed side by side.
pub(super) const LANES: usize = 8;

const BLOCK_BYTES: usize = 64;
/// Blocks of each file between two looks whether somebody else is to go first: a fraction of a millisecond.
const STEPS_A_TURN: usize = 1024;

/// RFC 1321, section 3.3.
const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// RFC 1321, section 3.4: the whole part of 2^32 |sin(i + 1)|.
#[rustfmt::skip]
const SINES: [u32; 64] = [
    0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
    0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
    0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
    0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
    0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
];

/// The MD5 of each of up to [`LANES`] files.
pub(super) fn digests(files: &[&[u8]]) -> Vec<[u8; 16]> {
    assert!(files.len() <= LANES, "more files than lanes");
    // A vector step takes longer than one of the scalar code, which is written for one file.
    if files.len() < 2 {
        return files.iter().map(|file| Md5::digest(file).into()).collect();
    }
    let tails: Vec<Vec<u8>> = files.iter().map(|file| tail(file)).collect();
    let blocks = |lane: usize| {
        let whole = files[lane].chunks_exact(BLOCK_BYTES);
        whole.chain(tails[lane].chunks_exact(BLOCK_BYTES))
    };
    let mut lanes: Vec<_> = (0..files.len()).map(blocks).collect();
    let mut state = START.map(u32x8::splat);
    let mut digests = vec![None; files.len()];
    let mut words = [[0; LANES]; 16];
    let mut steps = 0;
    loop {
        if steps % STEPS_A_TURN == 0 {
            give_way();
        }
        steps += 1;
        let before = state;
        let mut open = false;
        for (lane, blocks) in lanes.iter_mut().enumerate() {
            let Some(block) = blocks.next() else {
                // It goes round with the others, on its last words, and nobody looks at it.
                digests[lane].get_or_insert_with(|| digest(&before, lane));
                continue;
            };
            open = true;
            for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
                word[lane] = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
        }
        if !open {
            return digests
                .into_iter()
                .map(|digest| digest.expect("a lane without blocks has its digest"))
                .collect();
        }
        state = compress(state, &words);
    }
}

/// What is left of a file behind its whole blocks, padded as RFC 1321, sections 3.1 and 3.2, has it.
fn tail(file: &[u8]) -> Vec<u8> {
    let mut tail = file.chunks_exact(BLOCK_BYTES).remainder().to_vec();
    tail.push(0x80);
    let length_at = BLOCK_BYTES - 8;
    let zeros = (length_at + BLOCK_BYTES - tail.len() % BLOCK_BYTES) % BLOCK_BYTES;
    tail.resize(tail.len() + zeros, 0);
    tail.extend((file.len() as u64).wrapping_mul(8).to_le_bytes());
    tail
}

fn digest(state: &[u32x8; 4], lane: usize) -> [u8; 16] {
    let mut digest = [0; 16];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_array()[lane].to_le_bytes());
    }
    digest
}

/// RFC 1321, section 3.4, on a block of each lane.
fn compress(state: [u32x8; 4], words: &[[u32; LANES]; 16]) -> [u32x8; 4] {
    let mixed = round::<0, 7, 12, 17, 22>(state, words, |b, c, d| d ^ (b & (c ^ d)));
    let mixed = round::<1, 5, 9, 14, 20>(mixed, words, |b, c, d| c ^ (d & (b ^ c)));
    let mixed = round::<2, 4, 11, 16, 23>(mixed, words, |b, c, d| b ^ c ^ d);
    let mixed = round::<3, 6, 10, 15, 21>(mixed, words, |b, c, d| c ^ (b | !d));
    let [a, b, c, d] = mixed;
    [state[0] + a, state[1] + b, state[2] + c, state[3] + d]
}

/// The word that a round's first step takes, and how many further on the next one does.
const ORDER: [(usize, usize); 4] = [(0, 1), (1, 5), (5, 3), (0, 7)];

/// Sixteen steps that mix alike and turn by four distances over and over.
#[inline]
fn round<const ROUND: usize, const S: u32, const T: u32, const U: u32, const V: u32>(
    [mut a, mut b, mut c, mut d]: [u32x8; 4],
    words: &[[u32; LANES]; 16],
    mix: impl Fn(u32x8, u32x8, u32x8) -> u32x8,
) -> [u32x8; 4] {
    let (first, stride) = ORDER[ROUND];
    let addend = |step: usize| {
        u32x8::new(words[(first + stride * step) % 16]) + u32x8::splat(SINES[16 * ROUND + step])
    };
    for step in (0..16).step_by(4) {
        a = b + turn::<S>(a + addend(step) + mix(b, c, d));
        d = a + turn::<T>(d + addend(step + 1) + mix(a, b, c));
        c = d + turn::<U>(c + addend(step + 2) + mix(d, a, b));
        b = c + turn::<V>(b + addend(step + 3) + mix(c, d, a));
    }
    [a, b, c, d]
}

fn turn<const BITS: u32>(word: u32x8) -> u32x8 {
    (word << BITS) | (word >> (32 - BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lane_has_the_digest_that_its_file_has_alone() {
        // Around the lengths at which the padding needs a block more, and of very different ones.
        let lengths = [0_usize, 1, 55, 56, 63, 64, 65, 119, 120, 5000, 127];
        for count in 0..=LANES {
            for first in 0..lengths.len() {
                let of_lane = |lane: usize| {
                    let byte = u8::try_from(7 * lane + first).unwrap();
                    let length = lengths[(first + lane) % lengths.len()];
                    (0..length).map(|at| byte ^ at.to_le_bytes()[0]).collect()
                };
                let files: Vec<Vec<u8>> = (0..count).map(of_lane).collect();
                let files: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
                let alone: Vec<[u8; 16]> =
                    files.iter().map(|file| Md5::digest(file).into()).collect();
                assert_eq!(digests(&files), alone);
            }
        }
    }
}
