//! From settings to the engine's configuration.

use std::time::Duration;

use lookalike_engine::config::{EngineConfig, ManagerAccount, Synchronous};
use lookalike_engine::{FilterLimits, InstanceId, NameError, Secret};

use super::{ByteSize, Durability, Settings};

impl Settings {
    /// The engine's configuration; fails on an instance id that cannot be one.
    pub fn engine_config(&self) -> Result<EngineConfig, NameError> {
        let limits = &self.limits;
        let mut config = EngineConfig::new(self.data_location());
        if !self.instances.is_empty() {
            config.instances = Some(
                self.instances
                    .iter()
                    .map(InstanceId::new)
                    .collect::<Result<_, _>>()?,
            );
        }
        config.managers = self
            .managers
            .iter()
            .map(|manager| ManagerAccount {
                account: manager.name.clone(),
                password: Secret::new(manager.password.as_str()),
            })
            .collect();

        config.synchronous = match self.durability {
            Durability::Full => Synchronous::Full,
            Durability::Normal => Synchronous::Normal,
            Durability::Off => Synchronous::Off,
        };
        config.exact_photos = self.exact_photos;
        config.limits.enforce_model_image_bytes = !self.ignore_model_image_bytes;
        config.limits.max_query_text_bytes = to_usize(limits.max_query_text_bytes);
        config.limits.max_rows_bytes = to_usize(limits.max_rows_bytes);
        config.limits.filter = FilterLimits {
            max_bytes: to_usize(limits.max_filter_bytes),
            max_terms: limits.max_filter_terms as usize,
            max_depth: limits.max_filter_depth as usize,
        };
        config.limits.max_metadata_bytes = to_usize(limits.max_metadata_bytes);
        config.limits.max_chunks = limits.max_chunks as usize;
        config.limits.max_error_chars = limits.max_error_chars as usize;
        config.limits.max_document_bytes = limits.max_document_bytes.0;
        config.limits.max_stored_bytes = limits.max_stored_bytes.map(|size| size.0);
        config.limits.max_concurrent_queries = limits.max_concurrent_queries as usize;
        config.limits.max_unfinished_jobs = limits.max_unfinished_jobs;
        config.limits.image.max_bytes = limits.max_document_bytes.0;
        config.limits.image.max_pixels = limits.max_pixels;
        config.limits.image.max_side = limits.max_side;
        config.limits.image.max_decoded_bytes = limits.max_decoded_bytes.0;
        config.limits.archive.max_images = limits.max_images;
        config.limits.archive.max_members = limits.max_members;
        config.limits.archive.max_member_bytes = limits.max_member_bytes.0;
        config.limits.archive.max_total_bytes = limits.max_total_bytes.0;
        config.limits.archive.max_ratio = limits.max_ratio;

        config.jobs.workers = self.job_workers as usize;
        config.jobs.max_attempts = limits.max_attempts;
        config.jobs.keep_good_members = self.keep_good_members;
        config.jobs.drain_timeout = Duration::from_secs(limits.drain_seconds);
        config.fetch.allow_private_urls = self.allow_private_urls;
        config.fetch.timeout = Duration::from_secs(limits.fetch_timeout_seconds);
        config.fetch.max_redirects = limits.max_redirects as usize;
        config.retention.uploads = Duration::from_secs(limits.upload_retention_hours * 3600);
        config.retention.orphaned_jobs = Duration::from_secs(limits.orphaned_job_hours * 3600);
        Ok(config)
    }
}

/// A size that bounds something in memory, where more than memory can have is no bound either way.
fn to_usize(size: ByteSize) -> usize {
    usize::try_from(size.0).unwrap_or(usize::MAX)
}
