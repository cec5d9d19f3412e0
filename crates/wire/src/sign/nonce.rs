//! Nonces that were used, so that a captured request cannot be played again.
//!
//! Invariants: at most `capacity` nonces are held, each as 16 bytes of a hash,
//! whatever its length was; a nonce is forgotten once its request's own
//! timestamp would be refused. When the cache is full of live nonces, the one
//! that expires **first** gives way: that shortens the protection against
//! replay under a flood of correctly signed requests, where refusing new
//! requests would let one busy client lock out all others.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// Most nonces held by default: some 20 MB when full, enough for 290 requests a second
/// over the fifteen minutes that a timestamp lives.
const DEFAULT_CAPACITY: usize = 262_144;

/// A bounded set of used nonces. Shared between threads.
#[derive(Debug)]
pub struct NonceCache {
    capacity: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    used: HashSet<u128>,
    /// The same, ordered by the second of expiry.
    by_expiry: BTreeSet<(i64, u128)>,
}

impl Default for NonceCache {
    fn default() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }
}

impl NonceCache {
    /// A cache of at most `capacity` nonces, at least one.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            held: Mutex::default(),
        }
    }

    /// Records the nonce of a good request; false when it was used before.
    pub fn remember(
        &self,
        access_key_id: &str,
        nonce: &str,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> bool {
        let digest = digest(access_key_id, nonce);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.drop_expired(now);
        if held.used.contains(&digest) {
            return false;
        }
        if held.used.len() >= self.capacity
            && let Some((_, oldest)) = held.by_expiry.pop_first()
        {
            held.used.remove(&oldest);
        }
        held.used.insert(digest);
        // Rounded up: the nonce must outlive the last moment of its timestamp.
        held.by_expiry.insert((expires_at.as_second() + 1, digest));
        true
    }

    /// How many nonces are held.
    pub fn len(&self) -> usize {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.used.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Held {
    fn drop_expired(&mut self, now: Timestamp) {
        while let Some(&(expires_at_second, digest)) = self.by_expiry.first() {
            if expires_at_second >= now.as_second() {
                break;
            }
            self.by_expiry.pop_first();
            self.used.remove(&digest);
        }
    }
}

fn digest(access_key_id: &str, nonce: &str) -> u128 {
    let hash = Sha256::new()
        // The length keeps the two texts apart.
        .chain_update(access_key_id.len().to_le_bytes())
        .chain_update(access_key_id)
        .chain_update(nonce)
        .finalize();
    let mut first = [0; 16];
    first.copy_from_slice(&hash[..16]);
    u128::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_full_nonce_cache_drops_the_one_that_expires_first() {
        let cache = NonceCache::with_capacity(2);
        assert!(cache.remember("ak", "later", at(300), at(0)));
        assert!(cache.remember("ak", "sooner", at(200), at(0)));
        assert!(cache.remember("ak", "new", at(250), at(0)));
        assert_eq!(cache.len(), 2);
        assert!(!cache.remember("ak", "later", at(300), at(0)));
        assert!(!cache.remember("ak", "new", at(250), at(0)));
        // The one that made room is forgotten; another key's nonce was never the same.
        assert!(cache.remember("ak", "sooner", at(200), at(0)));
        assert!(cache.remember("other", "new", at(250), at(0)));
    }

    #[test]
    fn expired_nonces_leave_the_cache() {
        let cache = NonceCache::with_capacity(100);
        for number in 0..50 {
            assert!(cache.remember("ak", &number.to_string(), at(number), at(0)));
        }
        assert!(cache.remember("ak", "new", at(1000), at(40)));
        assert_eq!(cache.len(), 12, "39 to 49 and the new one");
        assert!(cache.remember("ak", "again", at(2000), at(1500)));
        assert_eq!(cache.len(), 1);
    }
}
