//! What outlives the process.

use lookalike::client::Client;
use lookalike_wire::dto::QueryContentRequest;

use crate::program::Process;
use crate::server::{finished_job, photo, query, set_up, upload};

/// Both halves of the pair that works when no key was given.
const DEFAULT: &str = "lookalike";

fn client(process: &Process) -> Client {
    Client::new(process.endpoint.clone(), DEFAULT, DEFAULT).unwrap()
}

async fn names(client: &Client) -> Vec<String> {
    let request = QueryContentRequest {
        content: Some("flower".to_owned()),
        ..query()
    };
    client
        .call(&request)
        .await
        .unwrap()
        .matches
        .match_list
        .into_iter()
        .map(|found| found.file_name)
        .collect()
}

/// ours: what was indexed is found after a restart, and links of before still open.
#[cfg(unix)]
#[tokio::test]
async fn indexed_photo_outlives_restart_and_sigkill() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::serve(data.path(), &[]);
    assert_eq!(
        fs_err::read_to_string(data.path().join("endpoint"))
            .unwrap()
            .trim(),
        process.endpoint
    );
    let first = client(&process);
    set_up(&first).await;
    let file_url = first.upload(&photo("rose.jpg")).await.unwrap();
    let job_id = first
        .call(&upload("rose.jpg", &file_url))
        .await
        .unwrap()
        .job_id;
    assert_eq!(finished_job(&first, &job_id).await.status, "Success");
    let request = QueryContentRequest {
        content: Some("flower".to_owned()),
        ..query()
    };
    let link = first
        .call(&request)
        .await
        .unwrap()
        .matches
        .match_list
        .remove(0)
        .file_url
        .unwrap();
    let (code, _) = process.terminate();
    assert_eq!(code, Some(0), "SIGTERM ends it in order");

    let process = Process::serve(data.path(), &[]);
    assert_eq!(names(&client(&process)).await, ["rose.jpg"]);
    process.kill();

    let process = Process::serve(data.path(), &[]);
    let last = client(&process);
    assert_eq!(names(&last).await, ["rose.jpg"]);
    let path = link.split_once("/objects/").unwrap().1;
    let again = last
        .open(&format!("http://{}/objects/{path}", process.endpoint))
        .await
        .unwrap();
    assert_eq!(again, photo("rose.jpg"));
}

/// ours: an upload that was accepted is indexed although the process was killed right after.
#[tokio::test]
async fn accepted_job_survives_sigkill() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::serve(data.path(), &[]);
    let first = client(&process);
    set_up(&first).await;
    let file_url = first.upload(&photo("rose.jpg")).await.unwrap();
    let job_id = first
        .call(&upload("rose.jpg", &file_url))
        .await
        .unwrap()
        .job_id;
    process.kill();
    let process = Process::serve(data.path(), &[]);
    let second = client(&process);
    assert_eq!(finished_job(&second, &job_id).await.status, "Success");
    assert_eq!(names(&second).await, ["rose.jpg"]);
}

/// ours: the key of the certificate authority is for its owner's eyes only, and stays the same.
#[cfg(unix)]
#[test]
fn keys_in_the_data_folder_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let data = tempfile::tempdir().unwrap();
    let certificate = |process: Process| {
        drop(process);
        fs_err::read_to_string(data.path().join("ca.pem")).unwrap()
    };
    let first = certificate(Process::serve(data.path(), &[]));
    for name in ["ca-key.pem", "link-key"] {
        let mode = fs_err::metadata(data.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(certificate(Process::serve(data.path(), &[])), first);
}
