//! What the towers of CLIP run on.

use std::fmt;
use std::str::FromStr;

use lookalike_kernels::{Cpu, Precision};
use thiserror::Error;

/// See the module. The built-in encoder always runs on the processor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Device {
    /// This processor, with the kernels for its instructions.
    #[default]
    Cpu,
    /// This processor, with candle in f32: slower, and what tests and benches hold the kernels to.
    Reference,
    /// An NVIDIA graphics card by its number, with candle in f32; needs the feature `cuda`.
    Cuda(usize),
    /// Apple's graphics processor, with candle in f32; needs the feature `metal`.
    Metal,
}

/// The name is not a [`Device`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown device {0:?}: expected cpu, cuda, cuda:N, metal or reference")]
pub struct UnknownDevice(String);

/// A device that was asked for is not there.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeviceError {
    /// The program has no code for it.
    #[error(
        "this program was built without {feature}: build it with `cargo build --release --features {feature}`, or take --device cpu"
    )]
    NotBuilt {
        /// The cargo feature that it needs.
        feature: &'static str,
    },
    /// The system has none, or does not let it be used.
    #[error("{device} cannot be used: {reason}; take another --device, or --device cpu")]
    Missing {
        /// As asked for.
        device: Device,
        /// What its driver said.
        reason: String,
    },
}

impl fmt::Display for Device {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => formatter.write_str("cpu"),
            Self::Reference => formatter.write_str("reference"),
            Self::Cuda(index) => write!(formatter, "cuda:{index}"),
            Self::Metal => formatter.write_str("metal"),
        }
    }
}

impl FromStr for Device {
    type Err = UnknownDevice;

    fn from_str(name: &str) -> Result<Self, UnknownDevice> {
        let unknown = || UnknownDevice(name.to_owned());
        match name {
            "cpu" => Ok(Self::Cpu),
            "reference" => Ok(Self::Reference),
            "cuda" => Ok(Self::Cuda(0)),
            "metal" => Ok(Self::Metal),
            _ => {
                let index = name.strip_prefix("cuda:").ok_or_else(unknown)?;
                index.parse().map(Self::Cuda).map_err(|_| unknown())
            }
        }
    }
}

impl Device {
    /// candle's handle of it.
    ///
    /// # Errors
    /// [`DeviceError`] with the remedy: never does anything else take its place.
    pub(crate) fn open(self) -> Result<candle_core::Device, DeviceError> {
        let (opened, feature, built) = match self {
            Self::Cpu | Self::Reference => return Ok(candle_core::Device::Cpu),
            Self::Cuda(index) => (
                candle_core::Device::new_cuda(index),
                "cuda",
                cfg!(feature = "cuda"),
            ),
            Self::Metal => (
                candle_core::Device::new_metal(0),
                "metal",
                cfg!(feature = "metal"),
            ),
        };
        opened.map_err(|error| {
            if built {
                DeviceError::Missing {
                    device: self,
                    reason: error.to_string(),
                }
            } else {
                DeviceError::NotBuilt { feature }
            }
        })
    }
}

/// How a model's towers compute.
#[derive(Debug, Clone)]
pub(crate) struct Backend {
    pub(crate) device: Device,
    /// candle's handle of the device.
    pub(crate) opened: candle_core::Device,
    pub(crate) precision: Precision,
    /// What weights are packed for.
    pub(crate) cpu: Cpu,
    pub(crate) threads: usize,
}

/// What CLIP computes in unless asked otherwise: bf16 where the processor multiplies it twice as fast as f32.
pub(crate) fn default_precision(cpu: Cpu) -> Precision {
    if cpu.has_bf16_products() {
        Precision::Bf16
    } else {
        Precision::F32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for device in [
            Device::Cpu,
            Device::Reference,
            Device::Cuda(3),
            Device::Metal,
        ] {
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        assert_eq!("cuda".parse(), Ok(Device::Cuda(0)));
        for name in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "CPU"] {
            let error = name.parse::<Device>().unwrap_err().to_string();
            assert!(error.contains("cuda:N"), "{error}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn device_that_the_program_was_not_built_for_is_refused_with_the_remedy() {
        let error = Device::Cuda(0).open().unwrap_err().to_string();
        assert!(
            error.contains("--features cuda") && error.contains("--device cpu"),
            "{error}"
        );
    }
}
