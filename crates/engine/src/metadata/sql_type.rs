//! The SQL types a metadata column may have, read from the words `PostgreSQL` knows them by.
//!
//! Called by [`super::Columns::parse`]. Types the service has but this program does not are
//! refused with a text that lists those it does; `money` is refused by the service too
//! (semantics.md, `CreateDocumentCollection`).

use std::fmt;

/// The types that [`SqlType::parse`] takes, for messages.
const SUPPORTED: &str = "text, varchar, char, smallint, int, bigint, real, double precision, float, \
                         numeric, decimal, bool, date, time, timestamp, timestamptz, json, jsonb, \
                         uuid, and arrays of these";

/// A column's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqlType {
    /// `text`.
    Text,
    /// `varchar`, `varchar(n)`, `char(n)`: at most so many characters. `char` is not padded.
    Varchar(Option<u32>),
    /// `smallint`.
    SmallInt,
    /// `int`.
    Int,
    /// `bigint`.
    BigInt,
    /// `real`.
    Real,
    /// `double precision`.
    Double,
    /// `numeric`, with precision and scale when given.
    Numeric(Option<(u32, u32)>),
    /// `boolean`.
    Bool,
    /// `date`.
    Date,
    /// `time`.
    Time,
    /// `timestamp` without time zone.
    Timestamp,
    /// `timestamp with time zone`.
    TimestampTz,
    /// `json` or `jsonb`.
    Json,
    /// `uuid`.
    Uuid,
    /// An array of any of the others.
    Array(Box<SqlType>),
}

/// Why a type was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// Not a type this program keeps.
    #[error("the type '{0}' is not supported; supported are {SUPPORTED}")]
    Unsupported(String),
    /// The numbers in parentheses make no sense.
    #[error("'{0}' has a length or precision that is not allowed")]
    BadArguments(String),
}

impl SqlType {
    /// Reads a type as it is written in SQL; case and spacing do not matter.
    pub fn parse(text: &str) -> Result<Self, TypeError> {
        let lower = text.trim().to_ascii_lowercase();
        if let Some(element) = lower
            .strip_suffix("[]")
            .or_else(|| lower.strip_suffix(" array"))
        {
            // PostgreSQL does not distinguish numbers of dimensions: int[][] is int[].
            let element = Self::parse(element).map_err(|error| match error {
                TypeError::Unsupported(_) => TypeError::Unsupported(text.trim().to_owned()),
                TypeError::BadArguments(_) => error,
            })?;
            let is_array = matches!(element, Self::Array(_));
            return Ok(if is_array {
                element
            } else {
                Self::Array(Box::new(element))
            });
        }
        let (name, arguments) = split_arguments(&lower)
            .ok_or_else(|| TypeError::BadArguments(text.trim().to_owned()))?;
        Self::of(&name, &arguments).ok_or_else(|| {
            if Self::of(&name, &[]).is_some() {
                TypeError::BadArguments(text.trim().to_owned())
            } else {
                TypeError::Unsupported(text.trim().to_owned())
            }
        })
    }

    /// The type with this name and these numbers; `None` when there is none such.
    fn of(name: &str, arguments: &[u32]) -> Option<Self> {
        let plain = |sql_type: Self| arguments.is_empty().then_some(sql_type);
        match name {
            "text" => plain(Self::Text),
            "varchar" | "character varying" => match arguments {
                [] => Some(Self::Varchar(None)),
                [length @ 1..=10_485_760] => Some(Self::Varchar(Some(*length))),
                _ => None,
            },
            "char" | "character" | "bpchar" => match arguments {
                // `char` alone means char(1), `bpchar` alone has no limit.
                [] if name == "bpchar" => Some(Self::Varchar(None)),
                [] => Some(Self::Varchar(Some(1))),
                [length @ 1..=10_485_760] => Some(Self::Varchar(Some(*length))),
                _ => None,
            },
            "smallint" | "int2" => plain(Self::SmallInt),
            "int" | "integer" | "int4" => plain(Self::Int),
            "bigint" | "int8" => plain(Self::BigInt),
            "real" | "float4" => plain(Self::Real),
            "double precision" | "double" | "float8" => plain(Self::Double),
            "float" => match arguments {
                [] | [25..=53] => Some(Self::Double),
                [1..=24] => Some(Self::Real),
                _ => None,
            },
            "numeric" | "decimal" | "dec" => match arguments {
                [] => Some(Self::Numeric(None)),
                [precision @ 1..=1000] => Some(Self::Numeric(Some((*precision, 0)))),
                [precision @ 1..=1000, scale] if scale <= precision => {
                    Some(Self::Numeric(Some((*precision, *scale))))
                }
                _ => None,
            },
            "bool" | "boolean" => plain(Self::Bool),
            "date" => plain(Self::Date),
            // A number of fraction digits is taken and not applied: nothing is rounded away.
            "time" | "time without time zone" => fraction_digits(arguments, Self::Time),
            "timestamp" | "timestamp without time zone" => {
                fraction_digits(arguments, Self::Timestamp)
            }
            "timestamptz" | "timestamp with time zone" => {
                fraction_digits(arguments, Self::TimestampTz)
            }
            "json" | "jsonb" => plain(Self::Json),
            "uuid" => plain(Self::Uuid),
            _ => None,
        }
    }
}

impl fmt::Display for SqlType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => formatter.write_str("text"),
            Self::Varchar(None) => formatter.write_str("varchar"),
            Self::Varchar(Some(length)) => write!(formatter, "varchar({length})"),
            Self::SmallInt => formatter.write_str("smallint"),
            Self::Int => formatter.write_str("int"),
            Self::BigInt => formatter.write_str("bigint"),
            Self::Real => formatter.write_str("real"),
            Self::Double => formatter.write_str("double precision"),
            Self::Numeric(None) => formatter.write_str("numeric"),
            Self::Numeric(Some((precision, scale))) => {
                write!(formatter, "numeric({precision},{scale})")
            }
            Self::Bool => formatter.write_str("boolean"),
            Self::Date => formatter.write_str("date"),
            Self::Time => formatter.write_str("time"),
            Self::Timestamp => formatter.write_str("timestamp"),
            Self::TimestampTz => formatter.write_str("timestamptz"),
            Self::Json => formatter.write_str("json"),
            Self::Uuid => formatter.write_str("uuid"),
            Self::Array(element) => write!(formatter, "{element}[]"),
        }
    }
}

fn fraction_digits(arguments: &[u32], sql_type: SqlType) -> Option<SqlType> {
    matches!(arguments, [] | [0..=6]).then_some(sql_type)
}

/// `timestamp(3) with time zone` → (`timestamp with time zone`, `[3]`). `None` when the
/// parentheses hold anything but numbers.
fn split_arguments(lower: &str) -> Option<(String, Vec<u32>)> {
    let (before, inside, after) = match lower.split_once('(') {
        None => (lower, "", ""),
        Some((before, rest)) => {
            let (inside, after) = rest.split_once(')')?;
            if inside.trim().is_empty() {
                return None;
            }
            (before, inside, after)
        }
    };
    let words: Vec<&str> = before
        .split_whitespace()
        .chain(after.split_whitespace())
        .collect();
    let arguments = inside
        .split(',')
        .map(str::trim)
        .filter(|argument| !argument.is_empty())
        .map(|argument| argument.parse().ok())
        .collect::<Option<Vec<u32>>>()?;
    Some((words.join(" "), arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgresql_names_are_understood() {
        for (text, expected) in [
            ("text", SqlType::Text),
            (" VARCHAR(255) ", SqlType::Varchar(Some(255))),
            ("character varying", SqlType::Varchar(None)),
            ("char", SqlType::Varchar(Some(1))),
            ("INT", SqlType::Int),
            ("int8", SqlType::BigInt),
            ("double  precision", SqlType::Double),
            ("float(24)", SqlType::Real),
            ("numeric(10, 2)", SqlType::Numeric(Some((10, 2)))),
            ("decimal", SqlType::Numeric(None)),
            ("timestamp(3) with time zone", SqlType::TimestampTz),
            ("timestamp", SqlType::Timestamp),
            ("jsonb", SqlType::Json),
            ("text[]", SqlType::Array(Box::new(SqlType::Text))),
            ("int[][]", SqlType::Array(Box::new(SqlType::Int))),
        ] {
            assert_eq!(SqlType::parse(text).as_ref(), Ok(&expected), "{text}");
        }
    }

    #[test]
    fn every_type_reads_back_from_its_own_name() {
        for text in [
            "varchar(7)",
            "numeric(5,2)",
            "double precision",
            "timestamptz",
            "uuid[]",
        ] {
            let parsed = SqlType::parse(text).unwrap();
            assert_eq!(SqlType::parse(&parsed.to_string()).unwrap(), parsed);
        }
    }

    #[test]
    fn money_and_unknown_types_are_refused_with_the_list() {
        for text in ["money", "polygon", "", "text; drop table x", "money[]"] {
            let error = SqlType::parse(text).unwrap_err();
            assert!(
                matches!(error, TypeError::Unsupported(_)),
                "{text}: {error:?}"
            );
            assert!(error.to_string().contains("supported are text, varchar"));
        }
    }

    #[test]
    fn senseless_numbers_are_refused() {
        for text in [
            "varchar(0)",
            "varchar(x)",
            "numeric(2,3)",
            "int(4)",
            "float(54)",
            "varchar(",
            "text()",
        ] {
            let error = SqlType::parse(text).unwrap_err();
            assert!(
                matches!(error, TypeError::BadArguments(_)),
                "{text}: {error:?}"
            );
        }
    }
}
