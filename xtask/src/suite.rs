//! The list of suites of one run and how each ended; called by `test`.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::tool::{Missing, Policy};

enum Outcome {
    Passed,
    Failed(String),
    Skipped(Missing),
}

/// Collects outcomes, so that one failing suite does not hide the others.
pub struct Suites {
    policy: Policy,
    ended: Vec<(&'static str, Outcome, f64)>,
}

impl Suites {
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            ended: Vec::new(),
        }
    }

    /// Runs one suite, unless what it needs is missing.
    pub fn run(
        &mut self,
        name: &'static str,
        needs: Result<(), Missing>,
        body: impl FnOnce() -> Result<()>,
    ) {
        println!("\n==== {name} ====");
        let start = Instant::now();
        let outcome = match needs {
            Err(missing) => Outcome::Skipped(missing),
            Ok(()) => match body() {
                Ok(()) => Outcome::Passed,
                Err(error) => Outcome::Failed(format!("{error:#}")),
            },
        };
        self.ended
            .push((name, outcome, start.elapsed().as_secs_f64()));
    }

    /// Prints a line for every suite and fails if one failed, or was skipped where nothing may be.
    pub fn close(self) -> Result<()> {
        let (mut passed, mut failed, mut skipped) = (0, 0, 0);
        println!();
        for (name, outcome, seconds) in &self.ended {
            match outcome {
                Outcome::Passed => {
                    passed += 1;
                    println!("{name:<12} passed ({seconds:.0} s)");
                }
                Outcome::Failed(why) => {
                    failed += 1;
                    println!("{name:<12} FAILED ({seconds:.0} s): {why}");
                }
                Outcome::Skipped(missing) if self.policy.ci => {
                    failed += 1;
                    println!(
                        "{name:<12} FAILED: {} is missing, and CI may skip nothing",
                        missing.what
                    );
                }
                Outcome::Skipped(missing) => {
                    skipped += 1;
                    println!(
                        "{name:<12} SKIPPED: {} is missing; {}",
                        missing.what, missing.remedy
                    );
                }
            }
        }
        if skipped > 0 {
            println!("\n!!!! {skipped} of the suites above did NOT run !!!!\n");
        }
        println!("suites: {passed} passed, {failed} failed, {skipped} skipped");
        if failed > 0 {
            bail!("{failed} suites failed");
        }
        Ok(())
    }
}
