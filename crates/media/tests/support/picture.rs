//! Small pictures with known pixels, written without the crate under test.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// The pixel at column `x`, row `y` of every picture made here.
pub fn color_at(x: u32, y: u32) -> [u8; 3] {
    [x * 40 + y, 255 + y * 50, x * y * 11].map(|level| level.to_le_bytes()[0])
}

/// Uncompressed 24-bit BMP; its file length tells `width` and `height` apart from others.
pub fn bmp(width: u32, height: u32) -> Vec<u8> {
    let row_bytes = (width * 3).next_multiple_of(4);
    let mut file = b"BM".to_vec();
    file.extend((54 + row_bytes * height).to_le_bytes());
    file.extend([0; 4]);
    file.extend(54u32.to_le_bytes());
    file.extend(40u32.to_le_bytes());
    file.extend(width.to_le_bytes());
    file.extend(height.to_le_bytes());
    file.extend([1, 0, 24, 0]);
    file.extend([0; 24]);
    for y in (0..height).rev() {
        let start = file.len();
        for x in 0..width {
            let [r, g, b] = color_at(x, y);
            file.extend([b, g, r]);
        }
        file.resize(start + row_bytes as usize, 0);
    }
    file
}

/// 8-bit RGB PNG whose header may claim anything; `chunks` go before the data.
pub fn png_claiming(width: u32, height: u32, chunks: &[([u8; 4], Vec<u8>)]) -> Vec<u8> {
    png_of_type(2, 8, width, height, chunks, &[])
}

/// 8-bit RGB PNG with its pixels.
pub fn png(width: u32, height: u32, chunks: &[([u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut rows = Vec::new();
    for y in 0..height {
        rows.push(0);
        for x in 0..width {
            rows.extend(color_at(x, y));
        }
    }
    png_of_type(2, 8, width, height, chunks, &rows)
}

/// Any PNG; `rows` are its filtered rows.
pub fn png_of_type(
    color_type: u8,
    bit_depth: u8,
    width: u32,
    height: u32,
    chunks: &[([u8; 4], Vec<u8>)],
    rows: &[u8],
) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([bit_depth, color_type, 0, 0, 0]);
    push_chunk(&mut file, *b"IHDR", &header);
    for (kind, content) in chunks {
        push_chunk(&mut file, *kind, content);
    }
    push_chunk(&mut file, *b"IDAT", &zlib(rows));
    push_chunk(&mut file, *b"IEND", &[]);
    file
}

pub fn zlib(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn push_chunk(file: &mut Vec<u8>, kind: [u8; 4], content: &[u8]) {
    file.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
    file.extend(kind);
    file.extend(content);
    let mut sum = flate2::Crc::new();
    sum.update(&kind);
    sum.update(content);
    file.extend(sum.sum().to_be_bytes());
}

/// The EXIF block that asks for `orientation` and nothing else.
pub fn exif(orientation: u16) -> Vec<u8> {
    let mut block = b"MM\0*\0\0\0\x08\0\x01".to_vec();
    block.extend(0x0112u16.to_be_bytes());
    block.extend(3u16.to_be_bytes());
    block.extend(1u32.to_be_bytes());
    block.extend(orientation.to_be_bytes());
    block.extend([0; 6]);
    block
}

/// `jpeg` with an EXIF segment behind its first marker.
pub fn with_exif(jpeg: &[u8], block: &[u8]) -> Vec<u8> {
    let mut file = jpeg[..2].to_vec();
    file.extend([0xff, 0xe1]);
    file.extend(u16::try_from(block.len() + 8).unwrap().to_be_bytes());
    file.extend(b"Exif\0\0");
    file.extend(block);
    file.extend(&jpeg[2..]);
    file
}

/// Uncompressed TIFF of one strip: `tags` beside its sides, its samples, and where
/// the pixels are. Short values only, which is all that is needed here.
pub fn tiff(width: u16, height: u16, tags: &[(u16, Vec<u16>)], samples: &[u8]) -> Vec<u8> {
    const PIXELS_AT: u16 = 8;
    let mut tags = tags.to_vec();
    tags.extend([
        (256, vec![width]),
        (257, vec![height]),
        (259, vec![1]),
        (273, vec![PIXELS_AT]),
        (278, vec![height]),
        (279, vec![u16::try_from(samples.len()).unwrap()]),
    ]);
    tags.sort();
    let mut values_at = usize::from(PIXELS_AT) + samples.len().next_multiple_of(2);
    let mut values = Vec::new();
    let mut entries = Vec::new();
    for (tag, numbers) in &tags {
        entries.extend(tag.to_be_bytes());
        entries.extend(3u16.to_be_bytes());
        entries.extend(u32::try_from(numbers.len()).unwrap().to_be_bytes());
        let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
        if bytes.len() <= 4 {
            entries.extend(&bytes);
            entries.resize(entries.len() + 4 - bytes.len(), 0);
        } else {
            let at = u32::try_from(values_at + values.len()).unwrap();
            entries.extend(at.to_be_bytes());
            values.extend(bytes);
        }
    }
    values_at += values.len();
    let mut file = b"MM\0*".to_vec();
    file.extend(u32::try_from(values_at).unwrap().to_be_bytes());
    file.extend(samples);
    file.resize(file.len().next_multiple_of(2), 0);
    file.extend(values);
    file.extend(u16::try_from(tags.len()).unwrap().to_be_bytes());
    file.extend(entries);
    file.extend([0; 4]);
    file
}
