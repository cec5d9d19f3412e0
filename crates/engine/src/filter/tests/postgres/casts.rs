//! Every cast between every pair of types, for many literals: what is read, what is printed, and
//! what is refused.

use std::fmt::Write as _;

use super::{
    super::super::cast,
    cluster::Cluster,
    table::{self, CLOCKS, DAYS, DECIMALS, FLOATS, JSONS, MOMENTS, TEXTS, UUIDS, WHOLES, ZONED},
};
use crate::metadata::SqlType;

const TYPES: [&str; 19] = [
    "text",
    "varchar(3)",
    "smallint",
    "int",
    "bigint",
    "real",
    "double precision",
    "numeric",
    "numeric(5,1)",
    "boolean",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "jsonb",
    "uuid",
    "text[]",
    "int[]",
    "numeric[]",
];

/// Literals beside those of the tables, odd ones among them.
const NUMBERS: &[&str] = &[
    " 7 ",
    "+7",
    "7.",
    ".7",
    "1e3",
    "1E-3",
    "--1",
    "",
    "x",
    "1_000",
    "0x10",
    "32768",
    "-32769",
    "2147483648",
    "9223372036854775808",
    "-9223372036854775808",
    "1e400",
    "1e39",
    "1e-400",
    "nan",
    "inf",
    "-inf",
    "infinity",
    "+Infinity",
    "1.5",
    "2.5",
    "-0.5",
    "123456.789",
    "0.000001",
    "1e20",
    "1e21",
    "99999.95",
    "12345678901234567890.5",
    "16777217",
    "1e15",
    "123456789012345680",
    "0.00001",
    "1000000",
    "1e-5",
    "9007199254740993",
];
const TRUTHS: &[&str] = &[
    "t", "f", "true", "FALSE", " yes ", "no", "on", "of", "off", "o", "1", "0", "2", "tru", "y",
    "n",
];
const DATES: &[&str] = &[
    "2024-1-8",
    "20240108",
    "2024/01/08",
    "1/8/2024",
    "2024-01-08 16:52:04+08",
    "2024-01-08T16:52:04Z",
    "2024-01-08T16:52",
    "2024-02-30",
    "2024-13-01",
    "epoch",
    "infinity",
    "-infinity",
    "2024-01-08 24:00:00",
    "2024-01-08 23:59:60",
    "2024-01-08 16:52:04.1234567",
    "2024-01-08 4:52 PM",
    "2024-01-08 16:52:04 UTC",
    "2024-01-08 16:52:04-0530",
    "2024-01-08 16:52:04+15:59:59",
    "2024-01-08 16:52:04+16",
    " 2024-01-08 ",
    "soon",
    "24-01-08",
    "2024-01",
    "0000-01-01",
    "10000-01-01",
    "99999-01-01",
];
const TIMES: &[&str] = &[
    "16:52",
    "4:52:04.5 PM",
    "12:00 am",
    "24:00:00",
    "24:00:01",
    "23:59:60",
    "16:52:04+08",
    "16",
    "165204",
    "1:2:3",
    "16:52:04.9999999",
];
const JSON_TEXTS: &[&str] = &[
    "{",
    "null",
    "[1,]",
    r#"{"a":1,"a":2}"#,
    r#""\u0041\n""#,
    "1e2",
    "1.10",
    "-0",
    "12345678901234567890",
    " [ 1 , {\"b\":2 , \"a\":1} ] ",
    "'x'",
    "0.1e-3",
    r#"{"bb":1,"a":2}"#,
];
const UUID_TEXTS: &[&str] = &[
    "{A0EEBC999C0B4EF8BB6D6BB9BD380A11}",
    "a0eebc999c0b4ef8bb6d6bb9bd380a11",
    "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
    "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
    "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
    "a0eebc99",
    "urn:uuid:a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
];
const ARRAYS: &[&str] = &[
    "{}",
    "{1}",
    "{1,2}",
    "{ 1 , 2 }",
    "{1,NULL}",
    "{1,null}",
    "{\"1\",\"a b\"}",
    "{a,\"NULL\",\"q\\\"x\"}",
    "{1,}",
    "{,}",
    "1,2",
    "{1,2",
    "{{1,2},{3,4}}",
    "{{1},{2,3}}",
    "[1:2]={1,2}",
    "{a\\,b}",
    "{\"\"}",
    "{ }",
    "{1 2}",
    "{1.5}",
    "{t}",
];

fn literals(sql_type: &str) -> Vec<&'static str> {
    let pools: &[&[&str]] = match sql_type {
        "smallint" | "int" | "bigint" => &[WHOLES, NUMBERS],
        "real" | "double precision" => &[FLOATS, NUMBERS],
        "numeric" | "numeric(5,1)" => &[DECIMALS, NUMBERS],
        "boolean" => &[TRUTHS],
        "date" | "timestamp" | "timestamptz" => &[DAYS, MOMENTS, ZONED, DATES],
        "time" => &[CLOCKS, TIMES, MOMENTS],
        "jsonb" => &[JSONS, JSON_TEXTS],
        "uuid" => &[UUIDS, UUID_TEXTS],
        "text[]" | "int[]" | "numeric[]" => &[ARRAYS],
        _ => &[TEXTS, WHOLES, TRUTHS, DAYS, &["1.5", "{1,2}", "x"]],
    };
    pools.concat()
}

/// Literals that one side reads and the other does not: the type and why.
const STANDING: &[(&str, &[&str])] = &[
    // No NaN and no infinities in numeric.
    ("numeric", &["nan", "inf", "-inf", "infinity", "+Infinity"]),
    ("numeric(5,1)", &["nan"]),
    // The C library reads hexadecimal floats.
    ("real", &["0x10"]),
    ("double precision", &["0x10"]),
    // The calendar has the years from -9999 to 9999, the year 0 among them.
    ("date", &["0000-01-01", "10000-01-01", "99999-01-01"]),
    ("timestamp", &["0000-01-01", "10000-01-01", "99999-01-01"]),
    ("timestamptz", &["0000-01-01", "10000-01-01", "99999-01-01"]),
    // Times have colons.
    ("time", &["165204"]),
    // Numbers in JSON keep their value, not their digits.
    ("jsonb", &["1e2", "1.10"]),
    // Literals of arrays have one dimension that starts at 1.
    ("text[]", &["{{1,2},{3,4}}", "[1:2]={1,2}"]),
    ("int[]", &["{{1,2},{3,4}}", "[1:2]={1,2}"]),
    ("numeric[]", &["{{1,2},{3,4}}", "[1:2]={1,2}"]),
];

/// Whether a difference stands: the literal is listed, or a float that numeric does not have.
fn stands(from: &str, to: &str, literal: &str, theirs: Option<&str>) -> bool {
    let is_listed = STANDING
        .iter()
        .any(|(of, literals)| *of == from && literals.contains(&literal));
    let is_no_number = matches!(theirs, Some("NaN" | "Infinity" | "-Infinity"));
    is_listed || (to.starts_with("numeric") && is_no_number)
}

/// ours: literals are read, cast and printed as PostgreSQL does.
#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --only postgres"]
fn casts_are_those_of_postgresql() {
    let cases: Vec<(&str, &str, &str)> = TYPES
        .iter()
        .flat_map(|from| {
            literals(from)
                .into_iter()
                .map(move |literal| (*from, literal))
        })
        .flat_map(|(from, literal)| TYPES.iter().map(move |to| (from, literal, *to)))
        .collect();
    let mut script = String::from(
        "CREATE FUNCTION pg_temp.casted(literal text, one text, other text) RETURNS text LANGUAGE plpgsql AS $$
         DECLARE found text;
         BEGIN
             EXECUTE format('SELECT ((%L::%s)::%s)::text', literal, one, other) INTO found;
             RETURN 'is ' || coalesce(found, 'NULL');
         EXCEPTION WHEN OTHERS THEN RETURN 'error ' || SQLSTATE || ' ' || SQLERRM;
         END $$;
         CREATE TEMP TABLE cases (n int, literal text, one text, other text);\nCOPY cases FROM STDIN;\n",
    );
    for (at, (from, literal, to)) in cases.iter().enumerate() {
        writeln!(script, "{at}\t{}\t{from}\t{to}", table::copied(literal))
            .expect("writing to a string succeeds");
    }
    script.push_str(
        "\\.\nCOPY (SELECT pg_temp.casted(literal, one, other) FROM cases ORDER BY n) TO STDOUT;\n",
    );
    let answers = Cluster::start().run(&script);
    let mut differences = Vec::new();
    let mut count = 0;
    for ((from, literal, to), line) in cases.iter().zip(answers.lines()) {
        count += 1;
        let line = table::uncopied(line);
        let theirs = line.strip_prefix("is ");
        let ours = ours(literal, from, to);
        if ours.as_deref().ok() != theirs && !stands(from, to, literal, theirs) {
            differences.push(format!(
                "'{literal}'::{from}::{to}\n  ours   {ours:?}\n  theirs {line}"
            ));
        }
    }
    assert_eq!(count, cases.len());
    eprintln!("{count} casts");
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

/// What our side makes of it, as text.
fn ours(literal: &str, from: &str, to: &str) -> Result<String, String> {
    let (from, to) = (SqlType::parse(from).unwrap(), SqlType::parse(to).unwrap());
    let value = cast::parse(literal, &from)?;
    cast::allowed(&from, &to).ok_or_else(|| format!("{from} cannot be cast to {to}"))?;
    let value = cast::cast(value, &from, &to)?;
    Ok(if value.is_null() {
        "NULL".to_owned()
    } else {
        cast::text(&value, &to)
    })
}
