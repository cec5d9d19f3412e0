//! Strangers' bytes as text that is safe to show on one line.
//!
//! Member names and library messages pass through here. What is escaped:
//!
//! - control characters, line and paragraph separators, marks that change the
//!   writing direction and the byte order mark become `\u{202e}`;
//! - bytes that are not UTF-8 become `\xff`;
//! - everything else, quotes and markup too, stays: whoever puts text into HTML or
//!   SQL escapes it there.

use std::fmt::Write;

/// Characters of a name or message that are shown before it is cut.
const MAX_CHARS: usize = 200;

/// Any bytes, escaped, and cut where they get long.
pub(crate) fn show(raw: impl AsRef<[u8]>) -> String {
    let mut shown = String::new();
    escape_into(&mut shown, raw.as_ref());
    if let Some((at, _)) = shown.char_indices().nth(MAX_CHARS) {
        shown.truncate(at);
        shown.push('…');
    }
    shown
}

/// Appends `raw`, escaped.
pub(crate) fn escape_into(out: &mut String, raw: &[u8]) {
    for chunk in raw.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_unsafe_to_show(c) {
                write!(out, "\\u{{{:x}}}", u32::from(c)).expect("a String takes every write");
            } else {
                out.push(c);
            }
        }
        for byte in chunk.invalid() {
            write!(out, "\\x{byte:02x}").expect("a String takes every write");
        }
    }
}

/// Characters that end a line, move the cursor or turn the text around (Unicode
/// Technical Report 36, section 2.6; UAX 9 for the direction marks).
fn is_unsafe_to_show(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_the_cursor_or_turns_the_text_is_escaped() {
        assert_eq!(show("a\n\u{202e}b\u{1b}[2J"), "a\\u{a}\\u{202e}b\\u{1b}[2J");
        assert_eq!(show(b"caf\xe9"), "caf\\xe9");
        assert_eq!(show("写真 <b>é</b>"), "写真 <b>é</b>");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let long = "é".repeat(MAX_CHARS);
        assert_eq!(show(&long), long);
        assert_eq!(show(format!("{long}é")), format!("{long}…"));
    }
}
