//! Hashing and checking passwords with Argon2id (RFC 9106).
//!
//! Called by the credential checks of every operation, so a password that was found right is
//! remembered, as a keyed digest over it and the stored hash together: a new password makes a new
//! hash, and what was remembered for the old one is never asked for again. A wrong password is not
//! remembered and costs its hash each time, at most one a core at once.

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::SaltString,
};
use moka::sync::Cache;
use rand::RngCore as _;
use sha2::{Digest as _, Sha256};

use crate::{
    config::PasswordHashing,
    cpu::{Cpu, Lane},
    error::EngineError,
    secret::Secret,
};

/// Right passwords remembered at most.
const REMEMBERED: u64 = 10_000;

/// Hashes and checks.
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    /// New for each process; makes the digests worthless elsewhere.
    key: [u8; 32],
    right: Cache<[u8; 32], ()>,
    cpu: Cpu,
}

impl Passwords {
    pub(crate) fn new(price: PasswordHashing, cpu: Cpu) -> Result<Self, EngineError> {
        let params = Params::new(price.memory_kib, price.passes, 1, None).map_err(|error| {
            EngineError::Unavailable {
                reason: format!("the price of password hashing: {error}"),
            }
        })?;
        let mut key = [0; 32];
        rand::rng().fill_bytes(&mut key);
        Ok(Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            key,
            right: Cache::new(REMEMBERED),
            cpu,
        })
    }

    /// A hash to be stored, salt and price included.
    pub(crate) async fn hash(&self, password: &Secret) -> Result<String, EngineError> {
        let (argon2, password) = (self.argon2.clone(), password.clone());
        let hash = move || {
            let mut salt = [0; 16];
            rand::rng().fill_bytes(&mut salt);
            let salt = SaltString::encode_b64(&salt).map_err(|error| error.to_string())?;
            argon2
                .hash_password(password.reveal().as_bytes(), &salt)
                .map(|hash| hash.to_string())
                .map_err(|error| error.to_string())
        };
        self.cpu
            .run(Lane::Request, hash)
            .await?
            .map_err(EngineError::internal)
    }

    /// Whether `password` is the one behind `stored`.
    pub(crate) async fn matches(
        &self,
        password: &Secret,
        stored: &str,
    ) -> Result<bool, EngineError> {
        let digest = self.digest(password, stored);
        if self.right.contains_key(&digest) {
            return Ok(true);
        }
        let (argon2, password, stored) = (self.argon2.clone(), password.clone(), stored.to_owned());
        let verify = move || {
            let hash = PasswordHash::new(&stored).map_err(|error| error.to_string())?;
            // The price is the stored hash's own: a new setting does not shut anyone out.
            Ok::<_, String>(
                argon2
                    .verify_password(password.reveal().as_bytes(), &hash)
                    .is_ok(),
            )
        };
        let right = self
            .cpu
            .run(Lane::Request, verify)
            .await?
            .map_err(EngineError::internal)?;
        if right {
            self.right.insert(digest, ());
        }
        Ok(right)
    }

    fn digest(&self, password: &Secret, stored: &str) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.key);
        digest.update((stored.len() as u64).to_le_bytes());
        digest.update(stored);
        digest.update(password.reveal());
        digest.finalize().into()
    }
}

/// Whether two texts are equal, in a time that does not tell where they differ: compares digests
/// under a key that the other side does not know.
pub(crate) fn same_secret(one: &Secret, other: &Secret) -> bool {
    let mut key = [0; 32];
    rand::rng().fill_bytes(&mut key);
    let digest = |secret: &Secret| {
        let mut digest = Sha256::new();
        digest.update(key);
        digest.update(secret.reveal());
        digest.finalize()
    };
    digest(one) == digest(other)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn cheap() -> Passwords {
        Passwords::new(
            PasswordHashing {
                memory_kib: 8,
                passes: 1,
            },
            Cpu::new(Arc::default()),
        )
        .unwrap()
    }

    #[tokio::test]
    async fn the_right_password_matches_and_is_remembered() {
        let passwords = cheap();
        let secret = Secret::new("hunter2");
        let stored = passwords.hash(&secret).await.unwrap();
        assert!(
            stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"),
            "{stored}"
        );
        assert!(passwords.matches(&secret, &stored).await.unwrap());
        assert!(
            passwords
                .right
                .contains_key(&passwords.digest(&secret, &stored))
        );
        assert!(passwords.matches(&secret, &stored).await.unwrap());
    }

    #[tokio::test]
    async fn a_wrong_password_is_never_remembered_as_right() {
        let passwords = cheap();
        let stored = passwords.hash(&Secret::new("right")).await.unwrap();
        for _ in 0..3 {
            assert!(
                !passwords
                    .matches(&Secret::new("wrong"), &stored)
                    .await
                    .unwrap()
            );
        }
        assert!(
            passwords
                .matches(&Secret::new("right"), &stored)
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .matches(&Secret::new("wrong"), &stored)
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn a_password_remembered_for_one_hash_is_not_right_for_another() {
        let passwords = cheap();
        let old = passwords.hash(&Secret::new("old")).await.unwrap();
        assert!(passwords.matches(&Secret::new("old"), &old).await.unwrap());
        let new = passwords.hash(&Secret::new("new")).await.unwrap();
        assert!(!passwords.matches(&Secret::new("old"), &new).await.unwrap());
    }

    #[tokio::test]
    async fn a_hash_of_another_price_still_matches() {
        let stored = cheap().hash(&Secret::new("x")).await.unwrap();
        let dearer = Passwords::new(
            PasswordHashing {
                memory_kib: 64,
                passes: 2,
            },
            Cpu::new(Arc::default()),
        )
        .unwrap();
        assert!(dearer.matches(&Secret::new("x"), &stored).await.unwrap());
    }

    #[test]
    fn a_price_of_nothing_is_refused() {
        assert!(
            Passwords::new(
                PasswordHashing {
                    memory_kib: 0,
                    passes: 1
                },
                Cpu::new(Arc::default())
            )
            .is_err()
        );
    }
}
