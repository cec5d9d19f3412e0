//! The command line: words, settings and their order, exit codes, generated pages.

use std::path::Path;

use crate::program::{Process, program, run, stderr, stdout};
use crate::server::photos;

/// ours: the texts a person reads change only on purpose. `help.txt` is written by hand from the output.
#[test]
fn help_reads_as_intended() {
    let expected = include_str!("help.txt");
    let output = run(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output), expected);
    let serve = stdout(&run(&["serve", "--help"]));
    for flag in [
        "--listen",
        "--data",
        "--public-url",
        "--access-key",
        "--model",
        "--threads",
        "--allow-unsigned",
        "--max-body-bytes",
    ] {
        assert!(serve.contains(flag), "{flag} is missing");
    }
}

/// ours: every flag of every command has an environment variable of ours.
#[test]
fn every_flag_has_an_environment_variable() {
    let mut command = lookalike::cli::command();
    command.build();
    let mut left: Vec<&clap::Command> = vec![&command];
    let mut seen = 0;
    while let Some(command) = left.pop() {
        left.extend(command.get_subcommands());
        for arg in command
            .get_arguments()
            .filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version" | "subcommand"))
        {
            let variable = arg
                .get_env()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            assert!(
                variable.starts_with("LOOKALIKE_"),
                "{} {arg} has {variable:?}",
                command.get_name()
            );
            seen += 1;
        }
    }
    assert!(seen > 40, "only {seen} flags were looked at");
}

/// ours: 0 done, 1 failed, 2 wrong usage.
#[test]
fn exit_codes_tell_failure_from_wrong_usage() {
    assert_eq!(run(&["--version"]).status.code(), Some(0));
    for usage in [
        &[][..],
        &["fly"],
        &["serve", "--listen", "here"],
        &["serve", "--config", "/nonexistent.toml"],
        &["embed", "--model", "x"],
    ] {
        assert_eq!(run(usage).status.code(), Some(2), "{usage:?}");
    }
    let unknown = run(&["embed", "--model", "clip-vit-z", "--text", "dog"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        stderr(&unknown).contains("clip-vit-b-32"),
        "{}",
        stderr(&unknown)
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["serve", "--data", ":memory:", "--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&address), "{}", stderr(&output));
}

/// ours: a level that is none, or that this processor lacks, is refused with those it has; one that it has is used.
#[test]
fn level_of_instructions_can_be_chosen() {
    for command in [
        &["serve", "--data", ":memory:"][..],
        &["embed", "--model", "clip-vit-b-32", "--text", "dog"],
    ] {
        let output = run(&[command, &["--cpu", "mmx"]].concat());
        assert_eq!(output.status.code(), Some(1));
        let refusal = stderr(&output);
        assert!(refusal.contains("\"mmx\": expected portable"), "{refusal}");
    }
    let foreign = if cfg!(target_arch = "aarch64") {
        "amx"
    } else {
        "neon"
    };
    let output = run(&["serve", "--data", ":memory:", "--cpu", foreign]);
    assert!(
        stderr(&output).contains("it has: portable"),
        "{}",
        stderr(&output)
    );

    let vector = |level: &[&str]| {
        let output = run(&[
            &["embed", "--model", "clip-vit-b-32", "--text", "dog"],
            level,
        ]
        .concat());
        let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let numbers = line["vector"].as_array().unwrap().iter();
        numbers
            .map(|number| number.as_f64().unwrap())
            .collect::<Vec<_>>()
    };
    let (portable, richest) = (vector(&["--cpu", "portable"]), vector(&[]));
    assert!(
        portable
            .iter()
            .zip(&richest)
            .all(|(a, b)| (a - b).abs() < 1e-5)
    );
}

/// ours: nobody gets in from outside by accident.
#[test]
fn open_address_without_keys_is_refused_with_the_remedy() {
    let output = run(&["serve", "--data", ":memory:", "--listen", "0.0.0.0:0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("--access-key"),
        "{}",
        stderr(&output)
    );
}

/// ours: a flag beats the environment, the environment beats the file, the file beats the default.
#[test]
fn settings_have_one_order() {
    let folder = tempfile::tempdir().unwrap();
    let data = |name: &str| folder.path().join(name);
    let toml = format!(
        "data = {:?}\nlisten = \"127.0.0.1:0\"\nlog = \"warn\"\n",
        data("from-file").to_str().unwrap()
    );
    fs_err::write(folder.path().join("lookalike.toml"), toml).unwrap();
    let started = |flags: &[&str], environment: Option<&Path>| {
        let mut command = program();
        command.arg("serve").args(flags).current_dir(folder.path());
        if let Some(data) = environment {
            command.env("LOOKALIKE_DATA", data);
        }
        drop(Process::start(&mut command));
    };
    started(&[], None);
    assert!(data("from-file").join("endpoint").exists());
    started(&[], Some(&data("from-environment")));
    assert!(data("from-environment").join("endpoint").exists());
    started(
        &["--data", data("from-flag").to_str().unwrap()],
        Some(&data("ignored")),
    );
    assert!(data("from-flag").join("endpoint").exists() && !data("ignored").exists());
}

/// ours: what the file says wrongly is said with the file's name.
#[test]
fn faults_of_the_file_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.toml");
    for (text, expected) in [
        ("lisen = \"x\"", "unknown setting `lisen`"),
        ("config = \"x\"", "unknown setting `config`"),
        ("threads = \"many\"", "--threads"),
        ("listen = [\"a\", \"b\"]", "one value"),
        ("listen = { a = 1 }", "must be a text"),
        ("listen = ", "other.toml"),
    ] {
        fs_err::write(&path, text).unwrap();
        let output = run(&["serve", "--config", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(
            stderr(&output).contains(expected) && stderr(&output).contains("other.toml"),
            "{text}: {}",
            stderr(&output)
        );
    }
}

/// ours: lists, sizes and truths are read from the file, with either way of joining words.
#[test]
fn file_can_say_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.toml");
    let text = "listen = \"127.0.0.1:0\"\ndata = \":memory:\"\naccess-key = [\"one:secret\", \"two:secret\"]\nallow_private_urls = true\nmax_body_bytes = \"1MiB\"\nmax-images = 7\n";
    fs_err::write(&path, text).unwrap();
    let process = Process::start(
        program()
            .args(["serve", "--log", "warn", "--config"])
            .arg(&path),
    );
    #[cfg(unix)]
    {
        let (code, rest) = process.terminate();
        assert_eq!(code, Some(0));
        assert!(
            rest.contains("one, two") && !rest.contains("secret\""),
            "{rest}"
        );
    }
}

/// ours: the first lines say which keys work, where the data is, who serves which model, what to change.
#[cfg(unix)]
#[test]
fn start_up_says_what_a_user_needs() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::serve(data.path(), &[]);
    let endpoint = process.endpoint.clone();
    let (_, text) = process.terminate();
    let folder = data.path().to_str().unwrap();
    for expected in [
        "lookalike / lookalike",
        folder,
        "STAND-IN",
        "clip-vit-b-32",
        "access_key_id=\"lookalike\"",
        "protocol = \"http\"",
        &format!("config.endpoint = \"{endpoint}\""),
        &format!("_open_platform_endpoint = \"{endpoint}\""),
    ] {
        assert!(text.contains(expected), "{expected:?} is missing:\n{text}");
    }
}

/// ours: the id that a client was told is the one in the log, in both forms of the log.
#[cfg(unix)]
#[tokio::test]
async fn log_has_the_request_id_that_the_client_got() {
    for format in ["human", "json"] {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut command = program();
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data",
            ":memory:",
            "--log-format",
            format,
        ]);
        let process =
            Process::start(command.stderr(fs_err::File::create(&log).unwrap().into_parts().0));
        let answer = crate::wire::get(&process.endpoint, "/?Action=Nothing", &[]).await;
        let id = answer.json()["RequestId"].as_str().unwrap().to_owned();
        process.terminate();
        let text = fs_err::read_to_string(&log).unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(&id)).collect();
        assert_eq!(lines.len(), 1, "{text}");
        assert!(
            lines[0].contains("MissingParameter") && !lines[0].contains('\u{1b}'),
            "{}",
            lines[0]
        );
        if format == "json" {
            let line: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
            assert_eq!(
                (&line["span"]["request_id"], &line["status"]),
                (&id.into(), &400.into())
            );
        }
    }
}

/// ours: vectors of texts and images, one JSON object a line.
#[test]
fn embed_prints_json_lines() {
    let photo = photos().join("rose.jpg");
    let output = run(&[
        "embed",
        "--model",
        "multimodal-embedding-v1",
        "--json",
        "--text",
        "a rose",
        "--image",
        photo.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("stand-in"));
    let lines: Vec<serde_json::Value> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let inputs: Vec<&str> = lines
        .iter()
        .map(|line| line["input"].as_str().unwrap())
        .collect();
    assert_eq!(inputs, ["a rose", photo.to_str().unwrap()]);
    for line in &lines {
        assert_eq!(
            (
                line["dim"].as_u64(),
                line["vector"].as_array().unwrap().len()
            ),
            (Some(1024), 1024)
        );
    }
}

/// ours: every model name of the API is listed with who serves it.
#[test]
fn models_are_listed() {
    let text = stdout(&run(&["models", "list"]));
    for name in [
        "clip-vit-b-32",
        "clip-rn50x64",
        "multimodal-embedding-v1",
        "qwen3-vl-embedding",
    ] {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")))
            .unwrap_or_else(|| panic!("{name} is missing"));
        assert!(line.contains("stand-in"), "{line}");
    }
}

/// ours: `ca` prints the path of a certificate that is there, and says what to do without a folder.
#[test]
fn ca_prints_a_path() {
    let data = tempfile::tempdir().unwrap();
    let output = run(&["ca", "--data", data.path().to_str().unwrap()]);
    let path = stdout(&output);
    assert!(
        fs_err::read_to_string(path.trim())
            .unwrap()
            .starts_with("-----BEGIN CERTIFICATE-----")
    );
    let memory = run(&["ca", "--data", ":memory:"]);
    assert_eq!(memory.status.code(), Some(1));
    assert!(stderr(&memory).contains("--data"), "{}", stderr(&memory));
}

/// ours: the demo does the whole flow and puts a dog first.
#[test]
fn demo_shows_dogs() {
    let output = program()
        .args(["demo", "--once", "--listen", "127.0.0.1:0", "--photos"])
        .arg(photos())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    let dogs = text.lines().find(|line| line.starts_with("“dog”")).unwrap();
    let names: Vec<&str> = dogs
        .split_whitespace()
        .filter(|word| lookalike_media::extension::is_image_name(word))
        .collect();
    let labels = fs_err::read_to_string(photos().join("labels.csv")).unwrap();
    for name in &names {
        let row = labels
            .lines()
            .find(|line| line.starts_with(&format!("{name},")))
            .unwrap();
        assert!(
            row.split(',')
                .nth(1)
                .unwrap()
                .split(';')
                .any(|label| label == "dog"),
            "{dogs}"
        );
    }
    assert_eq!(names.len(), 3, "{dogs}");
}

/// ours: a demo that others can reach needs a key that nobody can guess.
#[test]
fn demo_for_others_needs_a_key() {
    let open = [
        "demo",
        "--once",
        "--listen",
        "0.0.0.0:0",
        "--photos",
        photos().to_str().unwrap(),
    ]
    .map(str::to_owned);
    let arguments: Vec<&str> = open.iter().map(String::as_str).collect();
    let refused = run(&arguments);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("--access-key"),
        "{}",
        stderr(&refused)
    );
    let output = run(&[&arguments[..], &["--access-key", "mine:s3cret"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("mine") && !stdout(&output).contains("s3cret"));
}

/// ours: the pages made from the code are those in docs/.
#[test]
fn generated_pages_are_up_to_date() {
    let docs = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs"));
    for (name, text) in lookalike::reference::pages() {
        let committed = fs_err::read_to_string(docs.join(name)).unwrap_or_default();
        assert!(
            committed == text,
            "docs/{name} is out of date: cargo run -- reference --write docs"
        );
    }
}

/// ours: a container's health check needs no other program than this one.
#[test]
fn health_tells_a_ready_server_from_none() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let never_started = run(&["health", "--data", data]);
    assert_eq!(never_started.status.code(), Some(1));
    let process = Process::serve(folder.path(), &[]);
    let mut answer = run(&["health", "--data", data]);
    for _ in 0..1000 {
        if answer.status.success() {
            break;
        }
        assert!(stderr(&answer).contains("not ready"), "{}", stderr(&answer));
        answer = run(&["health", "--data", data]);
    }
    assert_eq!(stdout(&answer), format!("ready at {}\n", process.endpoint));
    process.kill();
    let killed = run(&["health", "--data", data]);
    assert_eq!(killed.status.code(), Some(1));
    assert!(stderr(&killed).contains("does not answer"));
}
