//! Which instructions this processor has, found out once.
//!
//! A [`Cpu`] is proof that the instructions of its [`Isa`] may be executed: it
//! can only be made by asking the processor. Everything that runs vector
//! instructions takes one, so that no kernel can be called on a machine that
//! would fault on it. The binary reads its `--cpu` setting and calls [`force`];
//! tests and benches take a [`Cpu`] of their choice from [`Cpu::available`].

use std::fmt;
use std::sync::OnceLock;

/// A level of instructions, each with all that the levels before it of the same family have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// Plain Rust, any processor.
    Portable,
    /// 128-bit vectors of 64-bit ARM.
    Neon,
    /// AVX2 with FMA: 256-bit vectors.
    Avx2,
    /// [`Isa::Avx2`] with AVX-VNNI: four 8-bit products an instruction and lane.
    Avx2Vnni,
    /// AVX-512 F, BW, DQ and VL: 512-bit vectors.
    Avx512,
    /// [`Isa::Avx512`] with AVX512-VNNI: four 8-bit products an instruction and lane.
    Avx512Vnni,
    /// [`Isa::Avx512Vnni`] with AVX512-BF16: two bf16 products an instruction and lane.
    ///
    /// Never chosen by itself on Intel's processors: there the instruction takes four times as long as a
    /// multiply-add of floats (0.5 a cycle beside 2, measured on Emerald Rapids), because bf16 is left to
    /// AMX. Widening bf16 weights to floats is twice as fast.
    Avx512Bf16,
    /// [`Isa::Avx512Bf16`] with AMX for bf16 and 8-bit integers: products of 16 × 16 sums an instruction, and some ten times as
    /// many of them in a second.
    Amx,
}

impl Isa {
    /// Every level, from the plainest to the richest.
    pub const ALL: [Self; 8] = [
        Self::Portable,
        Self::Neon,
        Self::Avx2,
        Self::Avx2Vnni,
        Self::Avx512,
        Self::Avx512Vnni,
        Self::Avx512Bf16,
        Self::Amx,
    ];

    /// The name that [`Cpu::named`] takes for exactly this level.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx2Vnni => "avx2-vnni",
            Self::Avx512 => "avx512-base",
            Self::Avx512Vnni => "avx512-vnni",
            Self::Avx512Bf16 => "avx512-bf16",
            Self::Amx => "amx",
        }
    }

    /// Whether its instructions are there to be fast, not only to be there.
    fn pays(self) -> bool {
        self != Self::Avx512Bf16 || !is_made_by_intel()
    }

    fn is_present(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = || {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c")
            };
            let avx512 = || {
                avx2()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            };
            let vnni = || avx512() && is_x86_feature_detected!("avx512vnni");
            match self {
                Self::Portable => true,
                Self::Neon => false,
                Self::Avx2 => avx2(),
                Self::Avx2Vnni => avx2() && is_x86_feature_detected!("avxvnni"),
                Self::Avx512 => avx512(),
                Self::Avx512Vnni => vnni(),
                Self::Avx512Bf16 => vnni() && is_x86_feature_detected!("avx512bf16"),
                Self::Amx => Self::Avx512Bf16.is_present() && amx(),
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            match self {
                Self::Portable => true,
                Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
                Self::Avx2
                | Self::Avx2Vnni
                | Self::Avx512
                | Self::Avx512Vnni
                | Self::Avx512Bf16
                | Self::Amx => false,
            }
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        {
            self == Self::Portable
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Whether the processor has AMX with products of bf16 and of 8-bit integers, and the system lets this process use it: its
/// registers are so large that Linux saves them only for those that ask (Documentation/arch/x86/xstate.rst).
#[cfg(target_arch = "x86_64")]
fn amx() -> bool {
    #[cfg(target_os = "linux")]
    {
        /// In EDX of CPUID leaf 7: AMX-BF16, AMX-TILE, AMX-INT8.
        const PARTS: u32 = 1 << 22 | 1 << 24 | 1 << 25;
        const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
        const TILE_DATA: libc::c_long = 18;
        let leaf = std::arch::x86_64::__cpuid_count(7, 0);
        // SAFETY: no memory is involved.
        leaf.edx & PARTS == PARTS
            && unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) } == 0
    }
    #[cfg(not(target_os = "linux"))]
    {
        false
    }
}

/// Whether the processor calls itself `GenuineIntel`. Asked once: a virtual machine is left for each answer.
fn is_made_by_intel() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        static IS: OnceLock<bool> = OnceLock::new();
        *IS.get_or_init(|| {
            let leaf = std::arch::x86_64::__cpuid(0);
            [leaf.ebx, leaf.edx, leaf.ecx]
                .map(u32::to_le_bytes)
                .as_flattened()
                == b"GenuineIntel"
        })
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Why a processor level could not be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CpuError {
    /// The name is none of ours.
    #[error(
        "unknown processor level \"{0}\": expected portable, neon, avx2, avx2-vnni, avx512, avx512-base, avx512-vnni, avx512-bf16 or amx"
    )]
    Unknown(String),
    /// The processor would fault on these instructions.
    #[error("this processor has no {wanted} instructions; it has: {present}")]
    Missing {
        /// What was asked for.
        wanted: String,
        /// What could be asked for instead, separated by commas.
        present: String,
    },
    /// Kernels already run with another level, which cannot change under them.
    #[error("the processor level is already {0}: choose one before the first kernel runs")]
    AlreadyChosen(Isa),
}

/// Proof that this processor executes the instructions of [`Cpu::isa`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    isa: Isa,
}

impl Cpu {
    /// Plain Rust: runs anywhere, and what every vector kernel is compared with.
    pub const PORTABLE: Self = Self { isa: Isa::Portable };

    /// The richest level that this processor has and gains by.
    pub fn detect() -> Self {
        Isa::ALL
            .into_iter()
            .rev()
            .filter_map(Self::of)
            .find(|cpu| cpu.isa.pays())
            .unwrap_or(Self::PORTABLE)
    }

    /// Exactly `isa`, if this processor has it.
    pub fn of(isa: Isa) -> Option<Self> {
        isa.is_present().then_some(Self { isa })
    }

    /// All levels that this processor has, from the plainest to the richest.
    pub fn available() -> Vec<Self> {
        Isa::ALL.into_iter().filter_map(Self::of).collect()
    }

    /// The level a user asked for: a name of [`Isa::name`], or `avx512` for the
    /// richest of that family. `avx2` is plain AVX2, also where AVX-VNNI is there.
    ///
    /// # Errors
    /// [`CpuError::Unknown`] for another name, [`CpuError::Missing`] if the processor lacks it.
    pub fn named(name: &str) -> Result<Self, CpuError> {
        let family: &[Isa] = if name == "avx512" {
            &[Isa::Avx512Bf16, Isa::Avx512Vnni, Isa::Avx512]
        } else {
            let exact = Isa::ALL.iter().position(|isa| isa.name() == name);
            let at = exact.ok_or_else(|| CpuError::Unknown(name.to_owned()))?;
            &Isa::ALL[at..=at]
        };
        family
            .iter()
            .filter_map(|isa| Self::of(*isa))
            .find(|cpu| cpu.isa.pays() || family.len() == 1)
            .ok_or_else(|| CpuError::Missing {
                wanted: name.to_owned(),
                present: Self::available()
                    .iter()
                    .map(|cpu| cpu.isa.name())
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }

    /// The level whose instructions may be executed.
    pub const fn isa(self) -> Isa {
        self.isa
    }

    /// Whether a vector of bf16 products takes no longer than one of floats, which are half as many: on Intel's processors it
    /// takes four times as long, and AMX, which is faster, is for large products.
    pub(crate) fn multiplies_bf16_faster(self) -> bool {
        self.isa == Isa::Avx512Bf16 && self.isa.pays()
    }

    /// Whether bf16 products are an instruction of their own, twice as fast as f32.
    pub const fn has_bf16_products(self) -> bool {
        matches!(self.isa, Isa::Avx512Bf16 | Isa::Amx)
    }
}

static CHOSEN: OnceLock<Cpu> = OnceLock::new();

/// The level that this process runs with: what [`force`] set, else the richest one.
pub fn cpu() -> Cpu {
    *CHOSEN.get_or_init(Cpu::detect)
}

/// Makes [`cpu`] answer the level called `name` (see [`Cpu::named`]) from now on.
///
/// # Errors
/// As [`Cpu::named`], and [`CpuError::AlreadyChosen`] if [`cpu`] has answered another level before.
pub fn force(name: &str) -> Result<Cpu, CpuError> {
    let wanted = Cpu::named(name)?;
    let chosen = *CHOSEN.get_or_init(|| wanted);
    if chosen == wanted {
        Ok(wanted)
    } else {
        Err(CpuError::AlreadyChosen(chosen.isa))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_that_is_present_can_be_named() {
        for cpu in Cpu::available() {
            assert_eq!(Cpu::named(cpu.isa().name()), Ok(cpu));
        }
        assert!(Cpu::available().contains(&Cpu::PORTABLE));
        let mut richest_first = Cpu::available().into_iter().rev();
        let paying = richest_first.find(|cpu| cpu.isa.pays());
        assert_eq!(paying, Some(Cpu::detect()));
    }

    #[test]
    fn unknown_and_missing_levels_are_refused_by_name() {
        assert_eq!(Cpu::named("mmx"), Err(CpuError::Unknown("mmx".to_owned())));
        assert_eq!(Cpu::named(""), Err(CpuError::Unknown(String::new())));
        let foreign = if cfg!(target_arch = "aarch64") {
            "avx512"
        } else {
            "neon"
        };
        let refusal = Cpu::named(foreign).expect_err("another architecture's instructions");
        assert!(matches!(&refusal, CpuError::Missing { wanted, .. } if wanted == foreign));
        assert!(refusal.to_string().contains("it has: portable"));
    }

    #[test]
    fn the_level_of_the_process_cannot_change_once_used() {
        let first = cpu();
        assert_eq!(force(first.isa().name()), Ok(first));
        if first != Cpu::PORTABLE {
            assert_eq!(force("portable"), Err(CpuError::AlreadyChosen(first.isa())));
        }
        assert_eq!(cpu(), first);
    }

    #[test]
    fn avx512_means_the_richest_of_its_family() {
        match Cpu::named("avx512") {
            Ok(cpu) => assert!(cpu.isa() >= Isa::Avx512),
            Err(error) => assert!(matches!(error, CpuError::Missing { .. })),
        }
    }
}
