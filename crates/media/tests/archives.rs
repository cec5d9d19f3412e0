//! Archives made on the spot: what is read, what is refused and why, and where the
//! limits have their edges.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;

use lookalike_media::{ArchiveError, ArchiveLimits, LimitName, MemberError, decode};
use support::archives::{Fate, all, read};
use support::picture::bmp;
use support::tarball::{Tar, gzip};
use support::zipfile::{Entry, zip};

#[test]
fn every_archive_meets_its_fate() {
    for made in all() {
        let name = made.name;
        let (members, outcome) = read(&made.bytes, name, &ArchiveLimits::default());
        match made.fate {
            Fate::Archive(reason) => {
                let error = outcome.expect_err(name).to_string();
                assert!(error.contains(reason), "{name}: {error}");
                assert!(
                    members.is_empty(),
                    "{name}: members were handed out before the refusal"
                );
            }
            Fate::Photos(names) => {
                let summary = outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(summary.images, names.len() as u64, "{name}");
                assert_eq!(summary.refused, 0, "{name}");
                let found: Vec<_> = members.iter().map(|member| member.name.as_str()).collect();
                assert_eq!(found, names, "{name}");
                for member in members {
                    let bytes = member
                        .content
                        .unwrap_or_else(|error| panic!("{name}: {error}"));
                    decode(&bytes, &lookalike_media::ImageLimits::default())
                        .unwrap_or_else(|error| panic!("{name}: {}: {error}", member.name));
                }
            }
            Fate::Members(images, refused) => {
                let summary = outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(summary.images, images, "{name}");
                let found: Vec<_> = members
                    .into_iter()
                    .filter_map(|member| Some((member.name, member.content.err()?.to_string())))
                    .collect();
                assert_eq!(found.len(), refused.len(), "{name}: {found:?}");
                for ((member, error), (expected, reason)) in found.iter().zip(refused) {
                    assert_eq!(member, expected, "{name}");
                    assert!(error.contains(reason), "{name}: {member}: {error}");
                }
            }
        }
    }
}

#[test]
fn the_last_of_several_members_of_one_name_is_handed_out_once() {
    let last = bmp(3, 3);
    for (file_name, bytes) in [
        (
            "d.zip",
            zip(&[
                Entry::stored("a.bmp", b"first"),
                Entry::stored("notes.txt", b"1"),
                Entry::stored("notes.txt", b"2"),
                Entry::stored("a.bmp", &last),
            ]),
        ),
        (
            "d.tar",
            Tar::new()
                .file("a.bmp", b"first")
                .file("notes.txt", b"1")
                .file("notes.txt", b"2")
                .file("a.bmp", &last)
                .finish(),
        ),
    ] {
        let (members, outcome) = read(&bytes, file_name, &ArchiveLimits::default());
        let summary = outcome.unwrap();
        assert_eq!(
            (summary.duplicates, summary.images, summary.refused),
            (2, 1, 1)
        );
        assert_eq!(members.len(), 2, "{file_name}");
        assert_eq!(members[1].name, "a.bmp");
        assert_eq!(members[1].content.as_ref().unwrap(), &last);
    }
}

#[test]
fn litter_is_skipped_and_counted() {
    let made = all()
        .into_iter()
        .find(|made| made.name == "plain.zip")
        .unwrap();
    let (_, outcome) = read(&made.bytes, made.name, &ArchiveLimits::default());
    assert_eq!(outcome.unwrap().junk, 3);
}

/// Reads under limits of which one is set to `limit`.
fn outcome_at(
    bytes: &[u8],
    file_name: &str,
    set: impl Fn(&mut ArchiveLimits),
) -> Result<Option<MemberError>, ArchiveError> {
    let mut limits = ArchiveLimits::default();
    set(&mut limits);
    let (members, outcome) = read(bytes, file_name, &limits);
    outcome?;
    Ok(members.into_iter().find_map(|member| member.content.err()))
}

#[track_caller]
fn assert_archive_limit(outcome: Result<Option<MemberError>, ArchiveError>, name: LimitName) {
    match outcome {
        Err(ArchiveError::Limit(exceeded)) => assert_eq!(exceeded.name, name),
        other => panic!("expected the limit {name}, got {other:?}"),
    }
}

#[track_caller]
fn assert_member_limit(outcome: Result<Option<MemberError>, ArchiveError>, name: LimitName) {
    match outcome {
        Ok(Some(MemberError::Limit(exceeded))) => assert_eq!(exceeded.name, name),
        other => panic!("expected the limit {name}, got {other:?}"),
    }
}

#[track_caller]
fn assert_fine(outcome: Result<Option<MemberError>, ArchiveError>) {
    if let Some(error) = outcome.unwrap() {
        panic!("{error}");
    }
}

/// A zip, a tar and a tar.gz of `count` pictures of `bytes` each.
fn archives_of(count: u32, content: &[u8]) -> [(&'static str, Vec<u8>); 3] {
    let names: Vec<String> = (0..count).map(|index| format!("{index}.bmp")).collect();
    let entries: Vec<Entry> = names
        .iter()
        .map(|name| Entry::stored(name, content))
        .collect();
    let tar = names
        .iter()
        .fold(Tar::new(), |tar, name| tar.file(name, content))
        .finish();
    [
        ("x.zip", zip(&entries)),
        ("x.tar.gz", gzip(&tar)),
        ("x.tar", tar),
    ]
}

#[test]
fn the_number_of_images_has_an_edge() {
    for (name, bytes) in archives_of(100, b"x") {
        assert_fine(outcome_at(&bytes, name, |_| {}));
    }
    for (name, bytes) in archives_of(101, b"x") {
        assert_archive_limit(outcome_at(&bytes, name, |_| {}), LimitName::MaxImages);
    }
    let gz = gzip(b"x");
    assert_archive_limit(
        outcome_at(&gz, "x.gz", |limits| limits.max_images = 0),
        LimitName::MaxImages,
    );
}

#[test]
fn replaced_members_do_not_count_as_images() {
    let entries = vec![Entry::stored("same.bmp", b"x"); 200];
    assert_fine(outcome_at(&zip(&entries), "x.zip", |_| {}));
}

#[test]
fn the_number_of_members_has_an_edge() {
    for (name, bytes) in archives_of(7, b"x") {
        assert_fine(outcome_at(&bytes, name, |limits| limits.max_members = 7));
        assert_archive_limit(
            outcome_at(&bytes, name, |limits| limits.max_members = 6),
            LimitName::MaxMembers,
        );
    }
}

#[test]
fn the_size_of_a_member_has_an_edge() {
    for (name, bytes) in archives_of(2, &[7; 1000]) {
        assert_fine(outcome_at(&bytes, name, |limits| {
            limits.max_member_bytes = 1000;
        }));
        assert_member_limit(
            outcome_at(&bytes, name, |limits| limits.max_member_bytes = 999),
            LimitName::MaxMemberBytes,
        );
    }
    let gz = gzip(&[7; 1000]);
    assert_fine(outcome_at(&gz, "x.bmp.gz", |limits| {
        limits.max_member_bytes = 1000;
    }));
    assert_member_limit(
        outcome_at(&gz, "x.bmp.gz", |limits| limits.max_member_bytes = 999),
        LimitName::MaxMemberBytes,
    );
}

#[test]
fn the_total_has_an_edge() {
    let [(_, zip), (_, tar_gz), (_, tar)] = archives_of(3, &[7; 1000]);
    // Three members; and for tar three headers, padding and the closing blocks.
    let tar_bytes = 3 * (512 + 1024) + 1024;
    let gz = gzip(&[7; 1000]);
    for (name, bytes, total) in [
        ("x.zip", &zip, 3000),
        ("x.tar", &tar, tar_bytes),
        ("x.tar.gz", &tar_gz, tar_bytes),
        ("x.bmp.gz", &gz, 1000),
    ] {
        assert_fine(outcome_at(bytes, name, |limits| {
            limits.max_total_bytes = total;
        }));
        assert_archive_limit(
            outcome_at(bytes, name, |limits| limits.max_total_bytes = total - 1),
            LimitName::MaxTotalBytes,
        );
    }
}

#[test]
fn damaged_members_count_towards_the_total() {
    let entry = |name| Entry::stored(name, &[7; 1000]).claiming_crc(1);
    let bytes = zip(&[entry("a.bmp"), entry("b.bmp"), entry("c.bmp")]);
    assert_archive_limit(
        outcome_at(&bytes, "x.zip", |limits| limits.max_total_bytes = 2999),
        LimitName::MaxTotalBytes,
    );
}

#[test]
fn the_ratio_has_an_edge() {
    let entry = Entry::deflated("a.bmp", &vec![0; 100_000]);
    let ratio = 100_000u64.div_ceil(entry.packed_bytes());
    let bytes = zip(&[entry]);
    let at = |max_ratio| {
        outcome_at(&bytes, "x.zip", |limits| {
            limits.max_ratio = max_ratio;
            limits.ratio_free_bytes = 0;
        })
    };
    assert_fine(at(ratio));
    assert_member_limit(at(ratio - 1), LimitName::MaxRatio);

    // A lone gz is read through a buffer, so its whole file counts at once.
    let gz = gzip(&vec![0; 100_000]);
    let ratio = 100_000u64.div_ceil(gz.len() as u64);
    for (max_ratio, is_fine) in [(ratio, true), (ratio - 1, false)] {
        let outcome = outcome_at(&gz, "x.bmp.gz", |limits| {
            limits.max_ratio = max_ratio;
            limits.ratio_free_bytes = 0;
        });
        assert_eq!(
            matches!(outcome, Ok(None)),
            is_fine,
            "{max_ratio}: {outcome:?}"
        );
    }
}

#[test]
fn what_is_free_of_the_ratio_has_an_edge() {
    let bytes = zip(&[Entry::deflated("a.bmp", &vec![0; 100_000])]);
    let at = |free| {
        outcome_at(&bytes, "x.zip", |limits| {
            limits.max_ratio = 1;
            limits.ratio_free_bytes = free;
        })
    };
    assert_fine(at(100_000));
    assert_member_limit(at(99_999), LimitName::MaxRatio);
}

#[test]
fn the_length_of_a_name_has_an_edge() {
    let long = format!("{}.bmp", "x".repeat(1020));
    let tar = Tar::new().gnu_long_file(long.as_bytes(), b"x").finish();
    for (name, bytes) in [
        ("x.zip", zip(&[Entry::stored(&long, b"x")])),
        ("x.tar", tar),
    ] {
        assert_fine(outcome_at(&bytes, name, |_| {}));
        let error = outcome_at(&bytes, name, |limits| limits.max_name_bytes = 1023)
            .unwrap()
            .unwrap();
        assert!(
            error.to_string().contains("max_name_bytes = 1023"),
            "{error}"
        );
    }
}

#[test]
fn the_headers_of_a_member_have_an_edge() {
    // The long name's header and two blocks of it, then the member's own header.
    let name = [b"x".repeat(600), b".bmp".to_vec()].concat();
    let bytes = Tar::new().gnu_long_file(&name, b"x").finish();
    assert_fine(outcome_at(&bytes, "x.tar", |limits| {
        limits.max_header_bytes = 4 * 512;
    }));
    assert_archive_limit(
        outcome_at(&bytes, "x.tar", |limits| {
            limits.max_header_bytes = 4 * 512 - 1;
        }),
        LimitName::MaxHeaderBytes,
    );
}

#[test]
fn a_reader_that_fails_is_not_taken_for_a_damaged_archive() {
    struct Failing;
    impl std::io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::from_raw_os_error(5))
        }
    }
    impl std::io::Seek for Failing {
        fn seek(&mut self, _: std::io::SeekFrom) -> std::io::Result<u64> {
            Ok(0)
        }
    }
    let outcome =
        lookalike_media::archive::read(Failing, "x.zip", &ArchiveLimits::default(), |_| {});
    assert!(matches!(outcome, Err(ArchiveError::Io(_))), "{outcome:?}");
}
