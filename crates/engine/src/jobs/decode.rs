//! One member of an upload: bytes to a picture that is checked, stored and ready to be embedded.
//!
//! Called by [`super::ingest`] for many members at once, on threads that may block. A decoder that
//! panics costs its member, not the server.

use std::sync::Arc;

use lookalike_embed::{PreparedImage, ServedModel, give_way};
use lookalike_media::{ImageFormat, ImageLimits, Member, Picture};

use super::{EntryFailure, commit::Indexed, source::Unpacked};
use crate::{
    cpu::{Cpu, Lane},
    error::EngineError,
    name::FileName,
    objects::{Objects, Pinned},
};

/// What decoding needs to know of its job.
pub(crate) struct Decoder {
    pub(crate) model: ServedModel,
    pub(crate) limits: ImageLimits,
    pub(crate) objects: Arc<Objects>,
    /// The original, when it is stored already; else each member becomes an object of its own.
    pub(crate) stored: Option<Arc<Pinned>>,
    pub(crate) dry_run: bool,
    /// Whether large photos are decoded in full before they are resized.
    pub(crate) exact_photos: bool,
}

/// A picture on its way to the model.
pub(crate) struct Decoded {
    image: Indexed,
    /// `None` in a dry run.
    prepared: Option<PreparedImage>,
}

impl Decoded {
    pub(crate) fn split(self) -> (Indexed, Option<PreparedImage>) {
        (self.image, self.prepared)
    }
}

/// Why there is no picture.
pub(crate) enum Refusal {
    /// The member's fault.
    Entry(EntryFailure),
    /// Not the member's fault: the disk is full, say.
    Job(EngineError),
}

/// A picture that is decoded and not stored yet.
struct Seen {
    file_name: FileName,
    bytes: Vec<u8>,
    md5: [u8; 16],
    format: ImageFormat,
    width: u32,
    height: u32,
    prepared: Option<PreparedImage>,
}

impl Decoder {
    /// Decodes, then stores the original, on threads that may block: the disk keeps no core waiting.
    pub(crate) async fn decode(
        self: Arc<Self>,
        cpu: &Cpu,
        unpacked: Unpacked,
    ) -> Result<Decoded, Refusal> {
        let name = unpacked.member.name.clone();
        let decoder = Arc::clone(&self);
        let decode = move || decoder.decode_blocking(unpacked);
        let seen = shielded(cpu.run(Lane::Ingest, decode).await, &name)?;
        let store = move || self.store_blocking(seen);
        shielded(cpu.run(Lane::Storage, store).await, &name)
    }

    fn decode_blocking(&self, unpacked: Unpacked) -> Result<Seen, Refusal> {
        let Unpacked { member, md5 } = unpacked;
        let Member { name, content } = member;
        let bytes = match content {
            Ok(bytes) => bytes,
            Err(error) => return Err(refused(name, "unpack", &error)),
        };
        let file_name = match FileName::new(name.clone()) {
            Ok(file_name) => file_name,
            Err(error) => return Err(refused(name, "unpack", &error)),
        };
        let size = self.model.decode_size(self.exact_photos);
        let Picture {
            pixels,
            format,
            width,
            height,
        } = match lookalike_media::decode_sized(&bytes, &self.limits, size) {
            Ok(picture) => picture,
            Err(error) => return Err(refused(name, "decode", &error)),
        };
        give_way();
        let prepared = (!self.dry_run).then(|| self.model.prepare(&pixels));
        Ok(Seen {
            file_name,
            bytes,
            md5,
            format,
            width,
            height,
            prepared,
        })
    }

    fn store_blocking(&self, seen: Seen) -> Result<Decoded, Refusal> {
        let size = seen.bytes.len() as u64;
        let object = if self.dry_run || self.stored.is_some() {
            self.stored.clone()
        } else {
            Some(Arc::new(self.write(seen.bytes).map_err(Refusal::Job)?))
        };
        let image = Indexed {
            file_name: seen.file_name,
            object,
            md5: seen.md5,
            size,
            format: seen.format,
            width: seen.width,
            height: seen.height,
            vector: Vec::new(),
        };
        Ok(Decoded {
            image,
            prepared: seen.prepared,
        })
    }

    fn write(&self, bytes: Vec<u8>) -> Result<Pinned, EngineError> {
        let mut writer = self.objects.writer_blocking(self.limits.max_bytes)?;
        writer.write_blocking(&bytes)?;
        // Many may wait for the disk now, in little memory.
        drop(bytes);
        writer.finish_blocking()
    }
}

/// A panic costs the member, not the server.
fn shielded<T>(
    outcome: Result<Result<T, Refusal>, EngineError>,
    member: &str,
) -> Result<T, Refusal> {
    outcome.unwrap_or_else(|panic| {
        tracing::error!(
            error = &panic as &dyn std::error::Error,
            member,
            "decoding panicked"
        );
        Err(refused(
            member.to_owned(),
            "decode",
            &"the decoder failed on it, which is a defect of this program",
        ))
    })
}

fn refused(entry: String, stage: &str, why: &impl ToString) -> Refusal {
    Refusal::Entry(EntryFailure {
        entry,
        stage: stage.to_owned(),
        message: why.to_string(),
    })
}
