//! The time as the database keeps it: microseconds since 1970, UTC.

use jiff::Timestamp;

/// Now.
pub(crate) fn now() -> i64 {
    Timestamp::now().as_microsecond()
}

/// A stored time as a timestamp.
pub(crate) fn timestamp(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A duration in the same unit.
pub(crate) fn microseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
