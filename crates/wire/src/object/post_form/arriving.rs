//! A form that is read while it arrives, so that a large file is never in memory as a whole.
//!
//! The gateway collects bytes until [`PostHead::parse`] knows the fields, lets the policy decide, and then pushes
//! what follows through a [`FileTail`], which holds back as many bytes as a form can end with.

use super::{
    Fields, PostFormError, PostFormLimits, boundary_within, late_field, parse_fields, split_file,
};

/// What stands before a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostHead<'a> {
    pub fields: Fields<'a>,
    /// Where in the bytes given the file begins.
    pub file_start: usize,
}

impl<'a> PostHead<'a> {
    /// Reads the beginning of a form. An error may mean no more than that the file has not begun yet: the caller asks again
    /// with more bytes until it has as many as it is ready to hold.
    pub fn parse(content_type: &str, beginning: &'a [u8]) -> Result<Self, PostFormError> {
        let limits = PostFormLimits::default();
        let boundary = boundary_within(content_type, &limits)?;
        let (fields, _, content) = parse_fields(boundary, beginning, &limits)?;
        Ok(Self {
            fields: Fields(fields),
            file_start: beginning.len() - content.len(),
        })
    }
}

/// The end of a file whose bytes come piece by piece.
#[derive(Clone, Debug)]
pub struct FileTail {
    boundary: String,
    held: Vec<u8>,
    /// The most bytes that can follow the file.
    most: usize,
}

impl FileTail {
    /// For the form of that content type.
    pub fn new(content_type: &str) -> Result<Self, PostFormError> {
        let boundary = boundary_within(content_type, &PostFormLimits::default())?;
        let most = late_field(boundary).len() + boundary.len() + "\r\n\r\n----\r\n".len();
        Ok(Self {
            boundary: boundary.to_owned(),
            held: Vec::new(),
            most,
        })
    }

    /// Takes the next bytes and gives back those that are certainly the file's.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        let certain = self.held.len().saturating_sub(self.most);
        let kept = self.held.split_off(certain);
        std::mem::replace(&mut self.held, kept)
    }

    /// The file's last bytes, once the form has ended.
    pub fn finish(mut self) -> Result<Vec<u8>, PostFormError> {
        let length = split_file(&self.held, &self.boundary)?.0.len();
        self.held.truncate(length);
        Ok(self.held)
    }
}
