//! The README's first command as a check: it must end well, and rank every photo of a dog before all others.

use anyhow::{Context, Result, ensure};

use crate::command::{cargo, output, root};

/// How the demo's table starts the row of this query.
const QUERY: &str = "“dog”";

pub fn run_once() -> Result<()> {
    let dogs = photos_of_dogs()?;
    let demo = ["run", "--locked", "--release", "--package", "lookalike"];
    let printed = output(cargo(demo).args(["--", "demo", "--once"]))?;
    println!("{printed}");
    let row = printed
        .lines()
        .find(|line| line.contains(QUERY))
        .with_context(|| format!("the demo printed no row for {QUERY}"))?;
    let found = dogs.iter().filter(|name| row.contains(*name)).count();
    ensure!(
        found == dogs.len(),
        "the demo ranks {found} of the {} photos of dogs first: {row}",
        dogs.len()
    );
    println!("demo: all {found} photos of dogs rank first");
    Ok(())
}

/// The example photos that `labels.csv` calls dogs; the demo shows as many matches as there are.
fn photos_of_dogs() -> Result<Vec<String>> {
    let table = fs_err::read_to_string(root().join("examples/photos/labels.csv"))?;
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.split(',');
        Some((cells.next()?, cells.next()?))
    });
    let dogs: Vec<String> = rows
        .filter(|(_, labels)| labels.split(';').any(|label| label == "dog"))
        .map(|(file, _)| file.to_owned())
        .collect();
    ensure!(dogs.len() >= 3, "several example photos must show dogs");
    Ok(dogs)
}
