//! Where the server keeps its data: how it is written, and where it is when nobody says.

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use lookalike_engine::DataLocation;

/// Reads a folder, or `:memory:`.
pub fn parse(text: &str) -> Result<DataLocation, Infallible> {
    Ok(if text == ":memory:" {
        DataLocation::Memory
    } else {
        DataLocation::Folder(PathBuf::from(text))
    })
}

/// `lookalike` in the user's own data folder (`XDG_DATA_HOME`, `LOCALAPPDATA` on Windows, else
/// `~/.local/share`); without a home folder, as in a bare container, `lookalike-data` in the current one.
pub fn default_for_user() -> DataLocation {
    DataLocation::Folder(default_folder(environment))
}

/// The folder, if data is kept in one.
pub fn folder(location: &DataLocation) -> Option<&Path> {
    match location {
        DataLocation::Memory => None,
        DataLocation::Folder(folder) => Some(folder),
    }
}

/// For people.
pub fn describe(location: &DataLocation) -> String {
    match location {
        DataLocation::Memory => "in memory only, nothing is kept".to_owned(),
        DataLocation::Folder(folder) => folder.display().to_string(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the configuration is the one place that reads the environment"
)]
fn environment(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

fn default_folder(variable: impl Fn(&str) -> Option<PathBuf>) -> PathBuf {
    // The specification of XDG_DATA_HOME says to ignore a relative one.
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("LOCALAPPDATA"))
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map_or_else(
            || PathBuf::from("lookalike-data"),
            |base| base.join("lookalike"),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_folder_are_told_apart() {
        assert_eq!(parse(":memory:"), Ok(DataLocation::Memory));
        assert_eq!(parse("data"), Ok(DataLocation::Folder("data".into())));
    }

    #[test]
    fn default_prefers_the_data_folder_of_the_user() {
        let both = |name: &str| match name {
            "XDG_DATA_HOME" => Some(PathBuf::from("/xdg")),
            "HOME" => Some(PathBuf::from("/home/a")),
            _ => None,
        };
        let home_only = |name: &str| (name == "HOME").then(|| PathBuf::from("/home/a"));
        assert_eq!(default_folder(both), PathBuf::from("/xdg/lookalike"));
        assert_eq!(
            default_folder(home_only),
            PathBuf::from("/home/a/.local/share/lookalike")
        );
        assert_eq!(default_folder(|_| None), PathBuf::from("lookalike-data"));
    }

    #[test]
    fn relative_data_home_is_ignored() {
        let relative = |name: &str| (name == "XDG_DATA_HOME").then(|| PathBuf::from("rel"));
        assert_eq!(default_folder(relative), PathBuf::from("lookalike-data"));
    }
}
