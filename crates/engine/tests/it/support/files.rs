//! Pictures and archives by hand, so that the tests need no library that writes them.

pub type Rgb = [u8; 3];

/// An uncompressed 24-bit BMP (BITMAPINFOHEADER, rows from the bottom up).
pub fn bmp(width: u32, height: u32, pixel: impl Fn(u32, u32) -> Rgb) -> Vec<u8> {
    let row_bytes = (width * 3).div_ceil(4) * 4;
    let size = 54 + row_bytes * height;
    let mut file = Vec::with_capacity(size as usize);
    file.extend_from_slice(b"BM");
    for number in [
        size,
        0,
        54,
        40,
        width,
        height,
        1 | 24 << 16,
        0,
        0,
        2835,
        2835,
        0,
        0,
    ] {
        file.extend_from_slice(&number.to_le_bytes());
    }
    for y in (0..height).rev() {
        for x in 0..width {
            let [red, green, blue] = pixel(x, y);
            file.extend_from_slice(&[blue, green, red]);
        }
        file.resize(file.len() + (row_bytes - width * 3) as usize, 0);
    }
    assert_eq!(file.len(), size as usize);
    file
}

/// A small picture of one colour.
pub fn plain(colour: Rgb) -> Vec<u8> {
    bmp(16, 16, |_, _| colour)
}

/// A tar archive (POSIX ustar) of these files in this order.
pub fn tar(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, content) in files {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..107].copy_from_slice(b"0000644");
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[136..147].copy_from_slice(b"00000000000");
        header[148..156].copy_from_slice(b"        ");
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        archive.extend_from_slice(&header);
        archive.extend_from_slice(content);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}
