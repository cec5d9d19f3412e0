//! The words and signs of a filter, looked at before any grammar: what is not part of the language
//! is refused here, by name and place, and the limits hold before the parser spends stack on nesting.
//!
//! Fields are marked as such (quoted, in the spelling of their declaration), so that a field called
//! `date` or `user` is never read as SQL's word of that name.

use sqlparser::{
    dialect::PostgreSqlDialect,
    keywords::Keyword,
    tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, Word},
};

use super::{Fields, FilterLimits, error::FilterError};

/// What the language has, for messages.
pub(super) const LANGUAGE: &str = "= <> != < <= > >=, AND, OR, NOT, IN, BETWEEN, LIKE, ILIKE, IS NULL, \
    ->, ->>, @>, <@, &&, = ANY (...), casts with ::type or CAST, and literals; no functions, no \
    subqueries, no arithmetic";

const FILTER_WORDS: &[Keyword] = &[
    Keyword::ALL,
    Keyword::AND,
    Keyword::ANY,
    Keyword::ARRAY,
    Keyword::AS,
    Keyword::BETWEEN,
    Keyword::CAST,
    Keyword::DISTINCT,
    Keyword::FALSE,
    Keyword::FROM,
    Keyword::ILIKE,
    Keyword::IN,
    Keyword::IS,
    Keyword::LIKE,
    Keyword::NOT,
    Keyword::NULL,
    Keyword::OR,
    Keyword::SOME,
    Keyword::TRUE,
];

const ORDER_WORDS: &[Keyword] = &[Keyword::AS, Keyword::ASC, Keyword::CAST, Keyword::DESC];

/// Words of the names of types.
const TYPE_WORDS: &[&str] = &[
    "text",
    "varchar",
    "char",
    "character",
    "varying",
    "bpchar",
    "smallint",
    "int2",
    "int",
    "integer",
    "int4",
    "bigint",
    "int8",
    "real",
    "float4",
    "double",
    "precision",
    "float",
    "float8",
    "numeric",
    "decimal",
    "dec",
    "bool",
    "boolean",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "with",
    "without",
    "zone",
    "json",
    "jsonb",
    "uuid",
];

/// Which of the two languages a text is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Filter,
    Order,
}

/// From the tokenizer's lines and columns to characters.
pub(super) struct Positions {
    /// Characters before each line.
    lines: Vec<usize>,
}

impl Positions {
    fn new(text: &str) -> Self {
        let newlines = text
            .chars()
            .enumerate()
            .filter(|(_, letter)| *letter == '\n')
            .map(|(at, _)| at + 1);
        Self {
            lines: std::iter::once(0).chain(newlines).collect(),
        }
    }

    /// The character at a place, counted from 1; 1 for the empty place.
    pub(super) fn character(&self, at: Location) -> usize {
        let line = usize::try_from(at.line).unwrap_or(0);
        let before = line.checked_sub(1).and_then(|line| self.lines.get(line));
        let column = usize::try_from(at.column).unwrap_or(0);
        (before.copied().unwrap_or(0) + column).max(1)
    }
}

/// Splits a text and checks every token.
pub(super) fn read(
    text: &str,
    language: Language,
    fields: &Fields<'_>,
    limits: &FilterLimits,
) -> Result<(Vec<TokenWithSpan>, Positions), FilterError> {
    if text.len() > limits.max_bytes {
        return Err(FilterError::new(
            text.char_indices()
                .take_while(|(at, _)| *at < limits.max_bytes)
                .count(),
            format!(
                "has {} bytes, more than the limit of {} (setting max_filter_bytes)",
                text.len(),
                limits.max_bytes
            ),
        ));
    }
    let positions = Positions::new(text);
    let mut tokens = Tokenizer::new(&PostgreSqlDialect {}, text)
        .tokenize_with_location()
        .map_err(|error| FilterError::new(positions.character(error.location), error.message))?;
    if let Some(comment) = tokens.iter().find(|token| is_comment(&token.token)) {
        let at = positions.character(comment.span.start);
        return Err(FilterError::new(
            at,
            "comments are not part of the filter language",
        ));
    }
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    let mut tokens: Vec<TokenWithSpan> = tokens.into_iter().flat_map(without_signs).collect();
    if let Some(pair) = tokens
        .windows(2)
        .find(|pair| sign_behind_unequal(text, pair, &positions))
    {
        let at = positions.character(pair[1].span.start);
        let reason = "between != and a sign there must be a space, as PostgreSQL wants it";
        return Err(FilterError::new(at, reason));
    }
    bound(&tokens, &positions, limits)?;
    for at in 0..tokens.len() {
        let position = positions.character(tokens[at].span.start);
        if let Token::Word(word) = &tokens[at].token {
            let replaced = self::word(word, &tokens, at, language, fields)
                .map_err(|reason| FilterError::new(position, reason))?;
            if let Some(name) = replaced {
                tokens[at].token = Token::make_word(&name, Some('"'));
            }
        } else if !is_sign(&tokens[at].token) {
            let shown = &tokens[at].token;
            let reason =
                format!("'{shown}' is not part of the filter language, which has {LANGUAGE}");
            return Err(FilterError::new(position, reason));
        }
    }
    Ok((tokens, positions))
}

/// `->>-1` is `->>` and `-1`: an operator of these signs does not end with one in `PostgreSQL`.
fn without_signs(token: TokenWithSpan) -> Vec<TokenWithSpan> {
    let Token::CustomBinaryOperator(written) = &token.token else {
        return vec![token];
    };
    let operator = written.trim_end_matches(['+', '-']);
    let meant = match operator {
        "=" => Token::Eq,
        "<>" => Token::Neq,
        "<" => Token::Lt,
        "<=" => Token::LtEq,
        ">" => Token::Gt,
        ">=" => Token::GtEq,
        "->" => Token::Arrow,
        "->>" => Token::LongArrow,
        _ => return vec![token],
    };
    let mut at = token.span.start;
    let mut parts = Vec::new();
    let signs = written[operator.len()..].chars().map(|sign| {
        let sign = if sign == '-' {
            Token::Minus
        } else {
            Token::Plus
        };
        (sign, 1)
    });
    for (part, width) in std::iter::once((meant, operator.len() as u64)).chain(signs) {
        let start = at;
        at.column += width;
        parts.push(TokenWithSpan::new(part, Span::new(start, at)));
    }
    parts
}

/// `a!=-1` is an operator `!=-` to `PostgreSQL`, which has none such.
fn sign_behind_unequal(text: &str, pair: &[TokenWithSpan], positions: &Positions) -> bool {
    let [operator, sign] = pair else {
        return false;
    };
    operator.token == Token::Neq
        && matches!(sign.token, Token::Minus | Token::Plus)
        && operator.span.end == sign.span.start
        && text
            .chars()
            .nth(positions.character(operator.span.start) - 1)
            == Some('!')
}

fn is_comment(token: &Token) -> bool {
    use sqlparser::tokenizer::Whitespace;
    matches!(
        token,
        Token::Whitespace(Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_))
    )
}

/// Nesting and number of terms. A list of literals counts nothing, however long it is.
fn bound(
    tokens: &[TokenWithSpan],
    positions: &Positions,
    limits: &FilterLimits,
) -> Result<(), FilterError> {
    let (mut brackets, mut prefixes, mut terms) = (0_usize, 0_usize, 0_usize);
    for token in tokens {
        let prefix = matches!(&token.token, Token::Minus | Token::Plus)
            || matches!(&token.token, Token::Word(word) if word.keyword == Keyword::NOT);
        prefixes = if prefix { prefixes + 1 } else { 0 };
        match &token.token {
            Token::LParen | Token::LBracket => brackets += 1,
            Token::RParen | Token::RBracket => brackets = brackets.saturating_sub(1),
            Token::Comma
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::DollarQuotedString(_) => {}
            _ => terms += 1,
        }
        let at = || positions.character(token.span.start);
        if brackets + prefixes > limits.max_depth {
            return Err(too_deep(at(), limits));
        }
        if terms > limits.max_terms {
            let reason = format!(
                "has more than {} names, words and operators, which is the limit (setting \
                 max_filter_terms)",
                limits.max_terms
            );
            return Err(FilterError::new(at(), reason));
        }
    }
    Ok(())
}

pub(super) fn too_deep(position: usize, limits: &FilterLimits) -> FilterError {
    let reason = format!(
        "is nested more than {} deep, which is the limit (setting max_filter_depth)",
        limits.max_depth
    );
    FilterError::new(position, reason)
}

fn is_sign(token: &Token) -> bool {
    matches!(
        token,
        Token::Number(_, false)
            | Token::SingleQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::DollarQuotedString(_)
            | Token::Comma
            | Token::Eq
            | Token::Neq
            | Token::Lt
            | Token::Gt
            | Token::LtEq
            | Token::GtEq
            | Token::Plus
            | Token::Minus
            | Token::LParen
            | Token::RParen
            | Token::LBracket
            | Token::RBracket
            | Token::DoubleColon
            | Token::Arrow
            | Token::LongArrow
            | Token::AtArrow
            | Token::ArrowAt
            | Token::Overlap
    )
}

/// What a word is: a field (its declared name), a word of the language (`None`), or an error.
fn word(
    word: &Word,
    tokens: &[TokenWithSpan],
    at: usize,
    language: Language,
    fields: &Fields<'_>,
) -> Result<Option<String>, String> {
    let before = at.checked_sub(1).map(|before| &tokens[before].token);
    let after = tokens.get(at + 1).map(|after| &after.token);
    let shown = &word.value;
    if word.quote_style.is_some() {
        return match fields.exactly(shown) {
            Some(name) => Ok(Some(name.to_owned())),
            None => Err(fields.unknown(shown)),
        };
    }
    let words = match language {
        Language::Filter => FILTER_WORDS,
        Language::Order => ORDER_WORDS,
    };
    if words.contains(&word.keyword) || is_word_in_place(word.keyword, before, after, language) {
        return Ok(None);
    }
    let is_type_word = TYPE_WORDS
        .iter()
        .any(|name| shown.eq_ignore_ascii_case(name));
    if is_type_word && names_a_type(word, before, after) {
        return Ok(None);
    }
    let is_call = after == Some(&Token::LParen);
    match fields.of_word(shown)? {
        Some(name) if !is_call => Ok(Some(name.to_owned())),
        _ if is_call => Err(format!(
            "'{shown}' is a function, and functions are not part of the filter language, which has \
             {LANGUAGE}"
        )),
        _ if matches!(before, Some(Token::DoubleColon)) => {
            Err(format!("there is no type '{shown}'"))
        }
        _ => Err(fields.unknown(shown)),
    }
}

/// Words that are only words of the language where grammar has a place for them.
fn is_word_in_place(
    keyword: Keyword,
    before: Option<&Token>,
    after: Option<&Token>,
    language: Language,
) -> bool {
    let keyword_of = |token: Option<&Token>| match token {
        Some(Token::Word(word)) if word.quote_style.is_none() => word.keyword,
        _ => Keyword::NoKeyword,
    };
    match (language, keyword) {
        (Language::Filter, Keyword::UNKNOWN) => {
            matches!(keyword_of(before), Keyword::IS | Keyword::NOT)
        }
        (Language::Filter, Keyword::ESCAPE) => matches!(
            after,
            Some(Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_))
        ),
        (Language::Order, Keyword::NULLS) => {
            matches!(keyword_of(after), Keyword::FIRST | Keyword::LAST)
        }
        (Language::Order, Keyword::FIRST | Keyword::LAST) => keyword_of(before) == Keyword::NULLS,
        _ => false,
    }
}

/// Whether a word that could be a type's stands where a type does: behind `::` or `AS`, within a
/// name of several words, or before the text of a literal.
fn names_a_type(word: &Word, before: Option<&Token>, after: Option<&Token>) -> bool {
    let is_word = |token: Option<&Token>, words: &[&str]| {
        matches!(token, Some(Token::Word(word)) if word.quote_style.is_none()
            && words.iter().any(|name| word.value.eq_ignore_ascii_case(name)))
    };
    let continues = |name: &str| {
        ["varying", "precision", "with", "without", "zone"]
            .iter()
            .any(|part| name.eq_ignore_ascii_case(part))
    };
    matches!(before, Some(Token::DoubleColon))
        || is_word(before, &["as", "with", "without"])
        || matches!(after, Some(Token::SingleQuotedString(_)))
        || is_word(after, &["varying", "precision", "with", "without"])
        || (continues(&word.value)
            && (is_word(before, TYPE_WORDS) || before == Some(&Token::RParen)))
}
