//! The call of `sqlparser`, and its complaints brought into one form.

use sqlparser::{
    ast::{Expr, OrderByExpr},
    dialect::PostgreSqlDialect,
    parser::{Parser, ParserError},
    tokenizer::{Token, TokenWithSpan},
};

use super::{
    FilterLimits,
    error::FilterError,
    token::{self, Positions},
};

/// What one level of brackets costs of the parser's own limit, and some for the start.
const LEVELS_A_BRACKET: usize = 3;

/// A condition and nothing behind it.
#[allow(
    clippy::redundant_closure_for_method_calls,
    reason = "the method itself is for one lifetime of the parser only"
)]
pub(super) fn filter(
    tokens: Vec<TokenWithSpan>,
    positions: &Positions,
    limits: &FilterLimits,
) -> Result<Expr, FilterError> {
    parse(tokens, positions, limits, |parser| parser.parse_expr())
}

/// Expressions with directions, divided by commas, and nothing behind them.
pub(super) fn order(
    tokens: Vec<TokenWithSpan>,
    positions: &Positions,
    limits: &FilterLimits,
) -> Result<Vec<OrderByExpr>, FilterError> {
    parse(tokens, positions, limits, |parser| {
        parser.parse_comma_separated(Parser::parse_order_by_expr)
    })
}

fn parse<T>(
    tokens: Vec<TokenWithSpan>,
    positions: &Positions,
    limits: &FilterLimits,
    grammar: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
) -> Result<T, FilterError> {
    let end = tokens
        .last()
        .map_or(1, |last| positions.character(last.span.end));
    let mut parser = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(
            limits
                .max_depth
                .saturating_add(1)
                .saturating_mul(LEVELS_A_BRACKET),
        )
        .with_tokens_with_locations(tokens);
    let parsed = grammar(&mut parser);
    let next = parser.peek_token();
    let at = if next.token == Token::EOF {
        end
    } else {
        positions.character(next.span.start)
    };
    match parsed {
        Ok(parsed) if next.token == Token::EOF => Ok(parsed),
        Ok(_) => Err(FilterError::new(
            at,
            format!("'{}' is not expected here", next.token),
        )),
        Err(ParserError::RecursionLimitExceeded) => Err(token::too_deep(at, limits)),
        Err(ParserError::ParserError(message) | ParserError::TokenizerError(message)) => {
            Err(complaint(&message, positions, end))
        }
    }
}

/// The parser writes the place into the text of its message, as ` at Line: 1, Column: 5`.
fn complaint(message: &str, positions: &Positions, end: usize) -> FilterError {
    let (reason, place) = message.rsplit_once(" at Line: ").unwrap_or((message, ""));
    let location = place.split_once(", Column: ").and_then(|(line, column)| {
        Some(sqlparser::tokenizer::Location {
            line: line.parse().ok()?,
            column: column.parse().ok()?,
        })
    });
    let position = location
        .filter(|location| location.line > 0)
        .map_or(end, |location| positions.character(location));
    let reason = reason.replace("Expected: ", "expected ");
    FilterError::new(position, format!("syntax error: {reason}"))
}
