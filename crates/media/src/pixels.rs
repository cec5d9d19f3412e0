//! The one pixel type that decoding makes and encoders read.

use thiserror::Error;

/// A picture as 8-bit RGB, upright, without transparency.
///
/// `rgb` is row-major and interleaved: `width * height * 3` bytes, row 0 on top.
/// Decoding and resizing only make values that keep this; [`Pixels::new`] checks
/// it for bytes from elsewhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Pixels {
    /// Columns, at least 1.
    pub width: u32,
    /// Rows, at least 1.
    pub height: u32,
    /// `width * height * 3` bytes.
    pub rgb: Vec<u8>,
}

/// Width, height and bytes that do not belong together.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{width}x{height} pixels need {needed} bytes of RGB, not {given}")]
pub struct PixelsError {
    /// Columns asked for.
    pub width: u32,
    /// Rows asked for.
    pub height: u32,
    /// Bytes that many pixels take; 0 stands for a side of 0, which has no pixels.
    pub needed: u64,
    /// Bytes given.
    pub given: u64,
}

impl Pixels {
    /// Takes `width * height * 3` bytes of interleaved RGB.
    ///
    /// # Errors
    /// When a side is 0 or the bytes are not exactly that many.
    pub fn new(width: u32, height: u32, rgb: Vec<u8>) -> Result<Self, PixelsError> {
        let needed = u64::from(width) * u64::from(height) * 3;
        let given = rgb.len() as u64;
        if needed == 0 || needed != given {
            return Err(PixelsError {
                width,
                height,
                needed,
                given,
            });
        }
        Ok(Self { width, height, rgb })
    }

    /// The three bytes at column `x`, row `y`, or `None` outside the picture.
    pub fn get(&self, x: u32, y: u32) -> Option<[u8; 3]> {
        if x >= self.width || y >= self.height {
            return None;
        }
        let at = (y as usize * self.width as usize + x as usize) * 3;
        self.rgb.get(at..at + 3)?.try_into().ok()
    }
}

// The bytes of a picture are of no use in a log line.
impl std::fmt::Debug for Pixels {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Pixels({}x{})", self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_must_fit_the_sides() {
        assert!(Pixels::new(2, 1, vec![0; 6]).is_ok());
        assert!(Pixels::new(2, 1, vec![0; 5]).is_err());
        assert!(Pixels::new(0, 7, Vec::new()).is_err());
        let refused = Pixels::new(4, 4, vec![0; 3]).unwrap_err();
        assert_eq!(refused.needed, 48);
    }

    #[test]
    fn a_pixel_is_found_by_column_and_row() {
        let pixels = Pixels::new(2, 2, (0..12).collect()).unwrap();
        assert_eq!(pixels.get(1, 1), Some([9, 10, 11]));
        assert_eq!(pixels.get(2, 0), None);
    }
}
