//! The database accounts of an instance: making and listing them (semantics.md, `CreateAccount`).
//!
//! A privileged account can be the manager account of any operation; `access` asks for it. An
//! account may be made before the instance is initialised, and then only such an account can do
//! that. Invariant: no two accounts of an instance have one name, configured managers and the
//! account that initialised the instance included.

use crate::{
    clock,
    engine::{Engine, Inner},
    error::{EngineError, Subject},
    name::{AccountName, InstanceId},
    secret::Secret,
    store::{self, account::AccountRow},
};

/// Length of a password (semantics.md, `AccountOrPassword.VerificationError`).
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 8..=32;
/// The characters that count as special; others are not allowed.
const SPECIAL: &str = "!@#$%^&*()_+-=";
/// Characters of a description.
const MAX_DESCRIPTION_CHARS: usize = 256;

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccountKind {
    /// Privileged: `rds_superuser`, a manager account.
    Super,
    /// No manager.
    Normal,
}

impl AccountKind {
    /// Its name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Super => "Super",
            Self::Normal => "Normal",
        }
    }

    /// Reads `Super` or `Normal`; `field` is for the message.
    pub fn from_name(field: &'static str, name: &str) -> Result<Self, EngineError> {
        match name {
            "Super" => Ok(Self::Super),
            "Normal" => Ok(Self::Normal),
            other => Err(EngineError::invalid(
                field,
                format!("must be Super or Normal, not '{other}'"),
            )),
        }
    }
}

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Where.
    pub instance: InstanceId,
    /// Its name.
    pub name: AccountName,
    /// Its password.
    pub password: Secret,
    /// What it may do.
    pub kind: AccountKind,
    /// For people.
    pub description: String,
}

/// An account as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name. Those of configured managers follow no rule.
    pub name: String,
    /// What it may do.
    pub kind: AccountKind,
    /// For people.
    pub description: String,
}

impl Engine {
    /// Makes an account.
    pub async fn create_account(&self, new: &NewAccount) -> Result<(), EngineError> {
        self.inner.check_instance_is_listed(&new.instance)?;
        check_password(&new.password)?;
        if new.description.chars().count() > MAX_DESCRIPTION_CHARS {
            return Err(EngineError::invalid(
                "AccountDescription",
                format!("must have at most {MAX_DESCRIPTION_CHARS} characters"),
            ));
        }
        let known = self.inner.accounts(&new.instance).await?;
        if known
            .iter()
            .any(|account| account.name == new.name.as_str())
        {
            return Err(taken(&new.name));
        }
        let row = AccountRow {
            name: new.name.to_string(),
            kind: new.kind,
            password_hash: self.inner.passwords.hash(&new.password).await?,
            description: new.description.clone(),
        };
        let mut transaction = self.inner.store.begin().await?;
        let added =
            store::account::insert(&mut transaction, &new.instance, &row, clock::now()).await?;
        transaction.commit().await?;
        if !added {
            return Err(taken(&new.name));
        }
        tracing::info!(instance = %new.instance, account = %new.name, kind = new.kind.as_str(), "account created");
        Ok(())
    }

    /// The accounts of an instance by name: those made, those configured for every instance, and the one
    /// that initialised it.
    pub async fn list_accounts(&self, instance: &InstanceId) -> Result<Vec<Account>, EngineError> {
        self.inner.check_instance_is_listed(instance)?;
        self.inner.accounts(instance).await
    }
}

impl Inner {
    async fn accounts(&self, instance: &InstanceId) -> Result<Vec<Account>, EngineError> {
        let mut reader = self.store.reader().await?;
        let made = store::account::list(&mut reader, instance).await?;
        let mut accounts: Vec<Account> = made
            .into_iter()
            .map(|row| Account {
                name: row.name,
                kind: row.kind,
                description: row.description,
            })
            .collect();
        let configured = self.config.managers.iter();
        accounts.extend(
            configured.map(|manager| privileged(&manager.account, "configured for every instance")),
        );
        let first = store::instance::find(&mut reader, instance).await?;
        // With configured managers the account of the first call has no say.
        if let Some(row) = first.filter(|_| self.config.managers.is_empty())
            && accounts
                .iter()
                .all(|account| account.name != row.manager_account)
        {
            accounts.push(privileged(
                &row.manager_account,
                "initialised the vector database",
            ));
        }
        accounts.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(accounts)
    }
}

fn taken(name: &AccountName) -> EngineError {
    EngineError::AlreadyExists {
        what: Subject::Account,
        name: name.to_string(),
    }
}

fn privileged(name: &str, description: &str) -> Account {
    Account {
        name: name.to_owned(),
        kind: AccountKind::Super,
        description: description.to_owned(),
    }
}

/// The documented rule for passwords of accounts.
fn check_password(password: &Secret) -> Result<(), EngineError> {
    let text = password.reveal();
    let classes: [fn(char) -> bool; 4] = [
        |character| character.is_ascii_uppercase(),
        |character| character.is_ascii_lowercase(),
        |character| character.is_ascii_digit(),
        |character| SPECIAL.contains(character),
    ];
    let used = classes
        .iter()
        .filter(|class| text.chars().any(class))
        .count();
    let allowed = text
        .chars()
        .all(|character| classes.iter().any(|class| class(character)));
    if PASSWORD_CHARS.contains(&text.chars().count()) && used >= 3 && allowed {
        return Ok(());
    }
    Err(EngineError::invalid(
        "AccountPassword",
        format!(
            "must have {} to {} characters of at least three of these kinds and of no other: upper-case \
             letters, lower-case letters, digits, {SPECIAL}",
            PASSWORD_CHARS.start(),
            PASSWORD_CHARS.end()
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_follow_the_rule_at_its_edges() {
        for good in [
            "Abcdefg1",
            "abcdef1!",
            "ABC-1234",
            "Aa!bbbbb",
            &format!("Aa1{}", "x".repeat(29)),
        ] {
            assert!(check_password(&Secret::new(good)).is_ok(), "{good}");
        }
        for bad in [
            "",
            "Abcdef1",
            "abcdefg1",
            "ABCDEFGH",
            "Abcdefg1 ",
            "Abcdefg1é",
            &format!("Aa1{}", "x".repeat(30)),
        ] {
            let error = check_password(&Secret::new(bad)).unwrap_err();
            assert!(
                matches!(
                    error,
                    EngineError::Invalid {
                        field: "AccountPassword",
                        ..
                    }
                ),
                "{bad}: {error}"
            );
        }
    }
}
