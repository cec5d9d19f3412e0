//! Dates and times: read as `PostgreSQL` reads its ISO forms, kept as microseconds, printed again.
//!
//! The session is in UTC. What depends on the clock (`now`, `today`) is refused: a filter means the
//! same whenever it is asked.

use jiff::{Timestamp, civil, tz::Offset};

const MICROS_A_SECOND: i64 = 1_000_000;
const MICROS_A_DAY: i64 = 86_400 * MICROS_A_SECOND;

/// Which of the types a text is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Date,
    Time,
    Timestamp,
    TimestampTz,
}

impl Kind {
    fn expected(self) -> &'static str {
        match self {
            Self::Date => "a date like 2024-01-08",
            Self::Time => "a time like 16:52:04",
            Self::Timestamp => "a timestamp like 2024-01-08 16:52:04",
            Self::TimestampTz => "a timestamp like 2024-01-08 16:52:04+08",
        }
    }
}

/// Microseconds since 1970 in UTC, of a `time` since midnight.
pub(super) fn parse(text: &str, kind: Kind) -> Result<i64, String> {
    let text = text.trim();
    if kind != Kind::Time {
        match text.to_ascii_lowercase().as_str() {
            "epoch" => return Ok(0),
            "infinity" | "+infinity" => return Ok(i64::MAX),
            "-infinity" => return Ok(i64::MIN),
            _ => {}
        }
    }
    read(text, kind).ok_or_else(|| format!("'{text}' is not {}", kind.expected()))
}

fn read(text: &str, kind: Kind) -> Option<i64> {
    if kind == Kind::Time
        && let Some((micros, rest)) = clock(text)
    {
        zone(rest)?;
        return Some(micros);
    }
    let date_end = text
        .char_indices()
        .skip(1)
        .find(|(_, letter)| letter.is_whitespace() || matches!(letter, 'T' | 't'))
        .map_or(text.len(), |(at, _)| at);
    let (day, rest) = (date(&text[..date_end])?, &text[date_end..]);
    let rest = rest.strip_prefix(['T', 't']).unwrap_or(rest).trim_start();
    let (mut micros, mut offset_seconds) = (0, 0);
    if !rest.is_empty() || kind == Kind::Time {
        let (time, zone_text) = clock(rest)?;
        (micros, offset_seconds) = (time, zone(zone_text)?);
    }
    Some(match kind {
        Kind::Date => day,
        // A zone is read and has no effect on a timestamp without one.
        Kind::Timestamp => day + micros,
        Kind::TimestampTz => day + micros - offset_seconds * MICROS_A_SECOND,
        // The date before a time is read and has no effect.
        Kind::Time => micros,
    })
}

/// Midnight of `2024-01-08`, `2024/1/8`, `20240108` or, month first, `1/8/2024`.
fn date(text: &str) -> Option<i64> {
    let day = if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        civil::Date::new(
            text[..4].parse().ok()?,
            text[4..6].parse().ok()?,
            text[6..].parse().ok()?,
        )
        .ok()?
    } else {
        let separator = if text.contains('/') { '/' } else { '-' };
        let parts: Vec<&str> = text.split(separator).collect();
        match parts[..] {
            [year, month, day] if year.len() >= 3 => number_date(year, month, day)?,
            [month, day, year] if separator == '/' && year.len() >= 3 => {
                number_date(year, month, day)?
            }
            // Years before the first one, as stored values have them.
            _ => text.parse().ok()?,
        }
    };
    micros(day.at(0, 0, 0, 0))
}

fn number_date(year: &str, month: &str, day: &str) -> Option<civil::Date> {
    civil::Date::new(
        digits(year, 4)?.try_into().ok()?,
        digits(month, 2)?.try_into().ok()?,
        digits(day, 2)?.try_into().ok()?,
    )
    .ok()
}

/// `16:52`, `16:52:04.864`, `4:52 PM` and what follows.
fn clock(text: &str) -> Option<(i64, &str)> {
    let end = text
        .find(|letter: char| !letter.is_ascii_digit() && !matches!(letter, ':' | '.'))
        .unwrap_or(text.len());
    let (time, mut rest) = text.split_at(end);
    let mut parts = time.split(':');
    let mut hour = digits(parts.next()?, 2)?;
    let minute = digits(parts.next()?, 2)?;
    let (second, fraction) = match parts.next() {
        None => (0, 0),
        Some(seconds) => {
            let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
            (digits(whole, 2)?, micros_of_fraction(fraction)?)
        }
    };
    if parts.next().is_some() {
        return None;
    }
    let half = rest.trim_start();
    let afternoon = match half.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("am") => Some(false),
        Some("pm") => Some(true),
        _ => None,
    };
    if let Some(afternoon) = afternoon {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + if afternoon { 12 } else { 0 };
        rest = &half[2..];
    }
    // A leap second is the next minute, and the end of a day is 24:00.
    let micros = ((hour * 60 + minute) * 60 + second) * MICROS_A_SECOND + fraction;
    let in_range = minute <= 59 && second <= 60 && micros <= MICROS_A_DAY;
    in_range.then_some((micros, rest))
}

/// Digits after the point, rounded to microseconds.
fn micros_of_fraction(fraction: &str) -> Option<i64> {
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut micros = 0;
    for position in 0..6 {
        let digit = fraction
            .as_bytes()
            .get(position)
            .map_or(0, |byte| byte - b'0');
        micros = micros * 10 + i64::from(digit);
    }
    let round_up = fraction
        .as_bytes()
        .get(6)
        .is_some_and(|digit| *digit >= b'5');
    Some(micros + i64::from(round_up))
}

/// Seconds east of Greenwich: nothing, `Z`, `UTC`, `+08`, `-05:30`, `+0530`.
fn zone(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.is_empty()
        || ["z", "utc", "gmt"]
            .iter()
            .any(|name| text.eq_ignore_ascii_case(name))
    {
        return Some(0);
    }
    let (sign, text) = match text.as_bytes()[0] {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let parts: Vec<&str> = text.split(':').collect();
    let (hours, minutes, seconds) = match parts[..] {
        [compact] if compact.len() == 4 && compact.is_ascii() => {
            (digits(&compact[..2], 2)?, digits(&compact[2..], 2)?, 0)
        }
        [hours] => (digits(hours, 2)?, 0, 0),
        [hours, minutes] => (digits(hours, 2)?, digits(minutes, 2)?, 0),
        [hours, minutes, seconds] => (digits(hours, 2)?, digits(minutes, 2)?, digits(seconds, 2)?),
        _ => return None,
    };
    // PostgreSQL takes offsets below 16 hours.
    let in_range = hours <= 15 && minutes <= 59 && seconds <= 59;
    in_range.then_some(sign * ((hours * 60 + minutes) * 60 + seconds))
}

/// One to `most` digits.
fn digits(text: &str, most: usize) -> Option<i64> {
    let fits = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

fn micros(moment: civil::DateTime) -> Option<i64> {
    Some(Offset::UTC.to_timestamp(moment).ok()?.as_microsecond())
}

/// The start of the day of a moment; the infinities have none.
pub(super) fn start_of_day(micros: i64) -> i64 {
    if is_infinite(micros) {
        micros
    } else {
        micros - micros.rem_euclid(MICROS_A_DAY)
    }
}

/// The time of day of a moment; the infinities have none.
pub(super) fn time_of_day(micros: i64) -> Option<i64> {
    (!is_infinite(micros)).then(|| micros.rem_euclid(MICROS_A_DAY))
}

fn is_infinite(micros: i64) -> bool {
    matches!(micros, i64::MIN | i64::MAX)
}

/// As `PostgreSQL` prints it with `DateStyle` ISO and the time zone UTC.
pub(super) fn text(micros: i64, kind: Kind) -> String {
    match (micros, kind) {
        (i64::MAX, _) => return "infinity".to_owned(),
        (i64::MIN, _) => return "-infinity".to_owned(),
        (MICROS_A_DAY, Kind::Time) => return "24:00:00".to_owned(),
        _ => {}
    }
    let moment = Timestamp::from_microsecond(micros)
        .map(|timestamp| Offset::UTC.to_datetime(timestamp))
        .expect("moments are made within the calendar");
    match kind {
        Kind::Date => moment.date().to_string(),
        Kind::Time => moment.time().to_string(),
        Kind::Timestamp => format!("{} {}", moment.date(), moment.time()),
        Kind::TimestampTz => format!("{} {}+00", moment.date(), moment.time()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text, type, and how `PostgreSQL` 15 prints it (time zone UTC).
    #[test]
    fn the_usual_forms_are_read() {
        for (given, kind, shown) in [
            ("2024-01-08", Kind::Date, "2024-01-08"),
            (" 2024-1-8 ", Kind::Date, "2024-01-08"),
            ("20240108", Kind::Date, "2024-01-08"),
            ("2024/01/08", Kind::Date, "2024-01-08"),
            ("1/8/2024", Kind::Date, "2024-01-08"),
            ("2024-01-08 16:52:04+08", Kind::Date, "2024-01-08"),
            ("16:52", Kind::Time, "16:52:00"),
            ("4:52:04.5 PM", Kind::Time, "16:52:04.5"),
            ("12:00 am", Kind::Time, "00:00:00"),
            ("24:00", Kind::Time, "24:00:00"),
            ("23:59:60", Kind::Time, "24:00:00"),
            ("2024-01-08 16:52:04", Kind::Time, "16:52:04"),
            ("2024-01-08 24:00", Kind::Timestamp, "2024-01-09 00:00:00"),
            ("2024-01-08 24:00", Kind::Date, "2024-01-08"),
            (
                "2024-01-08T16:52:04Z",
                Kind::Timestamp,
                "2024-01-08 16:52:04",
            ),
            (
                "2024-01-08 16:52:04+08",
                Kind::Timestamp,
                "2024-01-08 16:52:04",
            ),
            (
                "2024-01-08 16:52:04.1234567",
                Kind::Timestamp,
                "2024-01-08 16:52:04.123457",
            ),
            (
                "2024-01-08 16:52:04.9999999",
                Kind::Timestamp,
                "2024-01-08 16:52:05",
            ),
            ("2024-01-08", Kind::TimestampTz, "2024-01-08 00:00:00+00"),
            (
                "2024-01-08 16:52:04+08",
                Kind::TimestampTz,
                "2024-01-08 08:52:04+00",
            ),
            (
                "2024-01-08 16:52:04 -0530",
                Kind::TimestampTz,
                "2024-01-08 22:22:04+00",
            ),
            (
                "2024-01-08 16:52:04 utc",
                Kind::TimestampTz,
                "2024-01-08 16:52:04+00",
            ),
            ("epoch", Kind::Date, "1970-01-01"),
            ("Infinity", Kind::Timestamp, "infinity"),
            (
                "1969-12-31 23:59:59.999999",
                Kind::Timestamp,
                "1969-12-31 23:59:59.999999",
            ),
        ] {
            let micros = parse(given, kind).unwrap();
            assert_eq!(text(micros, kind), shown, "{given}");
        }
    }

    #[test]
    fn other_texts_are_refused_with_an_example() {
        for (given, kind) in [
            ("", Kind::Date),
            ("2024", Kind::Date),
            ("2024-13-01", Kind::Date),
            ("2024-02-30", Kind::Date),
            ("soon", Kind::Timestamp),
            ("today", Kind::Date),
            ("2024-01-08 25:00", Kind::Timestamp),
            ("2024-01-08 16:52:04 nowhere", Kind::TimestampTz),
            ("2024-01-08 16:52:04+17", Kind::TimestampTz),
            ("13:00 PM", Kind::Time),
            ("16", Kind::Time),
            ("24:00:01", Kind::Time),
            ("16:60", Kind::Time),
            ("2024-01-08", Kind::Time),
            ("1:2:3:4", Kind::Time),
            ("2024-01-08T", Kind::Time),
            ("é", Kind::Date),
        ] {
            let error = parse(given, kind).unwrap_err();
            assert!(error.contains(kind.expected()), "{given}: {error}");
        }
    }

    #[test]
    fn days_and_times_of_day_are_those_of_utc() {
        let moment = parse("1969-12-31 23:00", Kind::Timestamp).unwrap();
        assert_eq!(text(start_of_day(moment), Kind::Date), "1969-12-31");
        assert_eq!(text(time_of_day(moment).unwrap(), Kind::Time), "23:00:00");
        assert_eq!(start_of_day(i64::MAX), i64::MAX);
        assert_eq!(time_of_day(i64::MIN), None);
    }
}
