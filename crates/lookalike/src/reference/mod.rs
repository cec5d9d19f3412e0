//! The pages of `docs/` that are made from the code: every setting, and how far the API is covered.
//!
//! `lookalike reference --write docs` writes them; a test fails when they are out of date.

mod parity;
mod settings;

/// File name and text of each page.
pub fn pages() -> [(&'static str, String); 2] {
    [
        ("config.md", settings::page()),
        ("parity.md", parity::page()),
    ]
}
