//! What the tests of this crate share: pictures and archives made on the spot, and
//! the folders of odd files.

#![allow(dead_code, reason = "each test binary uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "these are helpers of tests")]

pub mod archives;
pub mod odd;
pub mod picture;
pub mod tarball;
pub mod zipfile;
