//! XML replies of the object store.
//!
//! Python's SDK parses the body of a success too and fails on an empty one
//! (wire.md 6.3). Invariant: every text is escaped, so that keys and messages
//! that hold markup stay text, and characters that XML 1.0 forbids are replaced.

use std::fmt::Write;

use super::ObjectError;

/// `Content-Type` of every reply here.
pub const CONTENT_TYPE: &str = "application/xml";

/// Body of the 201 that answers a form upload.
#[derive(Clone, Copy, Debug)]
pub struct PostResponse<'a> {
    pub bucket: &'a str,
    /// URL of the new object.
    pub location: &'a str,
    pub key: &'a str,
    /// With its quotes, as in the `ETag` header.
    pub etag: &'a str,
}

impl PostResponse<'_> {
    pub fn to_xml(&self) -> String {
        document(
            "PostResponse",
            &[
                ("Bucket", self.bucket),
                ("Location", self.location),
                ("Key", self.key),
                ("ETag", self.etag),
            ],
        )
    }
}

/// Body of a refusal.
pub fn error(error: &ObjectError, request_id: &str, host_id: &str) -> String {
    document(
        "Error",
        &[
            ("Code", error.code.as_str()),
            ("Message", &error.message),
            ("RequestId", request_id),
            ("HostId", host_id),
        ],
    )
}

fn document(root: &str, children: &[(&str, &str)]) -> String {
    let mut xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root}>\n");
    for (name, text) in children {
        let _ = writeln!(xml, "  <{name}>{}</{name}>", escape(text));
    }
    let _ = writeln!(xml, "</{root}>");
    xml
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' => escaped.push(character),
            // A bare carriage return would be read back as a line feed.
            '\r' => escaped.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::ObjectErrorCode;
    use super::*;

    #[test]
    fn a_success_names_the_object() {
        let reply = PostResponse {
            bucket: "127",
            location: "http://127.0.0.1:8443/k?a&b",
            key: "k",
            etag: "\"D41D\"",
        };
        assert_eq!(
            reply.to_xml(),
            concat!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse>\n",
                "  <Bucket>127</Bucket>\n",
                "  <Location>http://127.0.0.1:8443/k?a&amp;b</Location>\n",
                "  <Key>k</Key>\n",
                "  <ETag>&quot;D41D&quot;</ETag>\n",
                "</PostResponse>\n"
            )
        );
    }

    #[test]
    fn hostile_text_stays_text() {
        let refusal = ObjectError::new(
            ObjectErrorCode::InvalidArgument,
            "</Message><Code>x</Code>\u{0}\r",
        );
        let xml = error(&refusal, "R-1", "host");
        assert!(
            xml.contains(
                "<Message>&lt;/Message&gt;&lt;Code&gt;x&lt;/Code&gt;\u{fffd}&#13;</Message>"
            ),
            "{xml}"
        );
        assert_eq!(xml.matches("<Code>").count(), 1);
    }
}
