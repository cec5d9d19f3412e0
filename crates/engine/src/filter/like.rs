//! `LIKE`: a pattern taken apart once, matched without ever going back further than one `%`.

/// A pattern, ready to be matched.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    /// What stands between the `%` signs. The first one is tied to the beginning of the text and
    /// the last one to its end; a pattern without `%` is one piece tied to both.
    pieces: Vec<Vec<Letter>>,
    /// The pieces as text where they hold no `_`, which is found faster.
    plain: Vec<Option<String>>,
    ignore_case: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letter {
    Any,
    Exactly(char),
}

impl Pattern {
    /// Takes `pattern` apart. `escape` makes the letter behind it ordinary.
    pub(crate) fn new(
        pattern: &str,
        escape: Option<char>,
        ignore_case: bool,
    ) -> Result<Self, String> {
        let mut pieces = vec![Vec::new()];
        let folded = if ignore_case {
            fold(pattern)
        } else {
            pattern.to_owned()
        };
        let mut letters = folded.chars();
        while let Some(letter) = letters.next() {
            let last = pieces.last_mut().expect("there is always a piece");
            if Some(letter) == escape {
                let escaped = letters
                    .next()
                    .ok_or("a LIKE pattern must not end with its escape character")?;
                last.push(Letter::Exactly(escaped));
            } else if letter == '%' {
                pieces.push(Vec::new());
            } else if letter == '_' {
                last.push(Letter::Any);
            } else {
                last.push(Letter::Exactly(letter));
            }
        }
        let plain = pieces.iter().map(|piece| plain(piece)).collect();
        Ok(Self {
            pieces,
            plain,
            ignore_case,
        })
    }

    /// Whether a text matches as a whole.
    pub(crate) fn matches(&self, text: &str) -> bool {
        if self.ignore_case {
            self.matches_folded(&fold(text))
        } else {
            self.matches_folded(text)
        }
    }

    fn matches_folded(&self, text: &str) -> bool {
        let last = self.pieces.len() - 1;
        let Some(mut rest) = self.after(0, text) else {
            return false;
        };
        if last == 0 {
            return rest.is_empty();
        }
        for piece in 1..last {
            // The first place is as good as any: what follows may start anywhere behind it.
            let Some(found) = self.find(piece, rest) else {
                return false;
            };
            rest = found;
        }
        self.ends(last, rest)
    }

    /// What is left of `text` behind a piece at its beginning.
    fn after<'a>(&self, piece: usize, text: &'a str) -> Option<&'a str> {
        if let Some(plain) = &self.plain[piece] {
            return text.strip_prefix(plain.as_str());
        }
        let mut letters = text.chars();
        for wanted in &self.pieces[piece] {
            let letter = letters.next()?;
            if !matches!(wanted, Letter::Any) && *wanted != Letter::Exactly(letter) {
                return None;
            }
        }
        Some(letters.as_str())
    }

    /// What is left of `text` behind the first place where a piece is.
    fn find<'a>(&self, piece: usize, text: &'a str) -> Option<&'a str> {
        if let Some(plain) = &self.plain[piece] {
            return text
                .find(plain.as_str())
                .map(|at| &text[at + plain.len()..]);
        }
        text.char_indices()
            .find_map(|(at, _)| self.after(piece, &text[at..]))
    }

    fn ends(&self, piece: usize, text: &str) -> bool {
        if let Some(plain) = &self.plain[piece] {
            return text.ends_with(plain.as_str());
        }
        let wanted = self.pieces[piece].len();
        let start = text.char_indices().rev().nth(wanted - 1);
        start.is_some_and(|(at, _)| self.after(piece, &text[at..]) == Some(""))
    }
}

fn plain(piece: &[Letter]) -> Option<String> {
    piece
        .iter()
        .map(|letter| match letter {
            Letter::Any => None,
            Letter::Exactly(letter) => Some(*letter),
        })
        .collect()
}

/// Letter by letter, as `PostgreSQL` does: what becomes several letters stays.
fn fold(text: &str) -> String {
    text.chars()
        .map(|letter| {
            let mut lower = letter.to_lowercase();
            match (lower.next(), lower.next()) {
                (Some(lower), None) => lower,
                _ => letter,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn like(text: &str, pattern: &str) -> bool {
        Pattern::new(pattern, Some('\\'), false)
            .unwrap()
            .matches(text)
    }

    #[test]
    fn wildcards_match_as_in_sql() {
        for (text, pattern, expected) in [
            ("test", "test%", true),
            ("testing", "test%", true),
            ("a test", "test%", false),
            ("abc", "a_c", true),
            ("ac", "a_c", false),
            ("狗", "_", true),
            ("", "%", true),
            ("", "", true),
            ("a", "", false),
            ("ab", "a%b%", true),
            ("aXbXc", "a%b%c", true),
            ("aab", "a%ab", true),
            ("ab", "a%ab", false),
            ("100%", r"100\%", true),
            ("100x", r"100\%", false),
            ("a_b", r"a\_b", true),
            ("abc", "%_c", true),
            ("c", "%_c", false),
            ("abcd", "%b_%", true),
            ("Dog", "dog", false),
        ] {
            assert_eq!(like(text, pattern), expected, "{text} LIKE {pattern}");
        }
    }

    #[test]
    fn escapes_and_case_can_be_chosen() {
        let matches = |text, pattern, escape, ignore_case| {
            Pattern::new(pattern, escape, ignore_case)
                .unwrap()
                .matches(text)
        };
        assert!(matches("50%", "50!%", Some('!'), false));
        assert!(matches(r"a\b", r"a\b", None, false));
        assert!(matches("DÖG", "d_G", Some('\\'), true));
        assert!(!matches("DÖG", "d_x", Some('\\'), true));
        assert!(Pattern::new("a!", Some('!'), false).is_err());
    }

    /// The definition itself, as slow as it is short.
    fn naive(text: &[char], pattern: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('%', rest)) => (0..=text.len()).any(|skip| naive(&text[skip..], rest)),
            Some((wanted, rest)) => text.split_first().is_some_and(|(letter, text)| {
                (*wanted == '_' || wanted == letter) && naive(text, rest)
            }),
        }
    }

    proptest! {
        #[test]
        fn matching_follows_the_definition(text in "[ab狗]{0,8}", pattern in "[ab狗%_]{0,6}") {
            let (letters, wanted): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
            prop_assert_eq!(like(&text, &pattern), naive(&letters, &wanted));
        }
    }
}
