//! What convolutional networks need beside matrix products: windows over images whose
//! pixels are rows of channels, image after image; and the passes of a picture's resize.

mod depthwise;
mod pooling;
pub mod resample;
mod unfold;
mod window;

pub use depthwise::Depthwise;
pub use pooling::{average_pool, mean_rows};
pub use unfold::Unfold;
pub use window::{Grid, Padding, Window};
