//! `numeric` values as text: checked, rounded to the column's scale, never through a float.
//!
//! Called by [`super::value`]. The result has no leading zeros and no exponent, as `PostgreSQL`
//! prints it.

/// Why a text is no value of a `numeric` column.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecimalError {
    #[error("is not a decimal number")]
    Malformed,
    #[error("does not fit numeric({precision},{scale})")]
    Overflow { precision: u32, scale: u32 },
}

/// Digits that an unlimited `numeric` may have, and the largest exponent (`PostgreSQL`'s own
/// limits are 131072 and 16383).
const MAX_DIGITS: usize = 131_072;

/// Reads `text` as a decimal number, exponent allowed; with `limits` rounds half away from zero
/// to the scale and checks the precision.
pub(crate) fn normalise(text: &str, limits: Option<(u32, u32)>) -> Result<String, DecimalError> {
    let (negative, mut digits, mut scale) = parse(text)?;
    if let Some((precision, column_scale)) = limits {
        round_to(&mut digits, &mut scale, i64::from(column_scale));
        let integer_digits = digits.iter().skip_while(|digit| **digit == 0).count();
        if integer_digits > precision as usize {
            return Err(DecimalError::Overflow {
                precision,
                scale: column_scale,
            });
        }
    }
    Ok(print(negative, &digits, scale))
}

/// Sign, decimal digits and how many of them stand after the point (never negative).
fn parse(text: &str) -> Result<(bool, Vec<u8>, i64), DecimalError> {
    let text = text.trim();
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        None => (unsigned, 0),
        Some((mantissa, exponent)) => (
            mantissa,
            exponent
                .parse::<i64>()
                .map_err(|_| DecimalError::Malformed)?,
        ),
    };
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits: Vec<u8> = Vec::with_capacity(mantissa.len());
    for byte in integer.bytes().chain(fraction.bytes()) {
        if !byte.is_ascii_digit() {
            return Err(DecimalError::Malformed);
        }
        digits.push(byte - b'0');
    }
    if digits.is_empty() || digits.len() > MAX_DIGITS || exponent.unsigned_abs() > MAX_DIGITS as u64
    {
        return Err(DecimalError::Malformed);
    }
    let decimals = i64::try_from(fraction.len()).map_err(|_| DecimalError::Malformed)?;
    let mut scale = decimals - exponent;
    while scale < 0 {
        digits.push(0);
        scale += 1;
    }
    Ok((negative, digits, scale))
}

/// Brings the number to exactly `wanted` digits after the point.
fn round_to(digits: &mut Vec<u8>, scale: &mut i64, wanted: i64) {
    while *scale < wanted {
        digits.push(0);
        *scale += 1;
    }
    let mut round_up = false;
    while *scale > wanted {
        round_up = digits.pop().unwrap_or(0) >= 5;
        *scale -= 1;
    }
    if !round_up {
        return;
    }
    for digit in digits.iter_mut().rev() {
        if *digit < 9 {
            *digit += 1;
            return;
        }
        *digit = 0;
    }
    digits.insert(0, 1);
}

fn print(negative: bool, digits: &[u8], scale: i64) -> String {
    let scale = usize::try_from(scale).expect("the scale was brought to zero or above");
    let mut text: String = digits
        .iter()
        .map(|digit| char::from(b'0' + digit))
        .collect();
    while text.len() <= scale {
        text.insert(0, '0');
    }
    let point = text.len() - scale;
    let integer = text[..point].trim_start_matches('0');
    let integer = if integer.is_empty() { "0" } else { integer };
    let fraction = &text[point..];
    let sign = if negative && digits.iter().any(|digit| *digit != 0) {
        "-"
    } else {
        ""
    };
    if fraction.is_empty() {
        format!("{sign}{integer}")
    } else {
        format!("{sign}{integer}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        for (text, expected) in [
            ("1", "1"),
            ("-0.50", "-0.50"),
            ("007", "7"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e3", "1000"),
            ("1.25e1", "12.5"),
            ("1e-3", "0.001"),
            ("-0", "0"),
            (
                "12345678901234567890.1234567890",
                "12345678901234567890.1234567890",
            ),
        ] {
            assert_eq!(normalise(text, None).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn the_scale_rounds_half_away_from_zero() {
        for (text, expected) in [
            ("1.005", "1.01"),
            ("-1.005", "-1.01"),
            ("9.995", "10.00"),
            ("3", "3.00"),
            ("0.004", "0.00"),
        ] {
            assert_eq!(
                normalise(text, Some((5, 2))).as_deref(),
                Ok(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn the_precision_is_checked_after_rounding() {
        assert_eq!(normalise("999.99", Some((5, 2))).as_deref(), Ok("999.99"));
        assert_eq!(
            normalise("999.995", Some((5, 2))),
            Err(DecimalError::Overflow {
                precision: 5,
                scale: 2
            })
        );
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            ".",
            "-",
            "1.2.3",
            "abc",
            "1e",
            "1e999999999",
            "NaN",
            "1 2",
            "٣",
        ] {
            assert_eq!(
                normalise(text, None),
                Err(DecimalError::Malformed),
                "{text}"
            );
        }
    }
}
