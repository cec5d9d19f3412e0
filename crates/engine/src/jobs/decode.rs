//! One member of an upload: bytes to a picture that is checked, stored and ready to be embedded.
//!
//! Called by [`super::ingest`] for many members at once, on threads that may block. A decoder that
//! panics costs its member, not the server.

use std::sync::Arc;

use lookalike_embed::{PreparedImage, ServedModel};
use lookalike_media::{ImageLimits, Member, Picture};
use md5::{Digest as _, Md5};

use super::{EntryFailure, commit::Indexed};
use crate::{
    cpu::{Cpu, Lane},
    error::EngineError,
    name::FileName,
    objects::{Objects, Pinned, Written},
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

impl Decoder {
    /// Decodes on a thread that may block.
    pub(crate) async fn decode(
        self: Arc<Self>,
        cpu: &Cpu,
        member: Member,
    ) -> Result<Decoded, Refusal> {
        let name = member.name.clone();
        match cpu
            .run(Lane::Ingest, move || self.decode_blocking(member))
            .await
        {
            Ok(outcome) => outcome,
            Err(panic) => {
                tracing::error!(
                    error = &panic as &dyn std::error::Error,
                    member = name,
                    "decoding panicked"
                );
                Err(refused(
                    name,
                    "decode",
                    &"the decoder failed on it, which is a defect of this program",
                ))
            }
        }
    }

    fn decode_blocking(&self, member: Member) -> Result<Decoded, Refusal> {
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
        let object = if self.dry_run {
            None
        } else {
            Some(self.store_blocking(&bytes)?)
        };
        let image = Indexed {
            file_name,
            object,
            md5: Md5::digest(&bytes).into(),
            size: bytes.len() as u64,
            format,
            width,
            height,
            vector: Vec::new(),
        };
        let prepared = (!self.dry_run).then(|| self.model.prepare(&pixels));
        Ok(Decoded { image, prepared })
    }

    fn store_blocking(&self, bytes: &[u8]) -> Result<Arc<Pinned>, Refusal> {
        if let Some(stored) = &self.stored {
            return Ok(Arc::clone(stored));
        }
        let store = || {
            let mut writer = self.objects.writer_blocking(self.limits.max_bytes)?;
            writer.write_blocking(bytes)?;
            let Written { object, .. } = writer.finish_blocking()?;
            Ok(Arc::new(object))
        };
        store().map_err(Refusal::Job)
    }
}

fn refused(entry: String, stage: &str, why: &impl ToString) -> Refusal {
    Refusal::Entry(EntryFailure {
        entry,
        stage: stage.to_owned(),
        message: why.to_string(),
    })
}
