//! Keys of uploaded files: `uploads/` and 32 random hexadecimal digits.
//!
//! A key cannot be guessed, so whoever names one was told it by this server; that is how a `FileUrl` is known
//! to be ours whatever its host.

const FOLDER: &str = "uploads/";
const DIGITS: usize = 32;

/// A new key.
pub fn new() -> String {
    format!("{FOLDER}{}", uuid::Uuid::new_v4().simple())
}

/// The key that a URL's path names, if it has the form of one.
pub fn of_path(path: &str) -> Option<&str> {
    let key = path.strip_prefix('/')?;
    let digits = key.strip_prefix(FOLDER)?;
    let well_formed = digits.len() == DIGITS
        && digits
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    well_formed.then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_keys_are_recognised() {
        let key = new();
        assert_eq!(of_path(&format!("/{key}")), Some(key.as_str()));
        assert_ne!(key, new());
    }

    #[test]
    fn other_paths_are_not() {
        let digits = "0123456789abcdef0123456789abcdef";
        for path in ["", "/", "/uploads/", "/uploads/abc", "uploads/x"] {
            assert_eq!(of_path(path), None, "{path}");
        }
        assert_eq!(of_path(&format!("/uploads/{digits}/x")), None);
        assert_eq!(
            of_path(&format!("/uploads/{}", digits.to_uppercase())),
            None
        );
        assert_eq!(of_path(&format!("/other/{digits}")), None);
    }
}
