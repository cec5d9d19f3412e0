//! What one archive may cost, and how exceeding it is reported.

use std::fmt;

use thiserror::Error;

/// Bounds on reading one archive. All are enforced while reading; sizes that the
/// archive declares can only make a refusal come earlier. Archives inside archives
/// are never opened, so there is no depth to limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Members with an image name. Default 100, the service's own limit
    /// (semantics.md, "Archives").
    pub max_images: u64,
    /// Members of any kind: folders, system files and refused ones too. Default 10,000.
    pub max_members: u64,
    /// Bytes of one member, unpacked. Default 200 MB, as for a single picture.
    pub max_member_bytes: u64,
    /// Bytes unpacked in all. For tar this counts headers and skipped members,
    /// for zip only what is unpacked. Default 1 GiB.
    pub max_total_bytes: u64,
    /// Unpacked bytes for each packed one. Default 200: photos pack hardly at all,
    /// drawings saved as BMP up to about a hundredfold, bombs a thousandfold.
    pub max_ratio: u64,
    /// Up to this size `max_ratio` does not apply: a small blank picture packs
    /// better than any bomb and does no harm. Default 16 MiB.
    pub ratio_free_bytes: u64,
    /// Bytes of a member's path. Default 1,024.
    pub max_name_bytes: u64,
    /// Bytes of the tar headers that describe one member (long names, pax records).
    /// Default 1 MiB.
    pub max_header_bytes: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self {
            max_images: 100,
            max_members: 10_000,
            max_member_bytes: 200_000_000,
            max_total_bytes: 1 << 30,
            max_ratio: 200,
            ratio_free_bytes: 16 << 20,
            max_name_bytes: 1024,
            max_header_bytes: 1 << 20,
        }
    }
}

/// Which field of [`ArchiveLimits`] was exceeded; displays as the field's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the fields of ArchiveLimits document them")]
pub enum LimitName {
    MaxImages,
    MaxMembers,
    MaxMemberBytes,
    MaxTotalBytes,
    MaxRatio,
    MaxNameBytes,
    MaxHeaderBytes,
}

impl fmt::Display for LimitName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::MaxImages => "max_images",
            Self::MaxMembers => "max_members",
            Self::MaxMemberBytes => "max_member_bytes",
            Self::MaxTotalBytes => "max_total_bytes",
            Self::MaxRatio => "max_ratio",
            Self::MaxNameBytes => "max_name_bytes",
            Self::MaxHeaderBytes => "max_header_bytes",
        })
    }
}

/// A limit and the value it has. What was found beyond it is not told: reading
/// stopped there.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("it exceeds the limit {name} = {limit}")]
pub struct ExceededLimit {
    /// The field of [`ArchiveLimits`].
    pub name: LimitName,
    /// Its value.
    pub limit: u64,
}

/// How much more may be unpacked of something, and which limit says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    pub bytes: u64,
    pub exceeded: ExceededLimit,
}

impl ArchiveLimits {
    /// What a member of `packed_bytes` may unpack to when `unpacked_bytes` of the
    /// archive have been unpacked before it.
    pub(super) fn allowance(&self, packed_bytes: u64, unpacked_bytes: u64) -> Allowance {
        let by_ratio = packed_bytes
            .saturating_mul(self.max_ratio)
            .max(self.ratio_free_bytes);
        let bounds = [
            (
                self.max_member_bytes,
                LimitName::MaxMemberBytes,
                self.max_member_bytes,
            ),
            (by_ratio, LimitName::MaxRatio, self.max_ratio),
            (
                self.max_total_bytes.saturating_sub(unpacked_bytes),
                LimitName::MaxTotalBytes,
                self.max_total_bytes,
            ),
        ];
        let (bytes, name, limit) = bounds
            .into_iter()
            .min_by_key(|(bytes, ..)| *bytes)
            .expect("three bounds were just listed");
        Allowance {
            bytes,
            exceeded: ExceededLimit { name, limit },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> ArchiveLimits {
        ArchiveLimits {
            max_member_bytes: 1000,
            max_total_bytes: 5000,
            max_ratio: 10,
            ratio_free_bytes: 50,
            ..ArchiveLimits::default()
        }
    }

    #[test]
    fn the_tightest_bound_is_the_one_named() {
        let of = |packed, unpacked| {
            let allowance = limits().allowance(packed, unpacked);
            (allowance.bytes, allowance.exceeded.name)
        };
        assert_eq!(of(10_000, 0), (1000, LimitName::MaxMemberBytes));
        assert_eq!(of(20, 0), (200, LimitName::MaxRatio));
        assert_eq!(of(1, 0), (50, LimitName::MaxRatio));
        assert_eq!(of(10_000, 4900), (100, LimitName::MaxTotalBytes));
        assert_eq!(of(10_000, 9999), (0, LimitName::MaxTotalBytes));
        assert_eq!(of(u64::MAX, 0), (1000, LimitName::MaxMemberBytes));
    }

    #[test]
    fn the_message_names_the_setting_and_its_value() {
        let exceeded = ExceededLimit {
            name: LimitName::MaxImages,
            limit: 100,
        };
        assert_eq!(
            exceeded.to_string(),
            "it exceeds the limit max_images = 100"
        );
    }
}
