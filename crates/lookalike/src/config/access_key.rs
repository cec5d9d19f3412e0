//! Access keys as `ID:SECRET` or, for a temporary (STS) key, `ID:SECRET:TOKEN`.

use std::fmt;
use std::str::FromStr;

/// One key pair that may sign requests. Its secrets never appear in `Debug` output.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    pub id: String,
    pub secret: String,
    pub security_token: Option<String>,
}

/// Why a text is not an access key. The text itself is left out: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessKeyError {
    #[error("expected ID:SECRET or ID:SECRET:TOKEN")]
    Form,
    #[error("the id and the secret must not be empty or contain blanks")]
    Empty,
}

impl FromStr for AccessKey {
    type Err = AccessKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, rest) = text.split_once(':').ok_or(AccessKeyError::Form)?;
        let (secret, token) = match rest.split_once(':') {
            Some((secret, token)) => (secret, Some(token)),
            None => (rest, None),
        };
        let acceptable = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
        if !acceptable(id) || !acceptable(secret) || !token.is_none_or(acceptable) {
            return Err(AccessKeyError::Empty);
        }
        Ok(Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
            security_token: token.map(str::to_owned),
        })
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AccessKey")
            .field("id", &self.id)
            .field("secret", &"***")
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pair_and_temporary_key_are_read() {
        let pair: AccessKey = "LTAI:s3cret".parse().unwrap();
        assert_eq!(
            (pair.id.as_str(), pair.secret.as_str(), pair.security_token),
            ("LTAI", "s3cret", None)
        );
        let temporary: AccessKey = "STS.x:s:CAIS:w==".parse().unwrap();
        assert_eq!(temporary.security_token.as_deref(), Some("CAIS:w=="));
    }

    #[test]
    fn half_a_key_is_refused() {
        assert_eq!("LTAI".parse::<AccessKey>(), Err(AccessKeyError::Form));
        for text in [":secret", "id:", "id:se cret", "id:secret:"] {
            assert_eq!(
                text.parse::<AccessKey>(),
                Err(AccessKeyError::Empty),
                "{text}"
            );
        }
    }

    #[test]
    fn secret_is_not_printed() {
        let key: AccessKey = "id:hunter2:tok".parse().unwrap();
        let printed = format!("{key:?}");
        assert!(
            !printed.contains("hunter2") && !printed.contains("tok"),
            "{printed}"
        );
    }
}
