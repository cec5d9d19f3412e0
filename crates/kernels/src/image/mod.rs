//! What convolutional networks need beside matrix products: windows over images whose
//! pixels are rows of channels, image after image.

mod depthwise;
mod pooling;
mod unfold;
mod window;

pub use depthwise::Depthwise;
pub use pooling::{average_pool, mean_rows};
pub use unfold::Unfold;
pub use window::{Grid, Padding, Window};
