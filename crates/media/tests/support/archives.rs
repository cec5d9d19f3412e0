//! Archives of every kind that matters, with what must become of each.
//!
//! They are made when a test asks, so that no bomb lies in the repository. The
//! example `make-archives` writes them to a folder for tests in other languages.

use lookalike_media::{ArchiveError, ArchiveLimits, Member, Summary, archive};
use tar::EntryType;

use super::picture::bmp;
use super::tarball::{Tar, gzip};
use super::zipfile::{Entry, zip};

/// One archive and its fate.
pub struct Made {
    pub name: &'static str,
    pub bytes: Vec<u8>,
    pub fate: Fate,
}

/// What must become of an archive under the default limits.
pub enum Fate {
    /// All members are pictures, by these names.
    Photos(&'static [&'static str]),
    /// These members are refused, each with a reason that holds this text; so
    /// many others are pictures.
    Members(u64, &'static [(&'static str, &'static str)]),
    /// The archive is refused as a whole, with a reason that holds this text.
    Archive(&'static str),
}

/// What reading gave.
pub type Outcome = (Vec<Member>, Result<Summary, ArchiveError>);

pub fn read(bytes: &[u8], file_name: &str, limits: &ArchiveLimits) -> Outcome {
    let mut members = Vec::new();
    let outcome = archive::read(std::io::Cursor::new(bytes), file_name, limits, |member| {
        members.push(member);
    });
    (members, outcome)
}

fn made(name: &'static str, bytes: Vec<u8>, fate: Fate) -> Made {
    Made { name, bytes, fate }
}

/// All of them.
pub fn all() -> Vec<Made> {
    let mut all = zips();
    all.extend(hostile_zips());
    all.extend(tars());
    all.extend(hostile_tars());
    all.extend(gzips());
    all
}

fn zips() -> Vec<Made> {
    let (a, b) = (bmp(2, 3), bmp(4, 5));
    vec![
        made(
            "plain.zip",
            zip(&[
                Entry::stored("a.bmp", &a),
                Entry::stored("folder/", b"").with_mode(0o040_755),
                Entry::deflated("folder/b c.BMP", &b),
                Entry::stored("__MACOSX/._a.bmp", b"litter"),
                Entry::stored("folder/.DS_Store", b"litter"),
                Entry::stored("Thumbs.db", b"litter"),
            ]),
            Fate::Photos(&["a.bmp", "folder/b c.BMP"]),
        ),
        made(
            "streamed.zip",
            zip(&[
                Entry::deflated("a.bmp", &a).streamed(),
                Entry::deflated("b.bmp", &b).streamed(),
            ]),
            Fate::Photos(&["a.bmp", "b.bmp"]),
        ),
        made(
            "duplicates.zip",
            zip(&[
                Entry::stored("a.bmp", b"never looked at"),
                Entry::stored("b.bmp", &b),
                Entry::stored("./a.bmp", &a),
            ]),
            Fate::Photos(&["b.bmp", "a.bmp"]),
        ),
        made(
            "legacy-names.zip",
            zip(&[
                Entry::stored(b"caf\x82.bmp", &a),
                Entry::stored("写真.bmp", &b).utf8(),
            ]),
            Fate::Photos(&["café.bmp", "写真.bmp"]),
        ),
        made(
            "odd-names.zip",
            zip(&[
                Entry::stored("<b>'\"&.bmp", &a),
                Entry::stored("a\nb\u{202e}.bmp", &a).utf8(),
                Entry::stored("CON.bmp", &b),
                Entry::stored("a..b/...bmp", &b),
            ]),
            Fate::Photos(&[
                "<b>'\"&.bmp",
                "a\\u{a}b\\u{202e}.bmp",
                "CON.bmp",
                "a..b/...bmp",
            ]),
        ),
        made(
            "mixed.zip",
            zip(&[
                Entry::stored("a.bmp", &a),
                Entry::stored("notes.txt", b"text"),
                Entry::stored("inner.zip", &zip(&[Entry::stored("x.bmp", &a)])),
                Entry::stored("more/inner.tar.gz", b""),
                Entry::stored("drawing.svg", b"<svg/>"),
                Entry::deflated("b.bmp", &b),
            ]),
            Fate::Members(
                2,
                &[
                    ("notes.txt", "not an image's"),
                    ("inner.zip", "an archive inside the archive"),
                    ("more/inner.tar.gz", "an archive inside the archive"),
                    ("drawing.svg", "not an image's"),
                ],
            ),
        ),
        made("empty.zip", zip(&[]), Fate::Archive("holds no images")),
        made(
            "litter.zip",
            zip(&[Entry::stored("a/.DS_Store", b"litter")]),
            Fate::Archive("holds no images"),
        ),
    ]
}

fn hostile_zips() -> Vec<Made> {
    let a = bmp(2, 3);
    let with = |entry: Entry| zip(&[Entry::stored("a.bmp", &a), entry]);
    let one = |name, entry, refused| made(name, with(entry), Fate::Members(1, refused));
    let plain = with(Entry::stored("b.bmp", &a));
    vec![
        one(
            "traversal.zip",
            Entry::stored("../../escape.bmp", &a),
            &[("../../escape.bmp", "leaves the archive")],
        ),
        one(
            "absolute.zip",
            Entry::stored("/etc/passwd.bmp", &a),
            &[("/etc/passwd.bmp", "absolute")],
        ),
        one(
            "drive.zip",
            Entry::stored("C:/escape.bmp", &a),
            &[("C:/escape.bmp", "absolute")],
        ),
        one(
            "backslash.zip",
            Entry::stored("..\\escape.bmp", &a),
            &[("..\\escape.bmp", "backslash")],
        ),
        one(
            "zero-byte.zip",
            Entry::stored("b.bmp\0.txt", &a),
            &[("b.bmp\\u{0}.txt", "zero byte")],
        ),
        one(
            "link.zip",
            Entry::stored("shadow.bmp", b"/etc/shadow").with_mode(0o120_777),
            &[("shadow.bmp", "a link")],
        ),
        one(
            "device.zip",
            Entry::stored("zero.bmp", b"").with_mode(0o020_666),
            &[("zero.bmp", "a device")],
        ),
        one(
            "encrypted.zip",
            Entry::stored("secret.bmp", &a).encrypted(),
            &[("secret.bmp", "encrypted")],
        ),
        one(
            "method.zip",
            Entry::stored("b.bmp", &a).with_method(12),
            &[("b.bmp", "method that is not supported")],
        ),
        one(
            "checksum.zip",
            Entry::deflated("b.bmp", &a).claiming_crc(1),
            &[("b.bmp", "damaged")],
        ),
        one(
            "claims-less.zip",
            Entry::deflated("b.bmp", &a).claiming_bytes(3),
            &[("b.bmp", "damaged")],
        ),
        one(
            "claims-more.zip",
            Entry::deflated("b.bmp", &a).claiming_bytes(4000),
            &[("b.bmp", "damaged")],
        ),
        one(
            "bomb.zip",
            Entry::deflated("zeros.bmp", &vec![0; 20 << 20]),
            &[("zeros.bmp", "max_ratio = 200")],
        ),
        one(
            "lying-bomb.zip",
            Entry::deflated("zeros.bmp", &vec![0; 20 << 20]).claiming_bytes(1000),
            &[("zeros.bmp", "damaged")],
        ),
        made(
            "overlap.zip",
            zip(&[
                Entry::deflated("a.bmp", &a),
                Entry::deflated("b.bmp", &a).claiming_to_be_at(0),
            ]),
            Fate::Archive("\"a.bmp\" and \"b.bmp\" overlap"),
        ),
        made(
            "behind-the-directory.zip",
            zip(&[
                Entry::deflated("a.bmp", &a),
                Entry::deflated("b.bmp", &a).claiming_to_be_at(1 << 30),
            ]),
            Fate::Members(1, &[("b.bmp", "damaged")]),
        ),
        made(
            "into-the-directory.zip",
            zip(&[Entry::stored("a.bmp", &a).claiming_packed_bytes(5000)]),
            Fate::Archive("\"a.bmp\" and \"(the directory)\" overlap"),
        ),
        made(
            "many.zip",
            zip(&vec![Entry::stored("a.txt", b""); 10_001]),
            Fate::Archive("max_members = 10000"),
        ),
        made(
            "cut.zip",
            plain[..plain.len() - 30].to_vec(),
            Fate::Archive("damaged or cut short"),
        ),
    ]
}

fn tars() -> Vec<Made> {
    let (a, b) = (bmp(2, 3), bmp(4, 5));
    let plain = || Tar::new().file("a.bmp", &a).file("folder/b.bmp", &b);
    vec![
        made(
            "plain.tar",
            plain().finish(),
            Fate::Photos(&["a.bmp", "folder/b.bmp"]),
        ),
        made(
            "plain.tar.gz",
            gzip(&plain().finish()),
            Fate::Photos(&["a.bmp", "folder/b.bmp"]),
        ),
        made(
            "plain.tgz",
            gzip(&plain().finish()),
            Fate::Photos(&["a.bmp", "folder/b.bmp"]),
        ),
        made(
            "wrong-kind.zip",
            gzip(&plain().finish()),
            Fate::Photos(&["a.bmp", "folder/b.bmp"]),
        ),
        made(
            "dotted.tar",
            Tar::new()
                .entry(EntryType::Directory, b"./", "", &[])
                .file("./a.bmp", &a)
                .entry(EntryType::Regular, b"./old-folder/", "", &[])
                .file("./old-folder/b.bmp", &b)
                .finish(),
            Fate::Photos(&["a.bmp", "old-folder/b.bmp"]),
        ),
        made(
            "v7.tar",
            Tar::new()
                .v7_file("a.bmp", &a)
                .v7_file("b.bmp", &b)
                .finish(),
            Fate::Photos(&["a.bmp", "b.bmp"]),
        ),
        made(
            "duplicates.tar",
            Tar::new()
                .file("a.bmp", b"early")
                .file("b.bmp", &b)
                .file("./a.bmp", &a)
                .finish(),
            Fate::Photos(&["b.bmp", "a.bmp"]),
        ),
        made(
            "gnu-long.tar",
            Tar::new()
                .gnu_long_file(&[b"y/".repeat(80), b"a.bmp".to_vec()].concat(), &a)
                .gnu_long_file(b"latin\xe9.bmp", &b)
                .finish(),
            Fate::Photos(&[
                "y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/\
                 y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/y/a.bmp",
                "latin\\xe9.bmp",
            ]),
        ),
        made(
            "pax.tar",
            Tar::new()
                .entry(
                    EntryType::XGlobalHeader,
                    b"pax_global_header",
                    "",
                    b"13 comment=x\n",
                )
                .pax_file(&[("path", "写真/été.bmp"), ("mtime", "1.5")], "cut.bmp", &a)
                .file("b.bmp", &b)
                .finish(),
            Fate::Photos(&["写真/été.bmp", "b.bmp"]),
        ),
        made(
            "mixed.tar.gz",
            gzip(
                &plain()
                    .file("notes.txt", b"text")
                    .file("inner.ZIP", b"")
                    .finish(),
            ),
            Fate::Members(
                2,
                &[
                    ("notes.txt", "not an image's"),
                    ("inner.ZIP", "an archive inside the archive"),
                ],
            ),
        ),
    ]
}

fn hostile_tars() -> Vec<Made> {
    let a = bmp(2, 3);
    let start = || Tar::new().file("a.bmp", &a);
    let one = |name, tar: Tar, refused| {
        made(
            name,
            tar.file("z.bmp", &a).finish(),
            Fate::Members(2, refused),
        )
    };
    vec![
        one(
            "links.tar",
            start()
                .link(EntryType::Symlink, "soft.bmp", "/etc/passwd")
                .link(EntryType::Link, "hard.bmp", "../../secret")
                .link(EntryType::Symlink, "up", ".."),
            &[
                ("soft.bmp", "a link to /etc/passwd"),
                ("hard.bmp", "a link to ../../secret"),
                ("up", "a link to .."),
            ],
        ),
        one(
            "special.tar",
            start()
                .link(EntryType::Char, "null.bmp", "")
                .link(EntryType::Block, "disk.bmp", "")
                .link(EntryType::Fifo, "pipe.bmp", "")
                .link(EntryType::new(b'Q'), "new.bmp", ""),
            &[
                ("null.bmp", "a device"),
                ("disk.bmp", "a device"),
                ("pipe.bmp", "a pipe"),
                ("new.bmp", "unknown type"),
            ],
        ),
        one(
            "paths.tar",
            start()
                .file("/etc/cron.bmp", &a)
                .file("../up.bmp", &a)
                .file("..\\up.bmp", &a)
                .file("", &a),
            &[
                ("/etc/cron.bmp", "absolute"),
                ("../up.bmp", "leaves the archive"),
                ("..\\up.bmp", "backslash"),
                ("", "no name"),
            ],
        ),
        one(
            "sparse.tar",
            start().sparse_file("huge.bmp", 1 << 30, &a).pax_file(
                &[("GNU.sparse.realsize", "9999999999")],
                "pax.bmp",
                &a,
            ),
            &[("huge.bmp", "sparse"), ("pax.bmp", "sparse")],
        ),
        made(
            "long-header.tar",
            start().gnu_long_file(&vec![b'x'; 2 << 20], &a).finish(),
            Fate::Archive("max_header_bytes = 1048576"),
        ),
        made(
            "claims-more.tar",
            start()
                .claiming(EntryType::Regular, b"b.bmp", "", &a, 1 << 40)
                .finish(),
            Fate::Archive("damaged or cut short"),
        ),
        made(
            "cut.tar",
            start().file("b.bmp", &a).cut(1024 + 520),
            Fate::Archive("cut short"),
        ),
        made(
            "bomb.tar.gz",
            gzip(&start().file("zeros.bmp", &vec![0; 40 << 20]).finish()),
            Fate::Archive("max_ratio = 200"),
        ),
    ]
}

fn gzips() -> Vec<Made> {
    let a = bmp(20, 30);
    let packed = gzip(&a);
    let packed_tar = gzip(&Tar::new().file("a.bmp", &a).finish());
    let mut wrong_sum = packed.clone();
    let sum_at = wrong_sum.len() - 8;
    wrong_sum[sum_at] ^= 1;
    vec![
        made("photo.bmp.gz", packed.clone(), Fate::Photos(&["photo.bmp"])),
        made("bare.gz", packed.clone(), Fate::Photos(&["bare"])),
        made(
            "joined.bmp.gz",
            [gzip(&a[..100]), gzip(&a[100..])].concat(),
            Fate::Photos(&["joined.bmp"]),
        ),
        made(
            "cut.bmp.gz",
            packed[..packed.len() - 9].to_vec(),
            Fate::Archive("cut short"),
        ),
        made("sum.bmp.gz", wrong_sum, Fate::Archive("damaged")),
        made(
            "cut.tar.gz",
            packed_tar[..packed_tar.len() - 9].to_vec(),
            Fate::Archive("cut short"),
        ),
        made(
            "bomb.bmp.gz",
            gzip(&vec![0; 20 << 20]),
            Fate::Members(0, &[("bomb.bmp", "max_ratio = 200")]),
        ),
        made("photo.tar", a, Fate::Archive("looks like a BMP picture")),
        made(
            "nothing.zip",
            Vec::new(),
            Fate::Archive("looks like an empty file"),
        ),
    ]
}
