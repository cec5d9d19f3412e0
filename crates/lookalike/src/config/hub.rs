//! What every tool that talks to the Hugging Face hub reads from the environment.

/// The mirror that `HF_ENDPOINT` names.
pub fn endpoint() -> Option<String> {
    variable("HF_ENDPOINT")
}

/// The token of `HF_TOKEN`.
pub fn token() -> Option<String> {
    variable("HF_TOKEN")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the configuration is the one place that reads the environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
