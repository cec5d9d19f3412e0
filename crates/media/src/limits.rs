//! What one picture may cost. The server's configuration fills this in.

/// Bounds on decoding one picture, all checked before the memory is spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageLimits {
    /// Size of the file, in bytes. Default 200 MB, the service's own limit on a
    /// document (semantics.md, "Limits").
    pub max_bytes: u64,
    /// Columns times rows, from the header. Default 120 million: the largest
    /// common camera (12000x9000, 108 million) passes, bombs do not.
    pub max_pixels: u64,
    /// Columns, and rows, from the header. Default 65,535, the most a JPEG can have.
    pub max_side: u32,
    /// Bytes of the decoded picture in the file's own sample layout (a 16-bit
    /// RGBA pixel takes 8). Default 1 GiB.
    pub max_decoded_bytes: u64,
    /// Bytes that a decoder may allocate for chunks, strips and tables, beside two
    /// copies of the picture. Default 64 MiB; those of real photos stay far below.
    pub max_decoder_bytes: u64,
    /// Scans of a JPEG; a progressive one walks over the whole picture in each.
    /// Default 100; encoders write about ten.
    pub max_scans: u32,
}

impl Default for ImageLimits {
    fn default() -> Self {
        Self {
            max_bytes: 200_000_000,
            max_pixels: 120_000_000,
            max_side: 65_535,
            max_decoded_bytes: 1 << 30,
            max_decoder_bytes: 64 << 20,
            max_scans: 100,
        }
    }
}
