//! Readers that count what goes in and out of unpacking and stop at the limits.
//!
//! The tar and gzip readers put one [`Packed`] under the decompressor and one
//! [`Unpacked`] above it; both write to the same [`Gauge`]. Whatever the code in
//! between asks for, no more comes out than the limits allow.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use super::limits::{ArchiveLimits, ExceededLimit, LimitName};

/// The counts of one pass over an archive.
pub(super) struct Gauge {
    limits: ArchiveLimits,
    is_compressed: bool,
    packed_bytes: Cell<u64>,
    unpacked_bytes: Cell<u64>,
    /// What may still be read before it counts as too long a header; `None`
    /// while a member's own content is read.
    header_bytes_left: Cell<Option<u64>>,
}

impl Gauge {
    pub fn new(limits: &ArchiveLimits, is_compressed: bool) -> Rc<Self> {
        Rc::new(Self {
            limits: limits.clone(),
            is_compressed,
            packed_bytes: Cell::new(0),
            unpacked_bytes: Cell::new(0),
            header_bytes_left: Cell::new(None),
        })
    }

    pub fn unpacked_bytes(&self) -> u64 {
        self.unpacked_bytes.get()
    }

    /// From here on a header is read; `skipped_bytes` of content may precede it.
    pub fn begin_header(&self, skipped_bytes: u64) {
        let left = skipped_bytes.saturating_add(self.limits.max_header_bytes);
        self.header_bytes_left.set(Some(left));
    }

    /// From here on content is read.
    pub fn begin_content(&self) {
        self.header_bytes_left.set(None);
    }

    fn count_unpacked(&self, bytes: u64) -> Result<(), ExceededLimit> {
        let limits = &self.limits;
        let unpacked = self.unpacked_bytes.get().saturating_add(bytes);
        self.unpacked_bytes.set(unpacked);
        if let Some(left) = self.header_bytes_left.get() {
            let left = left.checked_sub(bytes).ok_or(ExceededLimit {
                name: LimitName::MaxHeaderBytes,
                limit: limits.max_header_bytes,
            })?;
            self.header_bytes_left.set(Some(left));
        }
        if unpacked > limits.max_total_bytes {
            return Err(ExceededLimit {
                name: LimitName::MaxTotalBytes,
                limit: limits.max_total_bytes,
            });
        }
        let by_ratio = self.packed_bytes.get().saturating_mul(limits.max_ratio);
        if self.is_compressed && unpacked > by_ratio.max(limits.ratio_free_bytes) {
            return Err(ExceededLimit {
                name: LimitName::MaxRatio,
                limit: limits.max_ratio,
            });
        }
        Ok(())
    }
}

/// Counts what is read from the file.
pub(super) struct Packed<R> {
    pub inner: R,
    pub gauge: Rc<Gauge>,
}

impl<R: Read> Read for Packed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let packed = &self.gauge.packed_bytes;
        packed.set(packed.get().saturating_add(count as u64));
        Ok(count)
    }
}

/// Counts what comes out of unpacking and fails beyond the limits, with the
/// [`ExceededLimit`] inside the error.
pub(super) struct Unpacked<R> {
    pub inner: R,
    pub gauge: Rc<Gauge>,
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.gauge
            .count_unpacked(count as u64)
            .map_err(io::Error::other)?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::exceeded_limit;
    use super::*;

    fn unpack(limits: &ArchiveLimits, packed: u64, bytes: u64) -> Option<LimitName> {
        let gauge = Gauge::new(limits, true);
        gauge.packed_bytes.set(packed);
        let mut reader = Unpacked {
            inner: io::repeat(0).take(bytes),
            gauge,
        };
        let error = io::copy(&mut reader, &mut io::sink()).err()?;
        Some(exceeded_limit(&error).unwrap().name)
    }

    #[test]
    fn total_and_ratio_have_their_edges() {
        let limits = ArchiveLimits {
            max_total_bytes: 10_000,
            max_ratio: 4,
            ratio_free_bytes: 1000,
            ..ArchiveLimits::default()
        };
        assert_eq!(unpack(&limits, 100_000, 10_000), None);
        assert_eq!(
            unpack(&limits, 100_000, 10_001),
            Some(LimitName::MaxTotalBytes)
        );
        assert_eq!(unpack(&limits, 500, 2000), None);
        assert_eq!(unpack(&limits, 500, 2001), Some(LimitName::MaxRatio));
        assert_eq!(unpack(&limits, 1, 1000), None);
        assert_eq!(unpack(&limits, 1, 1001), Some(LimitName::MaxRatio));
    }

    #[test]
    fn a_header_is_bounded_and_content_is_not_counted_as_one() {
        let limits = ArchiveLimits {
            max_header_bytes: 100,
            ..ArchiveLimits::default()
        };
        let gauge = Gauge::new(&limits, false);
        gauge.begin_header(20);
        assert!(gauge.count_unpacked(120).is_ok());
        assert_eq!(
            gauge.count_unpacked(1).unwrap_err().name,
            LimitName::MaxHeaderBytes
        );
        gauge.begin_content();
        assert!(gauge.count_unpacked(1000).is_ok());
        assert_eq!(gauge.unpacked_bytes(), 1121);
    }
}
