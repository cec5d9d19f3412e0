//! An engine with one collection, and photos to fill it with: what the measurements through the engine start from.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lookalike_embed::{Device, Models, ModelsConfig, Precision, ServedModel};
use lookalike_engine::{
    CollectionName, DataLocation, Engine, EngineConfig, FileName, InstanceId, JobId, JobStatus,
    ManagerAccess, NamespaceAccess, NamespaceName, NewCollection, ObjectKey, QueryContent, Secret,
    Source, SplitOptions, SubmitUpload,
};

/// Which model, on how many threads.
#[derive(Debug, clap::Args)]
pub struct ModelArguments {
    /// Folder of a CLIP; the built-in encoder without it
    #[arg(long)]
    pub model: Option<PathBuf>,
    /// The model's name in the API
    #[arg(long, default_value = "clip-vit-b-32")]
    name: String,
    /// Threads that embed
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Number format; by default what the server would take
    #[arg(long)]
    precision: Option<Precision>,
}

/// See the module.
pub struct House {
    pub engine: Engine,
    pub model: ServedModel,
    access: NamespaceAccess,
    collection: CollectionName,
}

impl House {
    /// Keeps its data in `folder`.
    pub async fn open(arguments: &ModelArguments, folder: &Path) -> Result<Self> {
        let default = ModelsConfig::default();
        let paths = arguments.model.iter().cloned();
        let models = Models::open(ModelsConfig {
            paths: paths.map(|path| (arguments.name.clone(), path)).collect(),
            threads: arguments.threads,
            precision: arguments.precision.unwrap_or(default.precision),
            device: Device::Cpu,
            ..default
        })?;
        let model = models.resolve(&arguments.name, None)?;
        let config = EngineConfig::new(DataLocation::Folder(folder.to_owned()));
        let engine = Engine::open(config, models).await?;
        engine.wait_ready().await;

        let instance = InstanceId::new("gp-bench")?;
        let manager = ManagerAccess {
            instance: instance.clone(),
            account: "bench".to_owned(),
            password: Secret::new("Bench-2026"),
        };
        let access = NamespaceAccess {
            instance,
            namespace: NamespaceName::default(),
            password: Secret::new("Bench-2026"),
        };
        let collection = CollectionName::new("photos")?;
        engine.init_vector_database(&manager).await?;
        engine
            .create_namespace(&manager, &access.namespace, &access.password)
            .await?;
        let new = NewCollection {
            embedding_model: Some(arguments.name.clone()),
            ..NewCollection::new(NamespaceName::default(), collection.clone())
        };
        engine.create_document_collection(&manager, &new).await?;
        Ok(Self {
            engine,
            model,
            access,
            collection,
        })
    }

    /// Takes an archive in and begins to index it.
    pub async fn submit(&self, name: &str, archive: Vec<u8>) -> Result<JobId> {
        let key = ObjectKey::new(format!("bench/{name}"))?;
        self.engine.put_upload(&key, archive.into()).await?;
        let upload = SubmitUpload {
            collection: self.collection.clone(),
            file_name: FileName::new(name)?,
            source: Source::Object(key),
            metadata: serde_json::Map::new(),
            dry_run: false,
            splitting: SplitOptions::default(),
        };
        Ok(self.engine.submit_upload(&self.access, &upload).await?)
    }

    /// Whether a job has ended; an error if it failed.
    pub async fn is_done(&self, id: &JobId) -> Result<bool> {
        let job = self.engine.job(&self.access, &self.collection, id).await?;
        if !job.status.is_finished() {
            return Ok(false);
        }
        ensure!(
            job.status == JobStatus::Success,
            "the upload ended as {:?}: {:?}",
            job.status,
            job.failure
        );
        Ok(true)
    }

    /// Waits for a job's end. Every look at it takes a fifth of a millisecond from the job.
    pub async fn done(&self, id: &JobId) -> Result<()> {
        while !self.is_done(id).await? {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    pub async fn search(&self, text: &str) -> Result<()> {
        let query = QueryContent {
            text: Some(text.to_owned()),
            ..QueryContent::new(self.collection.clone())
        };
        self.engine.query(&self.access, &query).await?;
        Ok(())
    }
}

/// The JPEGs of a folder and of the folders in it, in the order of their paths.
pub fn photos(folder: &Path) -> Result<Vec<Vec<u8>>> {
    let mut paths = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| {
                extension.eq_ignore_ascii_case("jpg") || extension.eq_ignore_ascii_case("jpeg")
            }) {
                paths.push(path);
            }
        }
    }
    paths.sort();
    ensure!(!paths.is_empty(), "no JPEG in {}", folder.display());
    paths.iter().map(|path| Ok(fs_err::read(path)?)).collect()
}

/// A tar archive (POSIX ustar) of `count` photos, from the first again when they do not suffice.
pub fn tar(photos: &[Vec<u8>], count: usize) -> Result<Vec<u8>> {
    let mut archive = Vec::new();
    for (i, content) in photos.iter().cycle().take(count).enumerate() {
        let name = format!("{i}.jpg");
        if content.len() > 0o7_777_777_777 {
            bail!("{name} is larger than tar can say");
        }
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..107].copy_from_slice(b"0000644");
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[136..147].copy_from_slice(b"00000000000");
        header[148..156].copy_from_slice(b"        ");
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        archive.extend_from_slice(&header);
        archive.extend_from_slice(content);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    Ok(archive)
}

/// Runs a measurement with a folder that is removed behind it.
pub fn within<T>(measure: impl AsyncFnOnce(&Path) -> Result<T>) -> Result<T> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(measure(folder.path()))
}
