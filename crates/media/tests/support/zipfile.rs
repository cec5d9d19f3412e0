//! Zip archives written byte by byte (APPNOTE 6.3), so that every field can lie.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// One member, honest until told otherwise.
#[derive(Clone)]
pub struct Entry {
    name: Vec<u8>,
    packed: Vec<u8>,
    method: u16,
    flags: u16,
    unix_mode: u32,
    crc: u32,
    unpacked_bytes: u32,
    has_descriptor: bool,
    /// The packed size to claim instead of the real one.
    claimed_packed_bytes: Option<u32>,
    /// The offset to name in the directory instead of where it is written.
    at: Option<u32>,
}

impl Entry {
    pub fn stored(name: impl AsRef<[u8]>, content: &[u8]) -> Self {
        let mut sum = flate2::Crc::new();
        sum.update(content);
        Self {
            name: name.as_ref().to_vec(),
            packed: content.to_vec(),
            method: STORED,
            flags: 0,
            unix_mode: 0o100_644,
            crc: sum.sum(),
            unpacked_bytes: u32::try_from(content.len()).unwrap(),
            has_descriptor: false,
            claimed_packed_bytes: None,
            at: None,
        }
    }

    pub fn deflated(name: impl AsRef<[u8]>, content: &[u8]) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        Self {
            packed: encoder.finish().unwrap(),
            method: DEFLATED,
            ..Self::stored(name, content)
        }
    }

    pub fn with_mode(self, unix_mode: u32) -> Self {
        Self { unix_mode, ..self }
    }

    pub fn with_method(self, method: u16) -> Self {
        Self { method, ..self }
    }

    pub fn encrypted(self) -> Self {
        Self {
            flags: self.flags | 1,
            ..self
        }
    }

    pub fn utf8(self) -> Self {
        Self {
            flags: self.flags | 1 << 11,
            ..self
        }
    }

    /// As writers that cannot seek do: sizes follow the data.
    pub fn streamed(self) -> Self {
        Self {
            flags: self.flags | 1 << 3,
            has_descriptor: true,
            ..self
        }
    }

    pub fn claiming_bytes(self, unpacked_bytes: u32) -> Self {
        Self {
            unpacked_bytes,
            ..self
        }
    }

    pub fn claiming_packed_bytes(self, packed_bytes: u32) -> Self {
        Self {
            claimed_packed_bytes: Some(packed_bytes),
            ..self
        }
    }

    pub fn claiming_crc(self, crc: u32) -> Self {
        Self { crc, ..self }
    }

    /// The directory says that the member begins at `offset`.
    pub fn claiming_to_be_at(self, offset: u32) -> Self {
        Self {
            at: Some(offset),
            ..self
        }
    }

    pub fn packed_bytes(&self) -> u64 {
        self.packed.len() as u64
    }

    fn fields(&self, in_local_header: bool) -> Vec<u8> {
        let mut fields = Vec::new();
        let real = u32::try_from(self.packed.len()).unwrap();
        let packed_bytes = self.claimed_packed_bytes.unwrap_or(real);
        let (crc, packed_bytes, unpacked_bytes) = if in_local_header && self.has_descriptor {
            (0, 0, 0)
        } else {
            (self.crc, packed_bytes, self.unpacked_bytes)
        };
        fields.extend(20u16.to_le_bytes());
        fields.extend(self.flags.to_le_bytes());
        fields.extend(self.method.to_le_bytes());
        fields.extend([0, 0, 0x21, 0x58]);
        fields.extend(crc.to_le_bytes());
        fields.extend(packed_bytes.to_le_bytes());
        fields.extend(unpacked_bytes.to_le_bytes());
        fields.extend(u16::try_from(self.name.len()).unwrap().to_le_bytes());
        fields.extend([0, 0]);
        fields
    }
}

/// The archive of these members, in this order.
pub fn zip(entries: &[Entry]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let at = u32::try_from(file.len()).unwrap();
        if entry.at.is_none() {
            file.extend(b"PK\x03\x04");
            file.extend(entry.fields(true));
            file.extend(&entry.name);
            file.extend(&entry.packed);
            if entry.has_descriptor {
                file.extend(b"PK\x07\x08");
                file.extend(&entry.fields(false)[10..22]);
            }
        }
        directory.extend(b"PK\x01\x02");
        // Made on Unix, so that the upper half of the attributes is a mode.
        directory.extend([20, 3]);
        directory.extend(entry.fields(false));
        directory.extend([0; 6]);
        directory.extend((entry.unix_mode << 16).to_le_bytes());
        directory.extend(entry.at.unwrap_or(at).to_le_bytes());
        directory.extend(&entry.name);
    }
    let directory_at = u32::try_from(file.len()).unwrap();
    let count = u16::try_from(entries.len()).unwrap();
    file.extend(&directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend(count.to_le_bytes());
    file.extend(count.to_le_bytes());
    file.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
    file.extend(directory_at.to_le_bytes());
    file.extend([0, 0]);
    file
}
