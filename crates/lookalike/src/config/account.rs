//! Manager accounts as `ACCOUNT:PASSWORD`.

use std::fmt;
use std::str::FromStr;

/// An account of the database with its password, which never appears in `Debug` output.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub password: String,
}

/// Why a text is not an account. The text itself is left out: it may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected ACCOUNT:PASSWORD")]
pub struct AccountError;

impl FromStr for Account {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some((name, password)) if !name.is_empty() && !password.is_empty() => Ok(Self {
                name: name.to_owned(),
                password: password.to_owned(),
            }),
            Some(_) | None => Err(AccountError),
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Account")
            .field("name", &self.name)
            .field("password", &"***")
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_may_hold_colons_and_is_not_printed() {
        let account: Account = "manager:a:b".parse().unwrap();
        assert_eq!(
            (account.name.as_str(), account.password.as_str()),
            ("manager", "a:b")
        );
        assert!(!format!("{account:?}").contains("a:b"));
        assert_eq!("manager".parse::<Account>(), Err(AccountError));
    }
}
