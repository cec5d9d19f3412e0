//! How one field travels: as text, number, boolean, JSON, comma list or dotted keys.
//!
//! The serialisations are those of wire.md section 2. Invariant: `read` of what
//! `write` wrote gives the same value, and empty text reads as absent.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::DtoError;
use crate::form::Parameters;
use crate::secret::Secret;

/// How a field is written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    /// One parameter holding JSON.
    Json,
    /// One parameter, values joined by commas.
    Csv,
    /// 1-based dotted keys: `Tag.1.Key=k`.
    Flattened,
}

/// A type that a request field can have.
pub trait Field: Sized {
    const KIND: Kind;

    /// The value of a non-empty text.
    fn parse(name: &'static str, text: &str) -> Result<Self, DtoError>;

    /// The text of the value, as the Python SDK writes it.
    fn to_text(&self) -> String;

    /// The value in `parameters`, `None` when absent or empty.
    fn read(parameters: &Parameters, name: &'static str) -> Result<Option<Self>, DtoError> {
        match parameters.get(name) {
            None | Some("") => Ok(None),
            Some(text) => Self::parse(name, text).map(Some),
        }
    }

    /// Appends the value's parameters.
    fn write(&self, name: &'static str, pairs: &mut Vec<(String, String)>) {
        pairs.push((name.to_owned(), self.to_text()));
    }
}

impl Field for String {
    const KIND: Kind = Kind::Text;

    fn parse(_: &'static str, text: &str) -> Result<Self, DtoError> {
        Ok(text.to_owned())
    }

    fn to_text(&self) -> String {
        self.clone()
    }
}

impl Field for Secret {
    const KIND: Kind = Kind::Text;

    fn parse(_: &'static str, text: &str) -> Result<Self, DtoError> {
        Ok(Secret::new(text))
    }

    fn to_text(&self) -> String {
        self.expose().to_owned()
    }
}

impl Field for i64 {
    const KIND: Kind = Kind::Integer;

    fn parse(name: &'static str, text: &str) -> Result<Self, DtoError> {
        text.parse()
            .map_err(|_| DtoError::invalid(name, "it must be an integer"))
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

impl Field for f64 {
    const KIND: Kind = Kind::Number;

    fn parse(name: &'static str, text: &str) -> Result<Self, DtoError> {
        text.parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
            .ok_or_else(|| DtoError::invalid(name, "it must be a number"))
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

impl Field for bool {
    const KIND: Kind = Kind::Boolean;

    /// Python writes `True`, Node `true` (wire.md 1.4).
    fn parse(name: &'static str, text: &str) -> Result<Self, DtoError> {
        if text.eq_ignore_ascii_case("true") {
            Ok(true)
        } else if text.eq_ignore_ascii_case("false") {
            Ok(false)
        } else {
            Err(DtoError::invalid(name, "it must be true or false"))
        }
    }

    fn to_text(&self) -> String {
        if *self { "True" } else { "False" }.to_owned()
    }
}

/// A value that travels as JSON in one parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize + DeserializeOwned> Field for Json<T> {
    const KIND: Kind = Kind::Json;

    fn parse(name: &'static str, text: &str) -> Result<Self, DtoError> {
        serde_json::from_str(text)
            .map(Json)
            .map_err(|error| DtoError::invalid(name, format!("it must be JSON: {error}")))
    }

    fn to_text(&self) -> String {
        serde_json::to_string(&self.0).expect("request fields hold only what JSON can say")
    }
}

/// A list of texts joined by commas; a comma inside a value cannot be told apart (wire.md 2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Csv(pub Vec<String>);

impl Field for Csv {
    const KIND: Kind = Kind::Csv;

    fn parse(_: &'static str, text: &str) -> Result<Self, DtoError> {
        Ok(Csv(text.split(',').map(str::to_owned).collect()))
    }

    fn to_text(&self) -> String {
        self.0.join(",")
    }
}

/// A list of flat objects under 1-based dotted keys, `Tag.1.Key=k&Tag.1.Value=v`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flattened(pub Vec<BTreeMap<String, String>>);

impl Field for Flattened {
    const KIND: Kind = Kind::Flattened;

    fn parse(name: &'static str, _: &str) -> Result<Self, DtoError> {
        Err(DtoError::invalid(
            name,
            format!("it is a list, write {name}.1.Key and so on"),
        ))
    }

    /// The plain name does not occur; [`Flattened::write`] writes the dotted keys.
    fn to_text(&self) -> String {
        String::new()
    }

    /// Entries come in the order of their numbers; gaps are allowed.
    fn read(parameters: &Parameters, name: &'static str) -> Result<Option<Self>, DtoError> {
        if let Some(text) = parameters.get(name).filter(|text| !text.is_empty()) {
            return Self::parse(name, text).map(Some);
        }
        let mut entries: BTreeMap<u32, BTreeMap<String, String>> = BTreeMap::new();
        let dotted = parameters.iter().filter_map(|(key, value)| {
            let rest = key.strip_prefix(name)?.strip_prefix('.')?;
            Some((rest, value))
        });
        for (rest, value) in dotted {
            let position = rest
                .split_once('.')
                .and_then(|(number, member)| Some((number.parse::<u32>().ok()?, member)))
                .filter(|(number, member)| *number > 0 && !member.is_empty());
            let Some((number, member)) = position else {
                return Err(DtoError::invalid(
                    name,
                    format!("keys must look like {name}.1.Key"),
                ));
            };
            entries
                .entry(number)
                .or_default()
                .entry(member.to_owned())
                .or_insert_with(|| value.to_owned());
        }
        Ok((!entries.is_empty()).then(|| Flattened(entries.into_values().collect())))
    }

    fn write(&self, name: &'static str, pairs: &mut Vec<(String, String)>) {
        for (index, entry) in self.0.iter().enumerate() {
            for (member, value) in entry {
                pairs.push((format!("{name}.{}.{member}", index + 1), value.clone()));
            }
        }
    }
}
