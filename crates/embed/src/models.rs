//! Every model name of the contract, and which encoder answers for it.
//!
//! A name that the configuration gives weights for is served by them; every other image model is served by the built-in
//! encoder, every other text model by the built-in table of words, as stand-ins that say so. Loading happens in [`Models::open`], before the server is ready; nothing is
//! loaded later, so a query never waits for a file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use lookalike_kernels::{Gate, Precision, dispatch};
use lookalike_media::Pixels;
use moka::sync::Cache;

use crate::batcher::{BatchLimits, Batcher};
use crate::bert::{self, Bert};
use crate::builtin::{Builtin, BuiltinText};
use crate::catalogue::{Architecture, Catalogue, ModelEntry, ModelKind};
use crate::clip::{Clip, ClipShape, TowerShape};
use crate::device::{Backend, Device, default_precision};
use crate::encoder::{Encoder, EncoderInfo};
use crate::error::{EmbedError, LoadError, ModelError};
use crate::machines::Machines;
use crate::served::{Loaded, ServedModel, label};
use crate::vector::Lift;

/// Larger batches gain nothing on a CPU and keep queries waiting.
const MAX_BATCH_INPUTS: usize = 8;
/// What [`Machine::new`] takes.
const MAX_THREADS: usize = 1024;
/// Side of a picture that a model is tried with, and its bytes.
const TRIAL_SIDE: u32 = 32;
const TRIAL_BYTES: usize = (TRIAL_SIDE * TRIAL_SIDE * 3) as usize;
const INGEST_WAIT: Duration = Duration::from_millis(2);

/// What to load and how much to spend on it.
#[derive(Debug, Clone)]
pub struct ModelsConfig {
    /// Model names with the folder of their weights, as in `--model NAME=PATH`. The last one given for a name counts.
    pub paths: Vec<(String, PathBuf)>,
    /// Threads that compute embeddings; 0 means one a core.
    pub threads: usize,
    /// Texts whose vectors are remembered, for each encoder; 0 remembers none.
    pub text_cache_entries: u64,
    /// What CLIP computes in: bf16 where the processor has products for it, else f32. The built-in encoder is always
    /// f32. Vectors of different precisions have different fingerprints, and so do not meet in a collection.
    pub precision: Precision,
    /// What CLIP runs on.
    pub device: Device,
}

impl Default for ModelsConfig {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            threads: 0,
            text_cache_entries: 1024,
            precision: default_precision(dispatch::cpu()),
            device: Device::Cpu,
        }
    }
}

/// The models of a server. Clones share everything.
#[derive(Clone)]
pub struct Models {
    inner: Arc<Inner>,
}

struct Inner {
    catalogue: Catalogue,
    machines: Arc<Machines>,
    builtin: Arc<Loaded>,
    builtin_text: Arc<Loaded>,
    own: HashMap<String, Arc<Loaded>>,
    /// By dimensions from and to. Built when first asked for: the largest is 5 MB.
    lifts: Mutex<HashMap<(u32, u32), Arc<Lift>>>,
}

/// A model of the contract and who serves it.
#[derive(Debug, Clone)]
pub struct ModelStatus {
    /// The contract's side.
    pub entry: ModelEntry,
    /// Who answers for it.
    pub encoder: EncoderInfo,
    /// Whether that encoder is another model than the name says.
    pub stand_in: bool,
    /// One line on who answers in the default dimension, for people.
    pub label: String,
    /// The dimensions that the encoder can serve, default first.
    pub dimensions: Vec<u32>,
}

impl Models {
    /// Loads the built-in encoder and all weights that the configuration names. Blocks: some 50 ms for the built-in one, and
    /// about a second for each gigabyte of weights.
    ///
    /// # Errors
    /// [`ModelError`] for an unknown name, for weights that cannot be loaded, and for weights of another model.
    pub fn open(config: ModelsConfig) -> Result<Self, ModelError> {
        let catalogue = Catalogue::embedded();
        let runtime = Runtime::new(&config)?;
        let mut own = HashMap::new();
        for (name, path) in config.paths {
            let encoder: Arc<dyn Encoder> = match entry_of(&catalogue, &name)? {
                entry if entry.kind == ModelKind::Text => {
                    let bert = load_bert(&name, &path, &runtime.backend)?;
                    check_text_weights(entry, &path, &bert)?;
                    Arc::new(bert)
                }
                entry => {
                    let clip = load_clip(&name, &path, &runtime.backend)?;
                    check_weights(entry, &path, &clip)?;
                    Arc::new(clip)
                }
            };
            own.insert(name.clone(), runtime.load_tried(&name, encoder)?);
        }
        let builtin = runtime.load(crate::builtin::NAME, Arc::new(Builtin::load()))?;
        let builtin_text =
            runtime.load(crate::builtin::TEXT_NAME, Arc::new(BuiltinText::load()))?;
        Ok(Self {
            inner: Arc::new(Inner {
                catalogue,
                machines: Arc::clone(&runtime.machines),
                builtin,
                builtin_text,
                own,
                lifts: Mutex::default(),
            }),
        })
    }

    /// To be held while somebody waits for an answer: what is ingested meanwhile stops.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.inner.machines.gate
    }

    /// Every model of the contract in the catalogue's order, with who serves it.
    pub fn list(&self) -> Vec<ModelStatus> {
        self.inner
            .catalogue
            .entries()
            .iter()
            .map(|entry| self.status(entry))
            .collect()
    }

    /// The catalogue entry of a name, served or not.
    pub fn find(&self, model: &str) -> Option<&ModelEntry> {
        self.inner.catalogue.find(model)
    }

    /// The model of a collection. Without a dimension it gets the contract's default.
    ///
    /// # Errors
    /// [`ModelError`] for an unknown name, a dimension that the contract does not offer, and one that the
    /// stand-in cannot be lifted to. The message names the valid choices.
    pub fn resolve(&self, model: &str, dimension: Option<u32>) -> Result<ServedModel, ModelError> {
        let entry = entry_of(&self.inner.catalogue, model)?;
        let dimension = dimension.unwrap_or(entry.default_dimension());
        if !entry.dimensions.contains(&dimension) {
            return Err(ModelError::Dimension {
                name: entry.name.clone(),
                asked: dimension,
                allowed: entry.dimensions.clone(),
            });
        }
        let (loaded, stand_in) = self.server_of(entry);
        let native = loaded.encoder.info().dimension;
        if dimension < native {
            return Err(ModelError::TooSmallForStandIn {
                name: entry.name.clone(),
                asked: dimension,
                encoder: loaded.encoder.info().name.clone(),
                native,
                possible: servable(entry, native),
            });
        }
        Ok(ServedModel::new(
            entry.name.clone(),
            dimension,
            stand_in,
            self.lift(native, dimension),
            Arc::clone(loaded),
        ))
    }

    /// The same where nothing but a text model will do.
    ///
    /// # Errors
    /// [`ModelError::ImageModel`], too; the text models are the valid choices.
    pub fn resolve_text(
        &self,
        model: &str,
        dimension: Option<u32>,
    ) -> Result<ServedModel, ModelError> {
        let catalogue = &self.inner.catalogue;
        let valid = || catalogue.names_of(ModelKind::Text);
        match catalogue.find(model).map(|entry| entry.kind) {
            Some(ModelKind::Text) => self.resolve(model, dimension),
            Some(ModelKind::Image) => Err(ModelError::ImageModel {
                name: model.to_owned(),
                valid: valid(),
            }),
            None => Err(ModelError::Unknown {
                name: model.to_owned(),
                valid: valid(),
            }),
        }
    }

    /// The built-in encoder under its own name and in its own dimension; no model of the contract.
    pub fn builtin(&self) -> ServedModel {
        let loaded = &self.inner.builtin;
        let info = loaded.encoder.info();
        ServedModel::new(
            info.name.clone(),
            info.dimension,
            false,
            None,
            Arc::clone(loaded),
        )
    }

    fn status(&self, entry: &ModelEntry) -> ModelStatus {
        let (loaded, stand_in) = self.server_of(entry);
        let info = loaded.encoder.info();
        ModelStatus {
            entry: entry.clone(),
            encoder: info.clone(),
            stand_in,
            label: label(info, stand_in, entry.default_dimension()),
            dimensions: servable(entry, info.dimension),
        }
    }

    /// Who answers for a model, and whether as a stand-in.
    fn server_of(&self, entry: &ModelEntry) -> (&Arc<Loaded>, bool) {
        match (self.inner.own.get(&entry.name), entry.kind) {
            (Some(loaded), _) => (loaded, entry.architecture.is_none()),
            (None, ModelKind::Image) => (&self.inner.builtin, true),
            (None, ModelKind::Text) => (&self.inner.builtin_text, true),
        }
    }

    fn lift(&self, from: u32, to: u32) -> Option<Arc<Lift>> {
        if from == to {
            return None;
        }
        let mut lifts = self
            .inner
            .lifts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(
            lifts
                .entry((from, to))
                .or_insert_with(|| Arc::new(Lift::new(from, to))),
        ))
    }
}

/// Opens a folder of weights, a CLIP's or a BERT's, under its own path, outside the contract: for `lookalike embed --model PATH`.
///
/// # Errors
/// [`ModelError::Load`].
pub fn open_folder(path: &Path, config: &ModelsConfig) -> Result<ServedModel, ModelError> {
    let name = path.display().to_string();
    let runtime = Runtime::new(config)?;
    let encoder: Arc<dyn Encoder> = if bert::is_bert(path) {
        Arc::new(load_bert(&name, path, &runtime.backend)?)
    } else {
        Arc::new(load_clip(&name, path, &runtime.backend)?)
    };
    let dimension = encoder.info().dimension;
    let loaded = runtime.load_tried(&name, encoder)?;
    Ok(ServedModel::new(name, dimension, false, None, loaded))
}

/// Opens a folder of CLIP weights without the thread and the queue that serve it: for measurements, which bring their own
/// threads. `config.threads` and the cache do not matter.
///
/// # Errors
/// [`ModelError::Load`].
pub fn open_encoder(path: &Path, config: &ModelsConfig) -> Result<Arc<dyn Encoder>, ModelError> {
    let backend = backend(config, 1)?;
    Ok(Arc::new(load_clip(
        &path.display().to_string(),
        path,
        &backend,
    )?))
}

/// The built-in encoder, likewise.
pub fn open_builtin() -> Arc<dyn Encoder> {
    Arc::new(Builtin::load())
}

/// What all encoders share.
struct Runtime {
    machines: Arc<Machines>,
    limits: BatchLimits,
    text_cache_entries: u64,
    backend: Backend,
}

impl Runtime {
    fn new(config: &ModelsConfig) -> Result<Self, ModelError> {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        let threads = match config.threads {
            0 => cores(),
            threads => threads,
        }
        .min(MAX_THREADS);
        let limits = BatchLimits {
            max_inputs: MAX_BATCH_INPUTS,
            ingest_wait: INGEST_WAIT,
        };
        Ok(Self {
            machines: Arc::new(Machines::new(dispatch::cpu(), threads)),
            limits,
            text_cache_entries: config.text_cache_entries,
            backend: backend(config, threads)?,
        })
    }

    /// Loads weights and puts a picture and a text through them, so that the first caller does not wait for memory to be
    /// made, and a model that cannot work is refused now. The built-in encoders are not tried: they are tested, and a
    /// picture would cost a tenth of the server's start.
    fn load_tried(&self, name: &str, encoder: Arc<dyn Encoder>) -> Result<Arc<Loaded>, ModelError> {
        self.trial(&*encoder).map_err(|error| ModelError::Load {
            name: name.to_owned(),
            source: LoadError::Trial(error),
        })?;
        self.load(name, encoder)
    }

    fn trial(&self, encoder: &dyn Encoder) -> Result<(), EmbedError> {
        let machine = &self.machines.query;
        if encoder.kind() == ModelKind::Image {
            let blank = Pixels::new(TRIAL_SIDE, TRIAL_SIDE, vec![0; TRIAL_BYTES]);
            let blank = encoder.prepare(&blank.expect("the bytes fit the sides"));
            encoder.embed_images(machine, &[blank])?;
        }
        encoder.embed_texts(machine, &["a photo"])?;
        Ok(())
    }

    fn load(&self, name: &str, encoder: Arc<dyn Encoder>) -> Result<Arc<Loaded>, ModelError> {
        let batcher = Batcher::start(&encoder, &self.machines, self.limits).map_err(|source| {
            ModelError::Load {
                name: name.to_owned(),
                source,
            }
        })?;
        let texts = Cache::new(self.text_cache_entries);
        Ok(Arc::new(Loaded {
            encoder,
            batcher,
            texts,
        }))
    }
}

fn backend(config: &ModelsConfig, threads: usize) -> Result<Backend, ModelError> {
    Ok(Backend {
        device: config.device,
        opened: config.device.open()?,
        precision: config.precision,
        cpu: dispatch::cpu(),
        threads,
    })
}

fn load_clip(name: &str, path: &Path, backend: &Backend) -> Result<Clip, ModelError> {
    Clip::open(path, backend).map_err(|source| ModelError::Load {
        name: name.to_owned(),
        source,
    })
}

fn load_bert(name: &str, path: &Path, backend: &Backend) -> Result<Bert, ModelError> {
    Bert::open(path, backend).map_err(|source| ModelError::Load {
        name: name.to_owned(),
        source,
    })
}

fn entry_of<'a>(catalogue: &'a Catalogue, name: &str) -> Result<&'a ModelEntry, ModelError> {
    catalogue.find(name).ok_or_else(|| ModelError::Unknown {
        name: name.to_owned(),
        valid: catalogue.names(),
    })
}

/// Dimensions of a model that an encoder of `native` dimensions reaches without loss.
fn servable(entry: &ModelEntry, native: u32) -> Vec<u32> {
    entry
        .dimensions
        .iter()
        .copied()
        .filter(|&dimension| dimension >= native)
        .collect()
}

/// Refuses weights that are another model than the name says.
fn check_weights(entry: &ModelEntry, path: &Path, clip: &Clip) -> Result<(), ModelError> {
    match misfit(entry, clip.shape(), clip.info().dimension) {
        None => Ok(()),
        Some(detail) => Err(ModelError::WrongWeights {
            name: entry.name.clone(),
            path: path.to_owned(),
            detail,
        }),
    }
}

/// The same for texts: public models are known by their dimension, others take whatever can be lifted to theirs.
fn check_text_weights(entry: &ModelEntry, path: &Path, bert: &Bert) -> Result<(), ModelError> {
    match text_misfit(entry, bert.info().dimension) {
        None => Ok(()),
        Some(detail) => Err(ModelError::WrongWeights {
            name: entry.name.clone(),
            path: path.to_owned(),
            detail,
        }),
    }
}

/// How weights of a text model differ from the one that a name stands for, if they do.
pub(crate) fn text_misfit(entry: &ModelEntry, dimension: u32) -> Option<String> {
    let fits = match entry.architecture {
        Some(_) => dimension == entry.default_dimension(),
        None => !servable(entry, dimension).is_empty(),
    };
    (!fits).then(|| {
        format!(
            "their vectors have {dimension} dimensions, the model's {}",
            entry.default_dimension()
        )
    })
}

/// How weights differ from the model that a name stands for, if they do. A name without public weights takes any CLIP
/// whose vectors can be lifted to it.
pub(crate) fn misfit(entry: &ModelEntry, shape: ClipShape, dimension: u32) -> Option<String> {
    let Some(architecture) = entry.architecture else {
        return servable(entry, dimension).is_empty().then(|| {
            format!(
                "their vectors have {dimension} dimensions, more than any that the model offers"
            )
        });
    };
    let expected = match architecture {
        Architecture::ClipVit {
            image_size,
            patch_size,
        } => ClipShape {
            image_size,
            tower: TowerShape::Vit { patch_size },
        },
        Architecture::ClipResnet { image_size, blocks } => ClipShape {
            image_size,
            tower: TowerShape::Resnet { blocks },
        },
        Architecture::Bert => return Some("they are a CLIP, the model is a BERT".to_owned()),
    };
    if shape != expected {
        return Some(format!("they see {shape}, the model {expected}"));
    }
    (dimension != entry.default_dimension()).then(|| {
        format!(
            "their vectors have {dimension} dimensions, the model's {}",
            entry.default_dimension()
        )
    })
}
