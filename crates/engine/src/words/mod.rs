//! From a text to the words that full text looks for.
//!
//! Called for rows when a collection's texts are indexed ([`crate::lookup`]) and for queries. Both
//! go through the same steps, so that a query finds what it says however it is written:
//! compatibility forms become plain ones (`ＡＢＣ`, `ﬁ`), accents of letters are dropped, letters
//! become small; a word is a run of letters and digits.
//!
//! Scripts that put no spaces between words (Chinese, Japanese, Korean with its particles, Thai, Lao,
//! Khmer, Burmese) are cut into every character and every pair of neighbours. A query of one
//! character asks for that character, a longer one for its pairs. That needs no dictionary, so
//! nothing has to be loaded, and a word is found inside any other, which a segmenter that cuts
//! elsewhere would miss; the price is twice as many words in the index.
//!
//! Invariant: the words of a text depend on the text and the parser alone.

mod english;

use std::{borrow::Cow, collections::HashSet};

use unicode_normalization::UnicodeNormalization as _;

/// Distinct words of a query that count; what comes behind them is left out, as a model leaves out
/// what is beyond its length.
pub(crate) const MAX_QUERY_WORDS: usize = 512;

/// How words become what is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Analyzer {
    /// As they are.
    Plain,
    /// Reduced to their stems, without the commonest.
    English,
}

impl Analyzer {
    /// The one that a `Parser` asks for. Only `english` is special, as the database's text search
    /// configuration of that name is; Chinese words are found by all of them.
    pub(crate) fn named(parser: &str) -> Self {
        if parser.eq_ignore_ascii_case("english") {
            Self::English
        } else {
            Self::Plain
        }
    }

    /// The words of a row's text, each as often as it is there.
    pub(crate) fn of_row(self, text: &str) -> Vec<String> {
        let mut words = Vec::new();
        each_run(text, |run| match run {
            Run::Spaced(word) => words.extend(self.word(word)),
            Run::Unspaced(run) => {
                words.extend(run.chars().map(String::from));
                words.extend(pairs(run).map(String::from));
            }
        });
        words
    }

    /// The words that a query asks for, each once, in the order of the text.
    pub(crate) fn of_query(self, text: &str) -> Vec<String> {
        let mut words = Vec::new();
        each_run(text, |run| match run {
            Run::Spaced(word) => words.extend(self.word(word)),
            Run::Unspaced(run) if run.chars().nth(1).is_none() => words.push(run.to_owned()),
            Run::Unspaced(run) => words.extend(pairs(run).map(String::from)),
        });
        let mut seen = HashSet::new();
        words.retain(|word| seen.insert(word.clone()));
        words.truncate(MAX_QUERY_WORDS);
        words
    }

    fn word(self, word: &str) -> Option<String> {
        match self {
            Self::Plain => Some(word.to_owned()),
            Self::English => english::stem(word),
        }
    }
}

/// Calls `take` with every run of letters of one kind.
fn each_run(text: &str, mut take: impl FnMut(Run<'_>)) {
    let text = plain(text);
    let mut rest = &*text;
    while let Some(start) = rest.find(|letter| Kind::of(letter) != Kind::Between) {
        rest = &rest[start..];
        let kind = rest.chars().next().map_or(Kind::Between, Kind::of);
        let end = rest
            .find(|letter| Kind::of(letter) != kind)
            .unwrap_or(rest.len());
        let run = &rest[..end];
        rest = &rest[end..];
        take(if kind == Kind::Unspaced {
            Run::Unspaced(run)
        } else {
            Run::Spaced(run)
        });
    }
}

/// Letters of one kind in a row.
enum Run<'a> {
    /// A word.
    Spaced(&'a str),
    /// Any number of words.
    Unspaced(&'a str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Between words.
    Between,
    /// Of a script with spaces between words.
    Spaced,
    /// Of one without.
    Unspaced,
}

impl Kind {
    fn of(letter: char) -> Self {
        if letter.is_ascii() {
            return if letter.is_ascii_alphanumeric() {
                Self::Spaced
            } else {
                Self::Between
            };
        }
        match letter {
            // Thai and Lao, Burmese, Hangul's letters, Khmer.
            '\u{0e01}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{11ff}'
            | '\u{1780}'..='\u{17d3}'
            // Radicals, 々 and 〇, kana, bopomofo, Hangul's other letters.
            | '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{3096}'
            | '\u{309d}'..='\u{309f}' | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{318f}'
            | '\u{31f0}'..='\u{31ff}'
            // Characters, Hangul's syllables, and characters again.
            | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}'
            | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}' => Self::Unspaced,
            other if other.is_alphanumeric() => Self::Spaced,
            _ => Self::Between,
        }
    }
}

/// Small letters in their plain forms, without accents.
fn plain(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    // Composed again at the end: what belongs to a letter of other scripts must stay with it.
    let folded = text
        .nfkd()
        .filter(|letter| !('\u{0300}'..='\u{036f}').contains(letter))
        .nfc()
        .flat_map(char::to_lowercase)
        // A sigma at the end of a word.
        .map(|letter| if letter == 'ς' { 'σ' } else { letter })
        .collect();
    Cow::Owned(folded)
}

/// Each two neighbours of a run.
fn pairs(run: &str) -> impl Iterator<Item = &str> {
    let ends = run.char_indices().skip(2).map(|(at, _)| at);
    run.char_indices()
        .zip(ends.chain([run.len()]))
        .map(|((start, _), end)| &run[start..end])
        .filter(|pair| pair.chars().nth(1).is_some())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(text: &str) -> String {
        Analyzer::Plain.of_row(text).join("|")
    }

    fn query(text: &str) -> String {
        Analyzer::Plain.of_query(text).join("|")
    }

    #[test]
    fn words_are_runs_of_small_plain_letters() {
        assert_eq!(row("The Café, in ＴＯＫＹＯ!"), "the|cafe|in|tokyo");
        assert_eq!(row("ﬁve_o'clock v3.14"), "five|o|clock|v3|14");
        assert_eq!(row("İstanbul ΟΔΟΣ οδος Ёлка"), "istanbul|οδοσ|οδοσ|елка");
        assert_eq!(row("  — !? "), "");
        assert_eq!(query("dog Dog DOG cat"), "dog|cat");
    }

    #[test]
    fn unspaced_scripts_are_characters_and_pairs() {
        assert_eq!(row("数据库"), "数|据|库|数据|据库");
        assert_eq!(query("数据库"), "数据|据库");
        assert_eq!(query("猫"), "猫");
        assert_eq!(row("猫"), "猫");
        assert_eq!(query("GPU数据 库"), "gpu|数据|库");
        assert_eq!(query("ガラス"), "ガラ|ラス");
        assert_eq!(query("한국어"), "한국|국어");
        assert_eq!(query("狗，猫"), "狗|猫");
    }

    #[test]
    fn english_is_for_those_who_ask() {
        assert_eq!(Analyzer::named("zh_cn"), Analyzer::Plain);
        assert_eq!(Analyzer::named("English"), Analyzer::English);
        let words = |text| Analyzer::English.of_query(text).join("|");
        assert_eq!(words("The dogs are running, 狗"), "dog|run|狗");
        assert_eq!(words("of the"), "");
        assert_eq!(query("The dogs"), "the|dogs");
    }

    #[test]
    fn words_beyond_the_limit_are_left_out() {
        let text: Vec<String> = (0..=MAX_QUERY_WORDS).map(|at| format!("w{at}")).collect();
        let words = Analyzer::Plain.of_query(&text.join(" "));
        assert_eq!(words, text[..MAX_QUERY_WORDS]);
    }

    proptest! {
        #[test]
        fn any_text_finds_itself(text in "\\PC{0,40}") {
            for analyzer in [Analyzer::Plain, Analyzer::English] {
                let row = analyzer.of_row(&text);
                for word in analyzer.of_query(&text) {
                    prop_assert!(row.contains(&word), "{word} of {text}");
                }
            }
        }

        #[test]
        fn case_and_width_do_not_matter(text in "[a-z0-9 ]{0,20}") {
            let wide: String = text
                .to_uppercase()
                .chars()
                .map(|letter| match letter {
                    ' ' => '\u{3000}',
                    other => char::from_u32(u32::from(other) + 0xfee0).expect("a wide form"),
                })
                .collect();
            prop_assert_eq!(row(&wide), row(&text));
        }
    }
}
