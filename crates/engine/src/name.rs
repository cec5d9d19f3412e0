//! The names that callers give to things, checked once when they are built and never again.
//!
//! The server builds them from request fields and passes them to [`crate::Engine`]; everything
//! behind that line may rely on their rules. A refused name says which rule it broke.

use std::fmt;

/// Why a name was refused. `what` names the kind of name, `reason` the rule it broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {reason}")]
pub struct NameError {
    /// The kind of name: "namespace", "collection", …
    pub what: &'static str,
    /// The rule that was broken, as the rest of a sentence that starts with `what`.
    pub reason: String,
}

/// Declares a string newtype with its check. The text is kept exactly as given.
macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Checks `text` and keeps it unchanged.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                $check(&text).map_err(|reason| NameError { what: $what, reason })?;
                Ok(Self(text))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }
    };
}

checked_name! {
    /// A `DBInstanceId`: any printable text of 1 to 256 bytes, because any id a program already
    /// uses must work (semantics.md row 5).
    InstanceId, "instance id", check_free_text::<256>
}
checked_name! {
    /// An account of an instance: 2 to 16 lower-case letters, digits and underscores, a letter first, a letter or digit
    /// last, not starting with `gp` (semantics.md, `AccountOrPassword.VerificationError`).
    AccountName, "account name", check_account_name
}
checked_name! {
    /// A namespace: 1 to 63 bytes, a letter or underscore, then letters, digits, underscores
    /// (ASCII); case is kept and compared exactly (semantics.md row 43).
    NamespaceName, "namespace", check_object_name
}
checked_name! {
    /// A collection: the same rule as [`NamespaceName`].
    CollectionName, "collection", check_object_name
}
checked_name! {
    /// A metadata column: the same rule as [`NamespaceName`].
    ColumnName, "metadata field", check_object_name
}
checked_name! {
    /// A scalar index: the same rule as [`NamespaceName`].
    IndexName, "index", check_object_name
}
checked_name! {
    /// What a caller calls a row of a vector collection: 1 to 1024 bytes without control characters.
    RowId, "row id", check_free_text::<1024>
}
checked_name! {
    /// The name a document is known by in its collection, 1 to 1024 bytes without control
    /// characters. For an image out of an archive it is the path inside the archive.
    FileName, "file name", check_free_text::<1024>
}
checked_name! {
    /// The key of an uploaded object as the server issued it, 1 to 1024 bytes.
    ObjectKey, "object key", check_free_text::<1024>
}
checked_name! {
    /// A job: a lower-case UUID. Text of another form cannot name a job.
    JobId, "job id", check_job_id
}

impl Default for NamespaceName {
    /// `public`, which every operation with an optional namespace means (semantics.md, OVW).
    fn default() -> Self {
        Self("public".to_owned())
    }
}

impl JobId {
    /// A new random id.
    pub(crate) fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string())
    }
}

impl RowId {
    /// A new random id, for a row that came without one.
    pub(crate) fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string())
    }
}

impl FileName {
    /// The extension in lower case without its dot, empty when there is none.
    pub fn extension(&self) -> String {
        let last = self.0.rsplit('/').next().unwrap_or_default();
        match last.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => extension.to_ascii_lowercase(),
            _ => String::new(),
        }
    }
}

/// The SHA-256 of a stored original; it is also its address in the data folder.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId([u8; 32]);

impl ObjectId {
    /// Wraps a digest.
    pub fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// Reads 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let wrong = || NameError {
            what: "object id",
            reason: "must be 64 lower-case hexadecimal digits".to_owned(),
        };
        if text.len() != 64 || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(wrong());
        }
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest).map_err(|_| wrong())?;
        Ok(Self(digest))
    }

    /// The digest itself.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ObjectId({self})")
    }
}

/// `PostgreSQL`'s unquoted object names, without its case folding (semantics.md row 43).
fn check_object_name(text: &str) -> Result<(), String> {
    let Some(first) = text.bytes().next() else {
        return Err("must not be empty".to_owned());
    };
    if text.len() > 63 {
        return Err(format!("must be at most 63 bytes long, not {}", text.len()));
    }
    let well_formed = (first.is_ascii_alphabetic() || first == b'_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !well_formed {
        return Err(
            "must start with a letter or underscore and contain only letters, digits and underscores"
                .to_owned(),
        );
    }
    Ok(())
}

fn check_account_name(text: &str) -> Result<(), String> {
    let characters_are_good = text
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let well_formed = (2..=16).contains(&text.len())
        && characters_are_good
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && !text.ends_with('_')
        && !text.starts_with("gp");
    if well_formed {
        Ok(())
    } else {
        Err(
            "must have 2 to 16 lower-case letters, digits and underscores, start with a letter, end with a letter or \
             digit, and not start with gp"
                .to_owned(),
        )
    }
}

fn check_free_text<const MAX_BYTES: usize>(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("must not be empty".to_owned());
    }
    if text.len() > MAX_BYTES {
        return Err(format!(
            "must be at most {MAX_BYTES} bytes long, not {}",
            text.len()
        ));
    }
    if text.chars().any(char::is_control) {
        return Err("must not contain control characters".to_owned());
    }
    Ok(())
}

fn check_job_id(text: &str) -> Result<(), String> {
    let canonical = uuid::Uuid::parse_str(text).is_ok_and(|uuid| uuid.to_string() == text);
    if canonical {
        Ok(())
    } else {
        Err("must be a lower-case UUID".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_names_follow_the_rule_at_its_edges() {
        for good in ["a", "_", "_9", "Photos_2024", &"x".repeat(63)] {
            assert_eq!(CollectionName::new(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "9a",
            "a-b",
            "a b",
            "é",
            "a.b",
            "a;drop",
            &"x".repeat(64),
        ] {
            assert!(
                CollectionName::new(bad).is_err(),
                "{bad:?} should be refused"
            );
        }
    }

    #[test]
    fn account_names_follow_the_rule_at_its_edges() {
        for good in ["ab", "a1", "a_b", "agp", &"x".repeat(16)] {
            assert!(AccountName::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "1a",
            "_a",
            "a_",
            "gpx",
            "Ab",
            "a-b",
            "aé",
            &"x".repeat(17),
        ] {
            assert!(AccountName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn case_is_kept_and_compared_exactly() {
        assert_ne!(
            NamespaceName::new("A").unwrap(),
            NamespaceName::new("a").unwrap()
        );
    }

    #[test]
    fn a_refused_name_says_what_it_was_and_why() {
        let error = NamespaceName::new("x".repeat(64)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "namespace must be at most 63 bytes long, not 64"
        );
    }

    #[test]
    fn file_names_take_any_printable_text() {
        for good in ["dog.jpg", "照片/狗.png", "a b'c.jpg", &"x".repeat(1024)] {
            assert!(FileName::new(good).is_ok(), "{good:?}");
        }
        for bad in ["", "a\0b", "a\nb", &"x".repeat(1025)] {
            assert!(FileName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn extensions_are_lower_case_and_of_the_last_part() {
        for (name, extension) in [
            ("a.JPG", "jpg"),
            ("x.tar/photo", ""),
            ("d/e.f.Png", "png"),
            (".png", ""),
            ("n", ""),
        ] {
            assert_eq!(
                FileName::new(name).unwrap().extension(),
                extension,
                "{name}"
            );
        }
    }

    #[test]
    fn job_ids_are_canonical_uuids() {
        let id = JobId::random();
        assert_eq!(JobId::new(id.as_str()).unwrap(), id);
        assert!(JobId::new(id.as_str().to_uppercase()).is_err());
        assert!(JobId::new("42").is_err());
    }

    #[test]
    fn object_ids_round_trip() {
        let id = ObjectId::from_bytes([0xab; 32]);
        assert_eq!(ObjectId::parse(&id.to_string()).unwrap(), id);
        assert!(ObjectId::parse("ab").is_err());
        assert!(ObjectId::parse(&"AB".repeat(32)).is_err());
    }
}
