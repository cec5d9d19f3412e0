//! What a text is made of by its letters: words, pieces of three letters, Chinese characters and pairs of them, hashed into a
//! few hundred numbers (Weinberger et al. 2009, arXiv:0902.2206).
//!
//! Two texts that share a rare name or a phrase of Chinese come near each other by this, whatever the words mean. Everything is
//! summed in the order of the hashes, so that the same text gives the same bits.

use std::collections::BTreeMap;

use super::words::Knowledge;

/// Places that each feature is spread over: the noise of two features that meet in one gets smaller.
const PLACES: u64 = 4;

/// How much the spelling of a word counts that the table knows by meaning; one that it does not know counts 1.
const KNOWN_WEIGHT: f32 = 0.5;
/// Of a word's weight, what the whole word has; its pieces share the rest. Both are squared lengths.
const WHOLE_WORD: f32 = 0.5;
const CHARACTER_WEIGHT: f32 = 0.5;
const PAIR_WEIGHT: f32 = 1.0;

/// Characters that stand in every Chinese text.
const EMPTY_CHARACTERS: &str = "的了是在和与及或也都就而但被把对为以于之其这那着吗呢吧";

/// The features of a text.
#[derive(Debug, Default)]
pub(super) struct Lexical {
    /// Weight by hash.
    features: BTreeMap<u64, f32>,
    /// Words whose meaning is known.
    pub(super) known: u32,
    /// Words and characters that are known by their letters only.
    unknown: u32,
    /// Words and characters of all kinds.
    pub(super) tokens: u32,
}

impl Lexical {
    /// Reads a text. `knows` is asked for each word in lower case.
    pub(super) fn read(text: &str, knows: impl Fn(&str) -> Knowledge) -> Self {
        let mut lexical = Self::default();
        let mut meaningless = Vec::new();
        for piece in pieces(text) {
            match piece {
                Piece::Word(word) => {
                    lexical.tokens = lexical.tokens.saturating_add(1);
                    match knows(&word) {
                        Knowledge::Known => {
                            lexical.known += 1;
                            lexical.add_word(&word, KNOWN_WEIGHT);
                        }
                        Knowledge::Unknown => {
                            lexical.unknown += 1;
                            lexical.add_word(&word, 1.0);
                        }
                        Knowledge::Meaningless => meaningless.push(word),
                    }
                }
                Piece::Characters(run) => lexical.add_run(&run),
            }
        }
        // "To be or not to be": better than nothing.
        if lexical.features.is_empty() {
            for word in meaningless {
                lexical.unknown += 1;
                lexical.add_word(&word, 1.0);
            }
        }
        // Signs only.
        if lexical.features.is_empty() {
            for sign in text.chars().filter(|sign| !sign.is_whitespace()) {
                lexical.unknown += 1;
                lexical.add(&[sign], 1.0);
            }
        }
        lexical
    }

    pub(super) fn is_empty(&self) -> bool {
        self.features.is_empty()
    }

    /// From 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
    pub(super) fn share_of_known(&self) -> f32 {
        self.known as f32 / (self.known + self.unknown).max(1) as f32
    }

    #[expect(clippy::cast_precision_loss, reason = "a word has a few pieces")]
    fn add_word(&mut self, word: &str, weight: f32) {
        let whole: Vec<char> = word.chars().collect();
        self.add(&whole, weight * WHOLE_WORD.sqrt());
        // Marks at both ends, so that a prefix is not taken for a piece from the middle.
        let marked: Vec<char> = ['^'].into_iter().chain(whole).chain(['$']).collect();
        let pieces = marked.windows(3);
        let share = weight * ((1.0 - WHOLE_WORD) / pieces.len().max(1) as f32).sqrt();
        for piece in pieces {
            self.add(piece, share);
        }
    }

    fn add_run(&mut self, run: &[char]) {
        let is_empty = |character: &char| EMPTY_CHARACTERS.contains(*character);
        self.tokens = self
            .tokens
            .saturating_add(u32::try_from(run.len()).unwrap_or(u32::MAX));
        for character in run.iter().filter(|character| !is_empty(character)) {
            self.unknown += 1;
            self.add(&[*character], CHARACTER_WEIGHT);
        }
        for pair in run.windows(2).filter(|pair| !pair.iter().any(is_empty)) {
            self.add(pair, PAIR_WEIGHT);
        }
    }

    fn add(&mut self, characters: &[char], weight: f32) {
        *self.features.entry(hash(characters)).or_default() += weight;
    }
}

/// Adds the features of a text to `block`, with `length` as their length all together.
pub(super) fn add_letters(lexical: &Lexical, length: f32, block: &mut [f32]) {
    let mut sum = vec![0.0; block.len()];
    for (&feature, &weight) in &lexical.features {
        // What comes ten times does not count ten times.
        let weight = weight.sqrt();
        let mut state = feature;
        for _ in 0..PLACES {
            state = mix(state.wrapping_add(0x9e37_79b9_7f4a_7c15));
            let place = usize::try_from((state >> 1) % sum.len() as u64)
                .expect("less than the length of a vector");
            sum[place] += if state & 1 == 0 { weight } else { -weight };
        }
    }
    let norm = crate::vector::norm(&sum);
    if norm > 0.0 {
        for (to, x) in block.iter_mut().zip(sum) {
            *to += x * length / norm;
        }
    }
}

/// A part of a text.
enum Piece {
    /// Letters and digits in lower case.
    Word(String),
    /// Characters of a script that has no spaces between words.
    Characters(Vec<char>),
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for character in text.chars().flat_map(char::to_lowercase) {
        if is_ideograph(character) {
            match pieces.last_mut() {
                Some((true, Piece::Characters(run))) => run.push(character),
                _ => pieces.push((true, Piece::Characters(vec![character]))),
            }
        } else if character.is_alphanumeric() {
            match pieces.last_mut() {
                Some((true, Piece::Word(word))) => word.push(character),
                _ => pieces.push((true, Piece::Word(character.to_string()))),
            }
        } else if let Some((open, _)) = pieces.last_mut() {
            *open = false;
        }
    }
    pieces.into_iter().map(|(_, piece)| piece).collect()
}

/// Han, Hiragana, Katakana, Hangul.
fn is_ideograph(character: char) -> bool {
    matches!(character,
        '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3134f}')
}

/// FNV-1a over the code points, stirred once more: its low bits alone are weak.
fn hash(characters: &[char]) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for character in characters {
        for byte in u32::from(*character).to_le_bytes() {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    mix(state)
}

/// The finaliser of `SplitMix64`.
fn mix(mut state: u64) -> u64 {
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(text: &str) -> Vec<f32> {
        let mut block = vec![0.0; 240];
        add_letters(
            &Lexical::read(text, |_| Knowledge::Unknown),
            1.0,
            &mut block,
        );
        block
    }

    fn similarity(one: &str, other: &str) -> f32 {
        let (one, other) = (letters(one), letters(other));
        one.iter().zip(other).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn likeness_follows_the_letters() {
        assert!(similarity("Contoso", "contoso!") > 0.999);
        assert!(similarity("invoice", "invoices") > 0.4);
        assert!(similarity("向量数据库", "数据库的向量索引") > 0.4);
        for (one, other) in [("Contoso", "Fabrikam"), ("天气预报", "数据库")] {
            assert!(similarity(one, other).abs() < 0.3, "{one} {other}");
        }
    }

    #[test]
    fn words_without_meaning_count_only_when_there_are_no_others() {
        let knows = |word: &str| match word {
            "the" => Knowledge::Meaningless,
            "dog" => Knowledge::Known,
            _ => Knowledge::Unknown,
        };
        let both = Lexical::read("The dog, the zyx", knows);
        assert_eq!((both.known, both.unknown, both.tokens), (1, 1, 4));
        assert_eq!(
            both.features.keys().collect::<Vec<_>>(),
            Lexical::read("dog zyx", knows)
                .features
                .keys()
                .collect::<Vec<_>>()
        );
        assert!(!Lexical::read("the", knows).is_empty());
        assert!(!Lexical::read("?!", knows).is_empty());
        assert!(Lexical::read(" \n", knows).is_empty());
    }
}
