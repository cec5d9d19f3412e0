//! The batcher with a model that writes down what it is given and stops where a test tells it to.

use std::sync::mpsc;

use lookalike_kernels::{Cpu, Precision};
use lookalike_media::Pixels;
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::encoder::EncoderInfo;

const PANIC: u8 = 13;

/// Answers with its input; picture and text are told apart by their first byte.
struct Recorder {
    info: EncoderInfo,
    /// What each call was given.
    calls: Mutex<Vec<Vec<u8>>>,
    /// Tells that a call has begun.
    begun: mpsc::Sender<()>,
    /// A call goes on when the test sends something, to each thread apart.
    query_gate: Mutex<mpsc::Receiver<()>>,
    ingest_gate: Mutex<mpsc::Receiver<()>>,
}

impl Recorder {
    fn record(&self, inputs: &[u8]) {
        self.calls.lock().unwrap().push(inputs.to_vec());
        self.begun.send(()).unwrap();
        let gate = match thread::current().name() {
            Some(QUERY_THREAD) => &self.query_gate,
            Some(INGEST_THREAD) => &self.ingest_gate,
            other => panic!("a call on thread {other:?}"),
        };
        gate.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv()
            .unwrap();
        assert!(!inputs.contains(&PANIC), "input {PANIC}");
    }
}

impl Encoder for Recorder {
    fn info(&self) -> &EncoderInfo {
        &self.info
    }

    fn prepare(&self, pixels: &Pixels) -> PreparedImage {
        PreparedImage::new(1, pixels.clone())
    }

    fn embed_images(
        &self,
        _: &Machine,
        images: &[PreparedImage],
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        let inputs: Vec<u8> = images.iter().map(|image| image.rgb[0]).collect();
        self.record(&inputs);
        Ok(inputs.into_iter().map(|x| vec![f32::from(x)]).collect())
    }

    fn embed_texts(&self, _: &Machine, texts: &[&str]) -> Result<Vec<TextEmbedding>, EmbedError> {
        let inputs: Vec<u8> = texts.iter().map(|text| text.as_bytes()[0]).collect();
        self.record(&inputs);
        Ok(inputs
            .into_iter()
            .map(|x| TextEmbedding {
                vector: vec![f32::from(x)],
                tokens: 1,
            })
            .collect())
    }
}

/// A batcher, its recorder, and the two ends that steer it.
struct Stage {
    recorder: Arc<Recorder>,
    batcher: Arc<Batcher>,
    machines: Arc<Machines>,
    begun: mpsc::Receiver<()>,
    query_gate: mpsc::Sender<()>,
    ingest_gate: mpsc::Sender<()>,
    runtime: Runtime,
}

impl Stage {
    fn new(max_inputs: usize) -> Self {
        let (begun_sender, begun) = mpsc::channel();
        let (query_gate, query_receiver) = mpsc::channel();
        let (ingest_gate, ingest_receiver) = mpsc::channel();
        let info = EncoderInfo {
            name: "recorder".to_owned(),
            fingerprint: String::new(),
            dimension: 1,
            precision: Precision::F32,
        };
        let recorder = Arc::new(Recorder {
            info,
            calls: Mutex::default(),
            begun: begun_sender,
            query_gate: Mutex::new(query_receiver),
            ingest_gate: Mutex::new(ingest_receiver),
        });
        let encoder: Arc<dyn Encoder> = recorder.clone();
        let machines = Arc::new(Machines::new(Cpu::PORTABLE, 1));
        let limits = BatchLimits {
            max_inputs,
            ingest_wait: Duration::ZERO,
        };
        let batcher = Arc::new(Batcher::start(&encoder, &machines, limits).unwrap());
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        Self {
            recorder,
            batcher,
            machines,
            begun,
            query_gate,
            ingest_gate,
            runtime,
        }
    }

    /// Sends a request and returns once it stands in its line; the model must be occupied.
    fn images(
        &self,
        inputs: &[u8],
        priority: Priority,
    ) -> tokio::task::JoinHandle<Result<Vec<Vec<f32>>, EmbedError>> {
        let images = inputs
            .iter()
            .map(|&x| PreparedImage {
                side: 1,
                rgb: vec![x; 3],
            })
            .collect();
        let batcher = Arc::clone(&self.batcher);
        let before = self.requests();
        let task = self
            .runtime
            .spawn(async move { batcher.images(images, priority).await });
        self.wait_for_requests(before + 1);
        task
    }

    fn text(&self, text: &str) -> tokio::task::JoinHandle<Result<TextEmbedding, EmbedError>> {
        let (text, batcher) = (text.to_owned(), Arc::clone(&self.batcher));
        let before = self.requests();
        let task = self.runtime.spawn(async move { batcher.text(text).await });
        self.wait_for_requests(before + 1);
        task
    }

    fn requests(&self) -> usize {
        let lines = self.batcher.shared.lock();
        lines.texts.len() + lines.queries.len() + lines.ingest.len()
    }

    fn wait_for_requests(&self, count: usize) {
        while self.requests() < count {
            thread::yield_now();
        }
    }

    /// Gives an idle thread the picture 0, so that what follows has to wait in line.
    fn occupy(
        &self,
        priority: Priority,
    ) -> tokio::task::JoinHandle<Result<Vec<Vec<f32>>, EmbedError>> {
        let images = vec![PreparedImage {
            side: 1,
            rgb: vec![0; 3],
        }];
        let batcher = Arc::clone(&self.batcher);
        let task = self
            .runtime
            .spawn(async move { batcher.images(images, priority).await });
        self.begun.recv().unwrap();
        task
    }

    /// Lets this many calls of a thread through, one after another.
    fn run(&self, priority: Priority, calls: usize) {
        let gate = match priority {
            Priority::Query => &self.query_gate,
            Priority::Ingest => &self.ingest_gate,
        };
        for _ in 0..calls {
            gate.send(()).unwrap();
        }
    }

    fn calls(&self) -> Vec<Vec<u8>> {
        self.recorder.calls.lock().unwrap().clone()
    }
}

fn answer<T>(stage: &Stage, task: tokio::task::JoinHandle<T>) -> T {
    stage.runtime.block_on(task).unwrap()
}

#[test]
fn queries_do_not_wait_for_ingestion_and_hold_it_up() {
    let stage = Stage::new(2);
    let first = stage.occupy(Priority::Ingest);
    let ingest = stage.images(&[1, 2, 3], Priority::Ingest);
    let query = stage.occupy(Priority::Query);
    // Both are at work: what the ingesting one would compute now stops.
    let gate = Arc::clone(&stage.machines.gate);
    let passed = thread::spawn(move || gate.pass());
    thread::yield_now();
    assert!(!passed.is_finished());
    stage.run(Priority::Query, 1);
    assert_eq!(answer(&stage, query).unwrap(), [[0.0]]);
    passed.join().unwrap();
    stage.run(Priority::Ingest, 3);
    assert_eq!(answer(&stage, ingest).unwrap(), [[1.0], [2.0], [3.0]]);
    answer(&stage, first).unwrap();
    let expected = [vec![0], vec![0], vec![1, 2], vec![3]];
    assert_eq!(stage.calls(), expected);
}

#[test]
fn queries_keep_their_order() {
    let stage = Stage::new(2);
    let first = stage.occupy(Priority::Query);
    let texts: Vec<_> = ["a", "b"].map(|text| stage.text(text)).into();
    let query = stage.images(&[9], Priority::Query);
    let later = stage.text("z");
    stage.run(Priority::Query, 4);
    assert_eq!(answer(&stage, query).unwrap(), [[9.0]]);
    assert_eq!(answer(&stage, later).unwrap().vector, [122.0]);
    for text in texts {
        answer(&stage, text).unwrap();
    }
    answer(&stage, first).unwrap();
    let expected = [vec![0], vec![b'a', b'b'], vec![9], vec![b'z']];
    assert_eq!(stage.calls(), expected);
}

#[test]
fn small_requests_share_a_batch_and_a_large_one_is_cut() {
    let stage = Stage::new(3);
    let first = stage.occupy(Priority::Ingest);
    let small = stage.images(&[1], Priority::Ingest);
    let large = stage.images(&[2, 3, 4, 5, 6], Priority::Ingest);
    stage.run(Priority::Ingest, 3);
    assert_eq!(answer(&stage, small).unwrap(), [[1.0]]);
    assert_eq!(
        answer(&stage, large).unwrap(),
        [[2.0], [3.0], [4.0], [5.0], [6.0]]
    );
    answer(&stage, first).unwrap();
    assert_eq!(stage.calls(), [vec![0], vec![1, 2, 3], vec![4, 5, 6]]);
}

#[test]
fn abandoned_requests_never_reach_the_model() {
    let stage = Stage::new(4);
    let first = stage.occupy(Priority::Query);
    let (left, left_text) = (stage.images(&[1, 2], Priority::Query), stage.text("t"));
    left.abort();
    left_text.abort();
    assert!(stage.runtime.block_on(left).unwrap_err().is_cancelled());
    assert!(
        stage
            .runtime
            .block_on(left_text)
            .unwrap_err()
            .is_cancelled()
    );
    let stayed = stage.images(&[3], Priority::Query);
    stage.run(Priority::Query, 2);
    assert_eq!(answer(&stage, stayed).unwrap(), [[3.0]]);
    answer(&stage, first).unwrap();
    assert_eq!(stage.calls(), [vec![0], vec![3]]);
}

#[test]
fn panic_is_an_error_to_its_cause_only_and_the_thread_goes_on() {
    let stage = Stage::new(4);
    let first = stage.occupy(Priority::Ingest);
    let good = stage.images(&[1], Priority::Ingest);
    let bad = stage.images(&[PANIC], Priority::Ingest);
    // The occupying call, the batch that panics, and each of its two requests alone.
    stage.run(Priority::Ingest, 4);
    assert_eq!(answer(&stage, good).unwrap(), [[1.0]]);
    let error = answer(&stage, bad).unwrap_err();
    assert!(
        matches!(&error, EmbedError::Panicked(text) if text.contains("input 13")),
        "{error}"
    );
    answer(&stage, first).unwrap();

    let after = stage.occupy(Priority::Ingest);
    stage.run(Priority::Ingest, 1);
    assert_eq!(answer(&stage, after).unwrap(), [[0.0]]);
}

#[test]
fn text_that_panics_fails_alone() {
    let stage = Stage::new(4);
    let first = stage.occupy(Priority::Query);
    let (good, bad) = (stage.text("g"), stage.text("\r"));
    stage.run(Priority::Query, 4);
    assert_eq!(answer(&stage, good).unwrap().vector, [103.0]);
    assert!(matches!(answer(&stage, bad), Err(EmbedError::Panicked(_))));
    answer(&stage, first).unwrap();
}

#[test]
fn request_without_pictures_is_answered_at_once() {
    let stage = Stage::new(4);
    let answer = stage
        .runtime
        .block_on(stage.batcher.images(Vec::new(), Priority::Query))
        .unwrap();
    assert_eq!(answer, Vec::<Vec<f32>>::new());
    assert_eq!(stage.calls(), Vec::<Vec<u8>>::new());
}
