//! Weights in `PyTorch`'s own format: a zip archive with a pickled table of contents, as `torch.save` has written since 1.6.
//!
//! candle reads the pickle without running anything in it. The table says which storage holds a tensor; shapes are
//! compared with the configuration before any memory is spent on one.

use std::ops::Range;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use candle_core::pickle::PthTensors;
use candle_core::{DType, Tensor};

use crate::error::LoadError;

/// The name under which training scripts keep the weights beside other things.
const NESTED: &str = "state_dict";

/// An opened file.
pub(super) struct Pickle {
    path: PathBuf,
    tensors: PthTensors,
}

impl Pickle {
    pub(super) fn open(path: &Path) -> Result<Self, LoadError> {
        // Opened here first: what is missing or forbidden is then said in the system's words.
        fs_err::File::open(path).map_err(|source| LoadError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let mut tensors = read_table(path, None)?;
        if tensors.tensor_infos().is_empty() {
            tensors = read_table(path, Some(NESTED))?;
        }
        if tensors.tensor_infos().is_empty() {
            return Err(LoadError::unsupported(
                path,
                "it holds no table of tensors; expected a state_dict saved by torch.save",
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            tensors,
        })
    }

    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.tensors.tensor_infos().keys().cloned().collect();
        names.sort_unstable();
        names
    }

    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        let info = self.tensors.tensor_infos().get(name)?;
        Some(info.layout.shape().dims())
    }

    /// # Errors
    /// [`LoadError`] for a storage that is missing or cut short, and for other types than floats.
    pub(super) fn read(&self, name: &str, rows: Range<usize>) -> Result<Vec<f32>, LoadError> {
        let info = &self.tensors.tensor_infos()[name];
        if !matches!(info.dtype, DType::F32 | DType::F16 | DType::BF16) {
            return Err(LoadError::unsupported(
                &self.path,
                format!(
                    "tensor {name} has type {:?}; expected F32, F16 or BF16",
                    info.dtype
                ),
            ));
        }
        let elements = info.layout.shape().elem_count();
        let damaged = |detail: String| {
            LoadError::damaged(
                &self.path,
                format!("tensor {name} cannot be read: {detail}"),
            )
        };
        if elements > info.storage_size {
            return Err(damaged(format!(
                "it has {elements} values, its storage {}",
                info.storage_size
            )));
        }
        let tensor = self
            .tensors
            .get(name)
            .map_err(|error| damaged(error.to_string()))?
            .ok_or_else(|| damaged("its storage is missing".to_owned()))?;
        widen(&tensor, rows).map_err(|error| damaged(error.to_string()))
    }
}

fn widen(tensor: &Tensor, rows: Range<usize>) -> candle_core::Result<Vec<f32>> {
    let tensor = if tensor.rank() == 0 {
        tensor.clone()
    } else {
        tensor.narrow(0, rows.start, rows.len())?
    };
    tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}

fn read_table(path: &Path, key: Option<&str>) -> Result<PthTensors, LoadError> {
    let expected = "expected the zip format of torch.save";
    // The library takes the arguments of a pickled call by position without counting them.
    catch_unwind(|| PthTensors::new(path, key))
        .map_err(|_| {
            LoadError::damaged(
                path,
                format!("its pickle is not one of tensors; {expected}"),
            )
        })?
        .map_err(|error| LoadError::damaged(path, format!("{error}; {expected}")))
}
