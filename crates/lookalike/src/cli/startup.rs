//! The first lines of a server, for the person who started it.
//!
//! The first line, `listening on ADDRESS`, is for scripts too and never changes its form.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use lookalike_embed::ModelStatus;

use crate::app::App;
use crate::server::Server;

/// Writes the lines to standard output.
pub fn announce(server: &Server) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text(server.address(), server.app()).as_bytes())?;
    out.flush()
}

fn text(address: SocketAddr, app: &App) -> String {
    let mut text = format!("listening on {address}\n\n");
    let endpoint = reachable(address);
    let _ = writeln!(text, "data      {}", app.data);
    let _ = writeln!(text, "keys      {}", keys(app));
    let mut models = groups(&app.models.list()).into_iter();
    if let Some(first) = models.next() {
        let _ = writeln!(text, "models    {first}");
    }
    for group in models {
        let _ = writeln!(text, "          {group}");
    }
    let id = app
        .keys
        .ids()
        .first()
        .map_or("<access key id>", String::as_str);
    let secret = if app.keys.is_default() {
        "lookalike"
    } else {
        "<its secret>"
    };
    let _ = write!(
        text,
        "\nTo use it from a program written for the cloud, change these lines (Python; Node alike):\n\
         \x20 config = Config(access_key_id=\"{id}\", access_key_secret=\"{secret}\", region_id=\"cn-hangzhou\")\n\
         \x20 config.protocol = \"http\"\n\
         \x20 config.endpoint = \"{endpoint}\"\n\
         \x20 client._open_platform_endpoint = \"{endpoint}\"   # on the client, for local files\n\
         Local files travel over HTTPS in the newer SDKs: RuntimeOptions(ignore_ssl=True), or SSL_CERT_FILE=$(lookalike ca)\n\n\
         Open http://{endpoint}/ in a browser for more.\n"
    );
    text
}

fn keys(app: &App) -> String {
    if app.keys.allow_unsigned() {
        return "any, even none: --allow-unsigned switches the check of signatures off".to_owned();
    }
    if app.keys.is_default() {
        return "lookalike / lookalike (no --access-key was given; good on this machine only)"
            .to_owned();
    }
    app.keys.ids().join(", ")
}

/// One line for each encoder: who it is, and the models it serves.
fn groups(models: &[ModelStatus]) -> Vec<String> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for status in models {
        let encoder = &status.encoder;
        let who = if status.stand_in {
            format!("{} as a STAND-IN, not the model itself, for", encoder.name)
        } else {
            format!("{} for", encoder.name)
        };
        match groups.iter_mut().find(|(known, _)| *known == who) {
            Some((_, names)) => names.push(&status.entry.name),
            None => groups.push((who, vec![&status.entry.name])),
        }
    }
    groups
        .into_iter()
        .map(|(who, names)| format!("{who} {}", names.join(", ")))
        .collect()
}

/// An address that a program on this machine can use: the wildcard address is none.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
    } else {
        address
    }
}
