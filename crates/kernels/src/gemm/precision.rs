//! The number formats of a layer, and their names.

use std::fmt;
use std::str::FromStr;

/// The numbers that a layer multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// 16-bit floats with the range of 32-bit ones, summed in f32.
    Bf16,
    /// 8-bit integers with a scale for each output and each row.
    Int8,
}

impl Precision {
    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The name is not a [`Precision`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown precision \"{0}\": expected f32, bf16 or int8")]
pub struct UnknownPrecision(String);

impl FromStr for Precision {
    type Err = UnknownPrecision;
    fn from_str(name: &str) -> Result<Self, UnknownPrecision> {
        [Self::F32, Self::Bf16, Self::Int8]
            .into_iter()
            .find(|precision| precision.name() == name)
            .ok_or_else(|| UnknownPrecision(name.to_owned()))
    }
}
