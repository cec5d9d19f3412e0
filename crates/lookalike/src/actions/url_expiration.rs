//! `UrlExpiration`: how long a link lives. `7200s`, `2d`, or digits alone for seconds (semantics.md, row 35).

use lookalike_wire::ApiError;

/// Two hours, the vendor's default.
pub const DEFAULT_SECONDS: u64 = 7_200;
const MIN_SECONDS: u64 = 60;
const DAY_SECONDS: u64 = 24 * 3600;
const MAX_SECONDS: u64 = 365 * DAY_SECONDS;

/// Seconds a link lives.
pub fn seconds(text: Option<&str>) -> Result<u64, ApiError> {
    let Some(text) = text.map(str::trim) else {
        return Ok(DEFAULT_SECONDS);
    };
    let (number, unit) = match text.as_bytes().last() {
        Some(b's') => (&text[..text.len() - 1], 1),
        Some(b'd') => (&text[..text.len() - 1], DAY_SECONDS),
        Some(_) | None => (text, 1),
    };
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    number
        .parse::<u64>()
        .ok()
        .filter(|_| digits)
        .and_then(|number| number.checked_mul(unit))
        .filter(|seconds| (MIN_SECONDS..=MAX_SECONDS).contains(seconds))
        .ok_or_else(|| {
            ApiError::invalid(
                "UrlExpiration",
                "it must be 60s to 365d, a number with s (seconds) or d (days)",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_units_and_bare_digits_are_read() {
        for (text, expected) in [
            ("7200s", 7_200),
            ("60s", 60),
            ("60", 60),
            ("2d", 172_800),
            ("365d", 31_536_000),
        ] {
            assert_eq!(seconds(Some(text)).unwrap(), expected, "{text}");
        }
        assert_eq!(seconds(None).unwrap(), DEFAULT_SECONDS);
    }

    #[test]
    fn out_of_range_and_nonsense_name_the_field() {
        for text in [
            "59s",
            "59",
            "366d",
            "31536001",
            "0",
            "-60s",
            "+60",
            "1h",
            "s",
            "",
            "99999999999999999999d",
        ] {
            let error = seconds(Some(text)).unwrap_err();
            assert_eq!(error.field.as_deref(), Some("UrlExpiration"), "{text}");
        }
    }
}
