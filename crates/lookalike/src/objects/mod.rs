//! The object store's side: the form that takes local files in, the signed links that give stored files out.
//!
//! Everything here answers in XML when it refuses, as the cloud's store does. What goes out was once uploaded
//! by someone, so every answer with stored bytes carries headers that keep a browser from running them.

pub mod get;
pub mod keys;
pub mod links;
pub mod post;
pub mod range;
