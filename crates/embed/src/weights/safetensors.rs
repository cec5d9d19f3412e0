//! The safetensors format: a JSON table of contents in front of plain little-endian numbers.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use fs_err::File;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::Metadata;

use crate::error::LoadError;

/// Stops a damaged length field from asking for all memory; real headers have some 100 kB.
const MAX_HEADER_BYTES: u64 = 100 << 20;

/// A safetensors file whose header has been read and checked against the file's length.
pub(super) struct Safetensors {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    data_start: u64,
}

impl Safetensors {
    pub(super) fn open(path: &Path) -> Result<Self, LoadError> {
        let unreadable = |source| LoadError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(unreadable)?;
        let file_bytes = file.metadata().map_err(unreadable)?.len();

        let mut length = [0; 8];
        file.read_exact(&mut length)
            .map_err(|_| too_short(path, file_bytes, 8))?;
        let header_bytes = u64::from_le_bytes(length);
        if header_bytes > MAX_HEADER_BYTES || header_bytes.saturating_add(8) > file_bytes {
            return Err(LoadError::damaged(
                path,
                format!(
                    "its header claims {header_bytes} bytes in a file of {file_bytes}; expected the safetensors format"
                ),
            ));
        }
        let mut header =
            vec![0; usize::try_from(header_bytes).expect("bounded by MAX_HEADER_BYTES")];
        file.read_exact(&mut header).map_err(unreadable)?;
        let metadata: Metadata = serde_json::from_slice(&header).map_err(|error| {
            LoadError::damaged(path, format!("its header is not a table of tensors ({error}); expected the safetensors format"))
        })?;

        let data_start = header_bytes + 8;
        let expected = data_start + metadata.data_len() as u64;
        if file_bytes != expected {
            return Err(too_short(path, file_bytes, expected));
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            metadata,
            data_start,
        })
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.metadata.offset_keys()
    }

    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.metadata.info(name).map(|info| &info.shape[..])
    }

    /// Reads `rows` of the first dimension of a tensor that is there, as f32 in row-major order.
    ///
    /// # Errors
    /// [`LoadError`] for types other than floats and for what the system says.
    pub(super) fn read(&mut self, name: &str, rows: Range<usize>) -> Result<Vec<f32>, LoadError> {
        let info = self
            .metadata
            .info(name)
            .expect("the caller asked for its shape");
        let (dtype, (start, end)) = (info.dtype, info.data_offsets);
        let row_bytes = (end - start) / info.shape.first().map_or(1, |rows| (*rows).max(1));
        let start = self.data_start + (start + rows.start * row_bytes) as u64;
        let unreadable = |source| LoadError::Unreadable {
            path: self.path.clone(),
            source,
        };
        self.file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
        let mut bytes = vec![0; rows.len() * row_bytes];
        self.file.read_exact(&mut bytes).map_err(unreadable)?;
        widen(dtype, &bytes).ok_or_else(|| {
            LoadError::unsupported(
                &self.path,
                format!("tensor {name} has type {dtype:?}; expected F32, F16 or BF16"),
            )
        })
    }
}

fn too_short(path: &Path, found: u64, expected: u64) -> LoadError {
    LoadError::damaged(
        path,
        format!("it has {found} bytes; its header promises {expected}"),
    )
}

/// Little-endian floats to f32; `None` for other types. A length that is no multiple of the type's loses its tail.
pub(crate) fn widen(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "every other element type is refused alike"
    )]
    match dtype {
        Dtype::F32 => Some(
            bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
        ),
        Dtype::F16 => {
            let mut floats = vec![0.0; bytes.len() / 2];
            // so few at a time that they stay in the first level of cache
            let mut halves = [f16::ZERO; 1024];
            for (to, bytes) in floats.chunks_mut(1024).zip(bytes.chunks(2 * 1024)) {
                let halves = &mut halves[..to.len()];
                for (half, bytes) in halves.iter_mut().zip(bytes.chunks_exact(2)) {
                    *half = f16::from_le_bytes([bytes[0], bytes[1]]);
                }
                halves.convert_to_f32_slice(to);
            }
            Some(floats)
        }
        Dtype::BF16 => Some(
            bytes
                .chunks_exact(2)
                .map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32())
                .collect(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_widened_exactly() {
        let f16s: Vec<u8> = [1.5_f32, -0.25, 65_504.0]
            .iter()
            .flat_map(|&x| f16::from_f32(x).to_le_bytes())
            .collect();
        assert_eq!(widen(Dtype::F16, &f16s).unwrap(), [1.5, -0.25, 65_504.0]);
        let bf16s: Vec<u8> = [1.5_f32, -0.25, 1e30]
            .iter()
            .flat_map(|&x| bf16::from_f32(x).to_le_bytes())
            .collect();
        assert_eq!(
            widen(Dtype::BF16, &bf16s).unwrap(),
            [1.5, -0.25, bf16::from_f32(1e30).to_f32()]
        );
    }

    #[test]
    fn other_element_types_are_refused() {
        assert_eq!(widen(Dtype::I8, &[1, 2]), None);
    }
}
