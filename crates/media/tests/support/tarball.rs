//! Tar archives written block by block (POSIX.1-2001, GNU tar's manual), and gzip.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};

/// A tar being written.
#[derive(Default)]
pub struct Tar(Vec<u8>);

impl Tar {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn file(self, name: &str, content: &[u8]) -> Self {
        self.entry(EntryType::Regular, name.as_bytes(), "", content)
    }

    pub fn link(self, kind: EntryType, name: &str, target: &str) -> Self {
        self.entry(kind, name.as_bytes(), target, &[])
    }

    /// An entry of any kind; names beyond 100 bytes are cut, as old writers did.
    pub fn entry(self, kind: EntryType, name: &[u8], target: &str, content: &[u8]) -> Self {
        self.claiming(kind, name, target, content, content.len() as u64)
    }

    /// As `entry`, with a size of its own in the header.
    pub fn claiming(
        mut self,
        kind: EntryType,
        name: &[u8],
        target: &str,
        content: &[u8],
        bytes: u64,
    ) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(bytes);
        header.set_mode(0o644);
        let kept = name.len().min(100);
        header.as_old_mut().name[..kept].copy_from_slice(&name[..kept]);
        let kept = target.len().min(100);
        header.as_old_mut().linkname[..kept].copy_from_slice(&target.as_bytes()[..kept]);
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// A header without any magic, as before POSIX.
    pub fn v7_file(mut self, name: &str, content: &[u8]) -> Self {
        let mut header = Header::new_old();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// GNU's way: the name in an entry of its own before.
    pub fn gnu_long_file(self, name: &[u8], content: &[u8]) -> Self {
        let stored = [name, b"\0"].concat();
        self.entry(EntryType::GNULongName, b"././@LongLink", "", &stored)
            .entry(EntryType::Regular, name, "", content)
    }

    /// POSIX's way: records in an entry of their own before.
    pub fn pax_file(self, records: &[(&str, &str)], name: &str, content: &[u8]) -> Self {
        let records: String = records
            .iter()
            .map(|(key, value)| pax_record(key, value))
            .collect();
        self.entry(EntryType::XHeader, b"PaxHeader", "", records.as_bytes())
            .file(name, content)
    }

    /// GNU's old sparse file: `holes` bytes of nothing, then `content`.
    pub fn sparse_file(mut self, name: &str, holes: u64, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::GNUSparse);
        header.set_size(content.len() as u64);
        let gnu = header.as_gnu_mut().unwrap();
        gnu.name[..name.len()].copy_from_slice(name.as_bytes());
        let octal =
            |value: u64| -> [u8; 12] { format!("{value:011o}\0").into_bytes().try_into().unwrap() };
        gnu.sparse[0].offset = octal(holes);
        gnu.sparse[0].numbytes = octal(content.len() as u64);
        gnu.realsize = octal(holes + content.len() as u64);
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// The archive with its two closing blocks.
    pub fn finish(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }

    /// The archive as it is, as if cut.
    pub fn cut(self, bytes: usize) -> Vec<u8> {
        self.0[..bytes].to_vec()
    }
}

/// A pax record counts its own length, digits included.
fn pax_record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n")
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}
