//! Which names the service takes for images and archives.
//!
//! The submit handlers and the archive reader ask here. Names decide what is
//! refused, contents decide how it is read (semantics.md, row 24). The lists are
//! the vendor's (semantics.md, "Formats" and "Archives"; row 19 adds `.tgz`):
//! `.gif`, `.webp` and `.tif` are not on them.

const IMAGE: [&str; 5] = [".bmp", ".jpg", ".jpeg", ".png", ".tiff"];
const ARCHIVE: [&str; 5] = [".zip", ".tar", ".gz", ".tar.gz", ".tgz"];
/// What else people call archives; inside an archive they are nested ones.
const OTHER_ARCHIVE: [&str; 9] = [
    ".7z", ".bz2", ".rar", ".tbz2", ".txz", ".xz", ".zst", ".jar", ".cab",
];

/// The image extensions, for messages.
pub const IMAGE_EXTENSIONS: &str = ".bmp, .jpg, .jpeg, .png, .tiff";
/// The archive extensions, for messages.
pub const ARCHIVE_EXTENSIONS: &str = ".zip, .tar, .gz, .tar.gz, .tgz";

/// Whether `name` ends in an image extension of the service, in any case.
pub fn is_image_name(name: &str) -> bool {
    ends_in_any(name, &IMAGE)
}

/// Whether `name` ends in an archive extension of the service, in any case.
pub fn is_archive_name(name: &str) -> bool {
    ends_in_any(name, &ARCHIVE)
}

/// Whether `name` is an archive's by any common extension, the service's or not.
pub(crate) fn is_any_archive_name(name: &str) -> bool {
    is_archive_name(name) || ends_in_any(name, &OTHER_ARCHIVE)
}

/// `name` without the extension that says gzip (`a.jpg.gz` is `a.jpg`, `a.tgz` is `a`).
pub(crate) fn without_gzip(name: &str) -> &str {
    for extension in [".tgz", ".gz"] {
        if ends_in(name, extension) {
            return &name[..name.len() - extension.len()];
        }
    }
    name
}

fn ends_in_any(name: &str, extensions: &[&str]) -> bool {
    extensions.iter().any(|extension| ends_in(name, extension))
}

/// A stem is needed: `.zip` alone is a hidden file's name, not an extension.
fn ends_in(name: &str, extension: &str) -> bool {
    let base = name.rsplit('/').next().unwrap_or(name).as_bytes();
    base.len() > extension.len()
        && base[base.len() - extension.len()..].eq_ignore_ascii_case(extension.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_image_names_in_any_case() {
        for name in ["a.bmp", "a.jpg", "b/c.JPEG", "Ü.PnG", "a.b.tiff"] {
            assert!(is_image_name(name), "{name}");
        }
        for name in [
            "a.gif", "a.webp", "a.tif", "jpg", ".jpg", "a/.png", "a.jpg ", "a.jpg/", "",
        ] {
            assert!(!is_image_name(name), "{name}");
        }
    }

    #[test]
    fn the_services_archive_names_in_any_case() {
        for name in ["a.zip", "a.tar", "a.gz", "a.tar.gz", "A.TGZ", "照片.ZIP"] {
            assert!(is_archive_name(name), "{name}");
        }
        for name in ["a.7z", "a.tar.bz2", "zip", ".zip", "a.zip.txt", "片"] {
            assert!(!is_archive_name(name), "{name}");
        }
        assert!(is_any_archive_name("a.7z"));
    }

    #[test]
    fn gzip_names_lose_only_the_gzip_part() {
        assert_eq!(without_gzip("a.jpg.GZ"), "a.jpg");
        assert_eq!(without_gzip("a.tgz"), "a");
        assert_eq!(without_gzip("a.jpg"), "a.jpg");
        assert_eq!(without_gzip(".gz"), ".gz");
    }
}
