//! How CLIP computes: one pair of settings for `serve` and `embed`.

use clap::Args;
use lookalike_embed::{CpuError, Device, ModelsConfig, Precision, force_cpu};

/// The settings that say how CLIP computes.
#[derive(Debug, Clone, Args)]
pub struct Compute {
    /// Numbers that CLIP multiplies: f32, bf16 or int8. Without this setting bf16 where the processor multiplies it faster than f32 (Intel's with AMX, AMD's with AVX-512 BF16), else f32.
    /// int8 is fastest and least exact: try it on your own photos before you rely on it. Vectors of different precisions do not meet in one collection
    #[arg(long, env = "LOOKALIKE_PRECISION", value_name = "NUMBERS")]
    pub precision: Option<Precision>,

    /// What CLIP runs on: cpu, cuda:N (a program built with `--features cuda`), metal (`--features metal`), or reference, which is candle on the
    /// processor. One that is asked for and missing stops the start. All but cpu compute in f32
    #[arg(
        long,
        env = "LOOKALIKE_DEVICE",
        value_name = "DEVICE",
        default_value = "cpu"
    )]
    pub device: Device,

    /// Instructions that encoders and the search use: portable, neon, avx2, avx2-vnni, avx512 (the best of that family), amx. Without this setting the
    /// richest that the processor has. For comparing: vectors differ in their last digits from level to level
    #[arg(long, env = "LOOKALIKE_CPU", value_name = "LEVEL")]
    pub cpu: Option<String>,
}

/// A precision that a device does not have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "--device {device} computes in f32 only; leave --precision {precision} out, or take --device cpu"
)]
pub struct PrecisionError {
    device: Device,
    precision: Precision,
}

impl Compute {
    /// Holds the process to the instructions that are asked for. To be called before anything is computed.
    pub fn hold(&self) -> Result<(), CpuError> {
        self.cpu
            .as_deref()
            .map_or(Ok(()), |level| force_cpu(level).map(drop))
    }

    /// The configuration with these settings in it.
    pub fn apply(&self, config: ModelsConfig) -> Result<ModelsConfig, PrecisionError> {
        if let Some(precision) = self.precision
            && self.device != Device::Cpu
            && precision != Precision::F32
        {
            return Err(PrecisionError {
                device: self.device,
                precision,
            });
        }
        Ok(ModelsConfig {
            precision: self.precision.unwrap_or(config.precision),
            device: self.device,
            ..config
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_that_a_device_lacks_is_refused() {
        let compute = |precision, device| Compute {
            precision,
            device,
            cpu: None,
        };
        let applied = |compute: Compute| compute.apply(ModelsConfig::default());
        let int8 = applied(compute(Some(Precision::Int8), Device::Cpu)).unwrap();
        assert_eq!(int8.precision, Precision::Int8);
        let error = applied(compute(Some(Precision::Bf16), Device::Cuda(1))).unwrap_err();
        assert!(
            error.to_string().contains("cuda:1 computes in f32 only"),
            "{error}"
        );
        assert!(applied(compute(Some(Precision::F32), Device::Metal)).is_ok());
        assert_eq!(
            applied(compute(None, Device::Cpu)).unwrap().precision,
            ModelsConfig::default().precision
        );
    }
}
