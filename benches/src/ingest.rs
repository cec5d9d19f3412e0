//! `ingest`: from the bytes of photos to committed vectors, through the engine, and how close that comes to its parts.
//!
//! Uploads archives one after another, as a client with many photos would, and takes the time from the first submission to the end of the
//! last job. In the same process, decoding alone and embedding alone, each on all the threads, say what could be reached at best: the
//! rate of the slower one where each has cores of its own, and what is left when both share them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use lookalike_embed::{PreparedImage, Priority, ServedModel};
use lookalike_media::{ImageLimits, decode_sized};
use serde_json::json;

use crate::house::{self, House, ModelArguments};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// Folder with JPEGs
    #[arg(long)]
    photos: PathBuf,
    /// Photos in all; the folder's are repeated
    #[arg(long, default_value_t = 200)]
    count: usize,
    /// Archives that they are uploaded in
    #[arg(long, default_value_t = 4)]
    archives: usize,
    /// How often each part is measured; the best counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Threads that decode when only that is measured
    #[arg(long, default_value_t = 2)]
    decode_threads: usize,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    house::within(async |folder| measure(arguments, folder).await)
}

#[expect(clippy::print_stdout, reason = "the report is this program's output")]
async fn measure(arguments: &Arguments, folder: &std::path::Path) -> Result<()> {
    let house = House::open(&arguments.model, folder).await?;
    let photos = house::photos(&arguments.photos)?;
    let photos: Vec<Vec<u8>> = photos.into_iter().cycle().take(arguments.count).collect();
    let (mut whole, mut decode, mut embed) = (0.0_f64, 0.0_f64, 0.0_f64);
    for round in 0..arguments.rounds {
        let (rate, prepared) = decode_only(arguments, &photos, &house.model)?;
        decode = decode.max(rate);
        embed = embed.max(embed_only(&house.model, prepared).await?);
        let parts = photos.chunks(photos.len().div_ceil(arguments.archives.max(1)));
        let archives: Vec<_> = parts
            .map(|part| house::tar(part, part.len()))
            .collect::<Result<_>>()?;
        let start = Instant::now();
        let mut jobs = Vec::new();
        for (part, archive) in archives.into_iter().enumerate() {
            jobs.push(
                house
                    .submit(&format!("{round}-{part}.tar"), archive)
                    .await?,
            );
        }
        for job in &jobs {
            house.done(job).await?;
        }
        whole = whole.max(per_second(photos.len(), start));
    }
    let shared = 1.0 / (1.0 / decode + 1.0 / embed);
    let line = json!({
        "peer": "lookalike",
        "pipeline": "JPEG to committed vector",
        "model": house.model.label(),
        "precision": house.model.encoder().precision.name(),
        "photos": arguments.photos.file_name().unwrap_or_default().to_string_lossy(),
        "count": photos.len(),
        "archives": arguments.archives,
        "images_per_s": rounded(whole),
        "decode_only_per_s": rounded(decode),
        "embed_only_per_s": rounded(embed),
        "share_of_slower": rounded(whole / decode.min(embed)),
        "share_of_both_on_same_cores": rounded(whole / shared),
    });
    println!("{line}");
    house.engine.shutdown().await;
    Ok(())
}

/// Decodes and resizes all photos on some threads.
fn decode_only(
    arguments: &Arguments,
    photos: &[Vec<u8>],
    model: &ServedModel,
) -> Result<(f64, Vec<PreparedImage>)> {
    let limits = ImageLimits::default();
    let size = model.decode_size(false);
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<PreparedImage>> {
        let mut prepared = Vec::new();
        while let Some(photo) = photos.get(next.fetch_add(1, Ordering::Relaxed)) {
            let picture = decode_sized(photo, &limits, size)?;
            prepared.push(model.prepare(&picture.pixels));
        }
        Ok(prepared)
    };
    let start = Instant::now();
    let prepared = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..arguments.decode_threads)
            .map(|_| scope.spawn(work))
            .collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().ok().context("decoding panicked")??);
        }
        Ok::<_, anyhow::Error>(all)
    })?;
    Ok((per_second(photos.len(), start), prepared))
}

async fn embed_only(model: &ServedModel, prepared: Vec<PreparedImage>) -> Result<f64> {
    let count = prepared.len();
    let start = Instant::now();
    model.embed_images(prepared, Priority::Ingest).await?;
    Ok(per_second(count, start))
}

fn per_second(count: usize, since: Instant) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / since.elapsed().as_secs_f64()
}

fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}
