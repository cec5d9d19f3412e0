//! Pulling, listing and verifying models, against a hub on this machine.

use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;

use crate::hub::{COMMIT, Hub};
#[cfg(unix)]
use crate::program::Process;
use crate::program::{program, stderr, stdout};

fn goldens(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../embed/tests/goldens")
        .join(name)
}

/// A data folder and the program that uses it.
struct Place {
    data: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            data: tempfile::tempdir().unwrap(),
        }
    }

    fn models(&self, arguments: &[&str]) -> Output {
        program()
            .arg("models")
            .args(arguments)
            .arg("--data")
            .arg(self.data.path())
            .current_dir(self.data.path())
            .output()
            .unwrap()
    }

    fn pull(&self, hub: &Hub, arguments: &[&str]) -> Output {
        let endpoint = ["--endpoint", &hub.endpoint];
        self.models(&[&["pull"], arguments, &endpoint].concat())
    }

    fn pulled(&self, name: &str) -> PathBuf {
        self.data.path().join("models").join(name)
    }
}

fn assert_done(output: &Output) {
    assert!(output.status.success(), "{}", stderr(output));
}

fn assert_refused(output: &Output, parts: &[&str]) {
    assert_eq!(output.status.code(), Some(1), "{}", stdout(output));
    let text = format!("{}{}", stderr(output), stdout(output));
    for part in parts {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
}

/// ours: a pulled model is listed, verified, and served by its name without any flag and without the network.
#[cfg(unix)]
#[test]
fn pulled_model_is_listed_verified_and_served_offline() {
    let place = Place::new();
    let hub = Hub::of(&goldens("quick-gelu-f16"));
    let output = place.pull(&hub, &["hf:test/clip", "--as", "clip-vit-b-32"]);
    assert_done(&output);
    assert!(stdout(&output).contains(COMMIT), "{}", stdout(&output));
    drop(hub);

    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        assert_eq!(
            fs_err::read(place.pulled("clip-vit-b-32").join(file)).unwrap(),
            fs_err::read(goldens("quick-gelu-f16").join(file)).unwrap()
        );
    }
    assert!(!place.pulled("clip-vit-b-32").join("golden.json").exists());
    let left = fs_err::read_dir(place.pulled(".unfinished"))
        .unwrap()
        .count();
    assert_eq!(left, 0, "the pull left something behind");

    let listed = stdout(&place.models(&["list"]));
    let line = |name: &str| {
        let start = format!("{name} ");
        let line = listed.lines().find(|line| line.starts_with(&start));
        line.unwrap().to_owned()
    };
    assert!(line("clip-vit-b-32").contains("its own weights"));
    assert!(line("clip-vit-b-32").contains(&format!("hf:test/clip@{COMMIT}")));
    assert!(line("clip-vit-b-16").contains("not here; hf:openai/clip-vit-base-patch16"));
    assert_done(&place.models(&["verify"]));

    let server = Process::serve(place.data.path(), &[]);
    let (_, text) = server.terminate();
    assert!(
        text.contains("clip-vit (clip-vit-b-32) for clip-vit-b-32"),
        "{text}"
    );
}

/// ours: a BERT is pulled with what says how its vectors are pooled, and serves a text model.
#[cfg(unix)]
#[test]
fn pulled_text_model_is_listed_verified_and_served_offline() {
    let place = Place::new();
    let hub = Hub::of(&goldens("bert-mean"));
    assert_done(&place.pull(&hub, &["hf:test/clip", "--as", "text-embedding-v3"]));
    assert_done(&place.pull(&hub, &["hf:test/clip"]));
    drop(hub);
    for file in [
        "config.json",
        "model.safetensors",
        "1_Pooling/config.json",
        "sentence_bert_config.json",
    ] {
        assert_eq!(
            fs_err::read(place.pulled("text-embedding-v3").join(file)).unwrap(),
            fs_err::read(goldens("bert-mean").join(file)).unwrap(),
            "{file}"
        );
    }
    let listed = stdout(&place.models(&["list"]));
    for (name, parts) in [
        ("text-embedding-v3", ["as a stand-in", COMMIT]),
        (
            "text2vec",
            ["hf:GanymedeNil/text2vec-large-chinese", "Apache-2.0"],
        ),
        (
            "m3e-base",
            ["not here; hf:moka-ai/m3e-base", "see its page"],
        ),
        ("text-embedding-v4", ["stand-in", "not public"]),
    ] {
        let start = format!("{name} ");
        let line = listed
            .lines()
            .find(|line| line.starts_with(&start))
            .unwrap();
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
    assert_done(&place.models(&["verify"]));

    let server = Process::serve(place.data.path(), &[]);
    let (_, text) = server.terminate();
    assert!(
        text.contains("bert (text-embedding-v3) as a STAND-IN"),
        "{text}"
    );
}

/// ours: a folder takes the place of the hub for text models, too; what they are not for is refused.
#[test]
fn text_model_serves_names_of_text_models_of_its_dimension() {
    let place = Place::new();
    let pull = |what: &str, from: &str| {
        let from = goldens(from);
        place.models(&["pull", what, "--from", from.to_str().unwrap()])
    };
    assert_refused(&pull("m3e-base", "bert-mean"), &["m3e-base", "768"]);
    assert_refused(
        &pull("clip-vit-b-32", "bert-mean"),
        &["clip-vit-b-32", "they embed texts"],
    );
    assert_refused(&pull("m3e-base", "gelu-f32"), &["m3e-base", "a CLIP"]);
    assert!(!place.pulled("m3e-base").exists());
    assert_done(&pull("hf:any/bert", "roberta-first"));
    let pulled = place.pulled("any--bert");
    assert!(pulled.join("1_Pooling/config.json").is_file());
    assert!(pulled.join("pytorch_model.bin").is_file());
}

/// ours: what a broken connection left is kept, and the next pull asks for the rest only.
#[test]
fn stopped_pull_goes_on_where_it_was() {
    let place = Place::new();
    let hub = Hub::of(&goldens("gelu-f32"));
    hub.cut("model.safetensors", 20_000);
    let arguments = ["hf:test/clip", "--as", "mine"];
    assert_refused(
        &place.pull(&hub, &arguments),
        &["model.safetensors", &hub.endpoint, "HF_ENDPOINT"],
    );
    assert!(!place.pulled("mine").exists());
    hub.heal();

    assert_done(&place.pull(&hub, &arguments));
    assert_eq!(hub.ranges("model.safetensors"), ["bytes=20000-"]);
    assert!(hub.ranges("config.json").is_empty(), "it was there already");
    assert_done(&place.models(&["verify", "mine"]));
}

/// ours: bytes that are not those announced never become a model, and are fetched anew.
#[test]
fn garbled_file_is_removed_and_named() {
    for (file, kind) in [
        ("model.safetensors", "sha256"),
        ("tokenizer.json", "git hash"),
    ] {
        let place = Place::new();
        let hub = Hub::of(&goldens("gelu-f32"));
        hub.garble(file);
        let arguments = ["hf:test/clip", "--as", "mine"];
        assert_refused(
            &place.pull(&hub, &arguments),
            &[file, kind, "expected", "pull again"],
        );
        assert!(!place.pulled("mine").exists());
        hub.heal();
        assert_done(&place.pull(&hub, &arguments));
        assert_eq!(hub.ranges(file), ["bytes=0-"]);
    }
}

/// ours: a failed pull leaves the model that was there.
#[test]
fn failed_pull_leaves_the_model_that_was_there() {
    let place = Place::new();
    let from = goldens("gelu-f32");
    let arguments = ["pull", "hf:test/clip", "--as", "mine", "--from"];
    assert_done(&place.models(&[&arguments[..], &[from.to_str().unwrap()]].concat()));
    let hub = Hub::of(&goldens("gelu-bf16"));
    hub.garble("model.safetensors");
    assert_refused(
        &place.pull(&hub, &["hf:test/clip", "--as", "mine"]),
        &["sha256"],
    );
    assert_done(&place.models(&["verify", "mine"]));
    hub.heal();
    assert_done(&place.pull(&hub, &["hf:test/clip", "--as", "mine"]));
    assert_eq!(
        fs_err::read(place.pulled("mine").join("model.safetensors")).unwrap(),
        fs_err::read(goldens("gelu-bf16").join("model.safetensors")).unwrap()
    );
}

/// ours: no network is needed when a folder has the files; one that has not is told what was expected.
#[test]
fn folder_takes_the_place_of_the_hub() {
    let place = Place::new();
    let from = goldens("open-clip-vit");
    let pull =
        |from: &Path| place.models(&["pull", "hf:test/clip", "--from", from.to_str().unwrap()]);
    assert_done(&pull(&from));
    let listed = stdout(&place.models(&["list"]));
    assert!(
        listed.contains("Also in") && listed.contains("test--clip"),
        "{listed}"
    );

    let empty = tempfile::tempdir().unwrap();
    assert_refused(
        &pull(empty.path()),
        &["config.json", "open_clip_config.json", "found nothing"],
    );
}

/// ours: unknown names, repositories and revisions say what there is.
#[test]
fn what_is_not_there_is_said() {
    let place = Place::new();
    let hub = Hub::of(&goldens("gelu-f32"));
    assert_refused(
        &place.pull(&hub, &["hf:test/other"]),
        &["test/other@main", &hub.endpoint, "HF_TOKEN"],
    );
    assert_refused(
        &place.pull(&hub, &["hf:test/clip@gone"]),
        &["test/clip@gone"],
    );
    assert_refused(
        &place.models(&["verify", "mine"]),
        &["mine is not in", "models pull"],
    );
    let unknown = place.models(&["pull", "clip-vit-z"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        stderr(&unknown).contains("clip-vit-b-32"),
        "{}",
        stderr(&unknown)
    );
    let unpublished = place.models(&["pull", "qwen3-vl-embedding"]);
    assert!(stderr(&unpublished).contains("no public weights"));
}

/// ours: a changed byte, a missing file and a shorter one are told apart; a server names the damaged file too.
#[test]
fn damage_is_found_and_named() {
    let place = Place::new();
    let from = goldens("quick-gelu-f16");
    let from = from.to_str().unwrap();
    assert_done(&place.models(&["pull", "clip-vit-b-32", "--from", from]));
    let weights = place.pulled("clip-vit-b-32").join("model.safetensors");
    let whole = fs_err::read(&weights).unwrap();

    let mut changed = whole.clone();
    changed[300_000] ^= 1;
    fs_err::write(&weights, changed).unwrap();
    assert_refused(
        &place.models(&["verify"]),
        &["model.safetensors", "sha256", "expected"],
    );

    fs_err::write(&weights, &whole[..1000]).unwrap();
    assert_refused(
        &place.models(&["verify"]),
        &["model.safetensors has 1000 bytes; expected"],
    );
    let refused = program()
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(place.data.path())
        .current_dir(place.data.path())
        .output()
        .unwrap();
    assert_refused(&refused, &["clip-vit-b-32", "model.safetensors is damaged"]);

    fs_err::remove_file(&weights).unwrap();
    assert_refused(&place.models(&["verify"]), &["model.safetensors"]);
}

/// ours: weights of another model than the name are refused with both values.
#[test]
fn weights_of_another_model_do_not_serve_a_name() {
    let place = Place::new();
    let from = goldens("gelu-f32");
    assert_refused(
        &place.models(&["pull", "clip-vit-b-16", "--from", from.to_str().unwrap()]),
        &["clip-vit-b-16", "64 pixels", "224"],
    );
    assert!(!place.pulled("clip-vit-b-16").exists());
}
