//! `clip`: what a vector costs in one tower of a CLIP, as a JSON line for each setting.
//!
//! Calls the encoder itself, without the queue in front of it. The least of many repetitions is the figure to compare, because
//! other work on the machine only ever adds; the median is printed beside it. For towers whose work can be counted, the line also says
//! which share of the core's peak they reach, the peak being measured between the repetitions on the same cores.

mod work;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lookalike_embed::{Encoder, ModelsConfig, Precision, PreparedImage};
use lookalike_kernels::{Machine, dispatch};
use lookalike_media::Pixels;
use serde_json::json;

use self::work::Work;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder of a CLIP, or `builtin`
    #[arg(long)]
    model: PathBuf,
    #[arg(long, value_enum)]
    tower: Tower,
    /// Inputs that go through together, separated by commas
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8])]
    batch: Vec<usize>,
    /// Threads, separated by commas
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2])]
    threads: Vec<usize>,
    /// Number formats, separated by commas
    #[arg(long, value_delimiter = ',', default_values_t = [Precision::F32, Precision::Bf16, Precision::Int8])]
    precision: Vec<Precision>,
    /// Tokens of each text, its start and end included
    #[arg(long, default_value_t = 77)]
    tokens: u32,
    /// Time for each setting
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Level of instructions, as `lookalike serve --cpu` takes it
    #[arg(long, env = "LOOKALIKE_CPU")]
    cpu: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Tower {
    Image,
    Text,
}

impl Tower {
    const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Text => "text",
        }
    }
}

/// Fewer repetitions say nothing.
const LEAST_REPETITIONS: usize = 3;

pub fn run(arguments: &Arguments) -> Result<()> {
    if let Some(cpu) = &arguments.cpu {
        dispatch::force(cpu)?;
    }
    ensure!(
        arguments.seconds > 0.0 && arguments.batch.iter().all(|batch| *batch > 0),
        "there is nothing to measure in no time, or for no inputs"
    );
    let machines: Vec<Machine> = arguments
        .threads
        .iter()
        .map(|threads| Machine::new(dispatch::cpu(), *threads))
        .collect();
    for precision in &arguments.precision {
        let encoder = open(arguments, *precision)?;
        let input = Input::new(&*encoder, arguments)?;
        for machine in &machines {
            for batch in &arguments.batch {
                let cell = Cell {
                    encoder: &*encoder,
                    machine,
                    input: &input,
                    batch: *batch,
                };
                cell.measure(arguments)?;
            }
        }
    }
    Ok(())
}

fn open(arguments: &Arguments, precision: Precision) -> Result<Arc<dyn Encoder>> {
    if arguments.model.as_os_str() == lookalike_embed::BUILTIN_NAME
        || arguments.model.as_os_str() == "builtin"
    {
        return Ok(lookalike_embed::open_builtin());
    }
    let config = ModelsConfig {
        precision,
        ..ModelsConfig::default()
    };
    Ok(lookalike_embed::open_encoder(&arguments.model, &config)?)
}

/// One input of the tower; what it shows does not change what it costs.
enum Input {
    Image(PreparedImage),
    Text(String),
}

impl Input {
    fn new(encoder: &dyn Encoder, arguments: &Arguments) -> Result<Self> {
        match arguments.tower {
            Tower::Image => {
                let (width, height) = (500, 375);
                let rgb = (0..width * height * 3)
                    .map(|i: u32| u8::try_from(i.wrapping_mul(2_654_435_761) >> 24))
                    .collect::<Result<_, _>>()?;
                let pixels = Pixels::new(width, height, rgb).context("the bytes fit the sides")?;
                Ok(Self::Image(encoder.prepare(&pixels)))
            }
            Tower::Text => text_of(encoder, arguments.tokens).map(Self::Text),
        }
    }
}

/// A text that the model reads as so many tokens.
fn text_of(encoder: &dyn Encoder, tokens: u32) -> Result<String> {
    let machine = Machine::new(dispatch::cpu(), 1);
    let mut text = String::new();
    for _ in 0..=tokens {
        let found = encoder.embed_texts(&machine, &[&text])?;
        if found.first().is_some_and(|found| found.tokens == tokens) {
            return Ok(text);
        }
        text.push_str("a ");
    }
    bail!("no text of this model has {tokens} tokens")
}

/// One setting.
struct Cell<'a> {
    encoder: &'a dyn Encoder,
    machine: &'a Machine,
    input: &'a Input,
    batch: usize,
}

impl Cell<'_> {
    #[expect(clippy::print_stdout, reason = "the report is this program's output")]
    fn measure(&self, arguments: &Arguments) -> Result<()> {
        let precision = self.encoder.info().precision;
        let mut peak = Peak::default();
        let mut times = Vec::new();
        self.once()?;
        let start = Instant::now();
        let budget = Duration::from_secs_f64(arguments.seconds);
        while times.len() < LEAST_REPETITIONS || start.elapsed() < budget {
            peak.look(precision, start.elapsed());
            times.push(self.once()?);
        }
        times.sort();
        let per_item = |time: Duration| {
            let items = u32::try_from(self.batch).unwrap_or(u32::MAX);
            time.as_secs_f64() * 1e3 / f64::from(items)
        };
        let (least, median) = (per_item(times[0]), per_item(times[times.len() / 2]));
        let threads = self.machine.pool.threads();
        let mut line = json!({
            "peer": "lookalike",
            "model": arguments.model.file_name().unwrap_or_default().to_string_lossy(),
            "tower": arguments.tower.name(),
            "precision": precision.name(),
            "batch": self.batch,
            "threads": threads,
            "ms_per_item": rounded(least, 3),
            "median": rounded(median, 3),
            "n": times.len(),
            "cpu": self.machine.cpu.isa().name(),
        });
        if arguments.tower == Tower::Text {
            line["tokens"] = json!(arguments.tokens);
        }
        if let Some(per_second) = peak.fastest {
            line["peak_gops"] = json!(rounded(per_second / 1e9, 1));
            if let Some(work) = Work::of(&arguments.model, arguments.tower, arguments.tokens)? {
                let threads = u32::try_from(threads).unwrap_or(u32::MAX);
                let share = work.operations() / (least / 1e3) / per_second / f64::from(threads);
                line["share_of_peak"] = json!(rounded(share, 3));
            }
        }
        println!("{line}");
        Ok(())
    }

    /// Puts one batch through.
    fn once(&self) -> Result<Duration> {
        let (images, texts);
        let start;
        match self.input {
            Input::Image(image) => {
                images = vec![image.clone(); self.batch];
                start = Instant::now();
                self.encoder.embed_images(self.machine, &images)?;
            }
            Input::Text(text) => {
                texts = vec![text.as_str(); self.batch];
                start = Instant::now();
                self.encoder.embed_texts(self.machine, &texts)?;
            }
        }
        Ok(start.elapsed())
    }
}

/// The most that one core does, looked at again and again: its clock changes.
#[derive(Default)]
struct Peak {
    /// Operations a second.
    fastest: Option<f64>,
    looks: u32,
}

/// Steps of one look: half a millisecond or so.
const PEAK_STEPS: usize = 50_000;
/// Between two looks, so that most of the time goes to the tower.
const PEAK_EVERY: Duration = Duration::from_millis(50);

impl Peak {
    fn look(&mut self, precision: Precision, elapsed: Duration) {
        if elapsed < PEAK_EVERY * self.looks {
            return;
        }
        self.looks += 1;
        let start = Instant::now();
        let Some(operations) = lookalike_kernels::peak(dispatch::cpu(), precision, PEAK_STEPS)
        else {
            return;
        };
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 operations")]
        let per_second = operations as f64 / start.elapsed().as_secs_f64();
        self.fastest = Some(
            self.fastest
                .map_or(per_second, |fastest| fastest.max(per_second)),
        );
    }
}

fn rounded(number: f64, digits: i32) -> f64 {
    let unit = 10_f64.powi(digits);
    (number * unit).round() / unit
}
