//! From settings to the engine's configuration.

use std::time::Duration;

use lookalike_engine::config::{EngineConfig, ManagerAccount};
use lookalike_engine::{InstanceId, NameError, Secret};

use super::Settings;

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

        config.jobs.keep_good_members = self.keep_good_members;
        config.jobs.drain_timeout = Duration::from_secs(limits.drain_seconds);
        config.fetch.allow_private_urls = self.allow_private_urls;
        config.fetch.timeout = Duration::from_secs(limits.fetch_timeout_seconds);
        config.fetch.max_redirects = limits.max_redirects as usize;
        config.retention.uploads = Duration::from_secs(limits.upload_retention_hours * 3600);
        Ok(config)
    }
}
