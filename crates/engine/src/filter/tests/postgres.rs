//! The language held against a real `PostgreSQL`: the same table and the same texts on both sides.
//!
//! Run by `cargo xtask test --only postgres`, which installs what it needs; ignored otherwise. Texts
//! are made by chance from fixed seeds, which a failure prints; `LOOKALIKE_POSTGRES_SEED` tries
//! another one. What the two may disagree about is listed in [`LEFT_OUT`] and [`TAKEN_TOO`], and
//! nowhere else.

mod casts;
mod cluster;
mod generate;
mod table;

use std::fmt::Write as _;

use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::Value;

use self::{cluster::Cluster, generate::Maker};
use super::{Column, FilterLimits, OrderBy, Rows};

/// One table each.
const SEEDS: [u64; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
const ROWS: usize = 40;
const FILTERS: usize = 400;
const ORDERS: usize = 100;

/// Parts of our refusals of what `PostgreSQL` takes.
const LEFT_OUT: &[&str] = &[
    // Arrays are made of literals: ARRAY[page, 1] is refused.
    "an array is made of literals",
    // numeric has no NaN and no infinities.
    "is not a decimal number",
];

/// What we take and `PostgreSQL` refuses: part of its message.
const TAKEN_TOO: &[&str] = &[];

/// Both functions answer with the numbers of rows, or with what went wrong.
const FUNCTIONS: &str = r"
CREATE OR REPLACE FUNCTION filtered(given text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN
    EXECUTE 'SELECT array_to_string(ARRAY(SELECT n FROM t WHERE ' || given || ' ORDER BY n), '','')' INTO found;
    RETURN 'rows ' || found;
EXCEPTION WHEN OTHERS THEN RETURN 'error ' || SQLSTATE || ' ' || SQLERRM;
END $$;
CREATE OR REPLACE FUNCTION ordered(given text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN
    EXECUTE 'SELECT array_to_string(ARRAY(SELECT n FROM t ORDER BY ' || given || ', n), '','')' INTO found;
    RETURN 'rows ' || found;
EXCEPTION WHEN OTHERS THEN RETURN 'error ' || SQLSTATE || ' ' || SQLERRM;
END $$;
";

/// What one side says to a text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Rows(Vec<usize>),
    /// Refused or failed: in the end there is no answer.
    Error(String),
}

struct Table {
    rows: Rows,
    script: String,
}

impl Table {
    fn new(random: &mut StdRng) -> Self {
        let rows: Vec<Value> = (0..ROWS).map(|_| table::row(random)).collect();
        Self {
            rows: Rows::new(&table::declared(), &rows),
            script: table::script(&rows),
        }
    }

    fn ours(&self, text: &str) -> Answer {
        let filter = match self.rows.parse(text) {
            Ok(filter) => filter,
            Err(error) => return Answer::Error(error.to_string()),
        };
        match self.rows.matching(&filter) {
            Ok(rows) => Answer::Rows(rows),
            Err(reason) => Answer::Error(reason),
        }
    }

    fn our_order(&self, text: &str) -> Answer {
        let order = match OrderBy::parse(text, &self.rows.fields(), &[], &FilterLimits::default()) {
            Ok(order) => order,
            Err(error) => return Answer::Error(error.to_string()),
        };
        let columns = self.rows.read(order.sources());
        let columns: Vec<&Column> = columns.iter().collect();
        let mut sorted: Vec<usize> = (0..ROWS).collect();
        sorted.sort_by(|one, other| order.compare(&columns, *one, *other));
        Answer::Rows(sorted)
    }

    fn theirs(&self, cluster: &Cluster, function: &str, texts: &[String]) -> Vec<Answer> {
        let mut script = format!(
            "{FUNCTIONS}{}CREATE TEMP TABLE texts (n int, given text);\nCOPY texts FROM STDIN;\n",
            self.script
        );
        for (at, text) in texts.iter().enumerate() {
            writeln!(script, "{at}\t{}", table::copied(text))
                .expect("writing to a string succeeds");
        }
        writeln!(
            script,
            "\\.\nCOPY (SELECT {function}(given) FROM texts ORDER BY n) TO STDOUT;"
        )
        .expect("writing to a string succeeds");
        let answers = cluster.run(&script);
        answers.lines().map(answer).collect()
    }
}

fn answer(line: &str) -> Answer {
    let line = table::uncopied(line);
    match line.strip_prefix("rows ") {
        Some(rows) => Answer::Rows(
            rows.split(',')
                .filter(|row| !row.is_empty())
                .map(|row| row.parse().unwrap())
                .collect(),
        ),
        None => Answer::Error(line),
    }
}

/// Whether the two sides agree, or differ as documented.
fn agree(ours: &Answer, theirs: &Answer) -> bool {
    let is_listed = |list: &[&str], reason: &str| list.iter().any(|part| reason.contains(part));
    match (ours, theirs) {
        (Answer::Rows(ours), Answer::Rows(theirs)) => ours == theirs,
        (Answer::Error(_), Answer::Error(_)) => true,
        (Answer::Error(reason), Answer::Rows(_)) => is_listed(LEFT_OUT, reason),
        (Answer::Rows(_), Answer::Error(reason)) => is_listed(TAKEN_TOO, reason),
    }
}

/// Counts and complaints of a run.
#[derive(Default)]
struct Verdict {
    asked: usize,
    /// Both sides gave rows.
    answered: usize,
    differences: Vec<String>,
}

impl Verdict {
    fn take(&mut self, seed: u64, text: &str, ours: &Answer, theirs: &Answer) {
        self.asked += 1;
        if matches!((ours, theirs), (Answer::Rows(_), Answer::Rows(_))) {
            self.answered += 1;
        }
        if !agree(ours, theirs) {
            self.differences.push(format!(
                "seed {seed}: {text}\n  ours   {ours:?}\n  theirs {theirs:?}"
            ));
        }
    }

    #[track_caller]
    fn close(self) {
        const SHOWN: usize = 40;
        eprintln!(
            "{} texts, {} answered by both sides, seeds {:?}",
            self.asked,
            self.answered,
            seeds()
        );
        assert!(
            self.differences.is_empty(),
            "{} differences:\n{}",
            self.differences.len(),
            self.differences[..self.differences.len().min(SHOWN)].join("\n")
        );
        // Texts that both sides refuse prove little.
        assert!(self.answered * 2 > self.asked, "too few texts are filters");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a switch of this test, not a setting"
)]
fn seeds() -> Vec<u64> {
    match std::env::var("LOOKALIKE_POSTGRES_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => SEEDS.to_vec(),
    }
}

/// ours: filters of the whole grammar select what PostgreSQL selects, or are refused where it refuses.
#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --only postgres"]
fn filters_select_what_postgresql_selects() {
    let cluster = Cluster::start();
    let mut verdict = Verdict::default();
    for seed in seeds() {
        let mut random = StdRng::seed_from_u64(seed);
        let table = Table::new(&mut random);
        let filters: Vec<String> = (0..FILTERS)
            .map(|_| Maker::new(&mut random).filter())
            .collect();
        let theirs = table.theirs(&cluster, "filtered", &filters);
        for (text, theirs) in filters.iter().zip(&theirs) {
            verdict.take(seed, text, &table.ours(text), theirs);
        }
    }
    verdict.close();
}

/// The filters that semantics.md records (QRY, LLI, DIFY), over the columns of the table.
const RECORDED: [&str; 12] = [
    "title = 'test' AND title like 'test%'",
    "title = 'test' AND short like 'test%'",
    "ref_doc_id='a'",
    "ref_doc_id IN ('a','it''s')",
    "ref_doc_id NOT IN ('a')",
    "metadata_ ->> 'k' = 'v'",
    "metadata_->>'k' IN ('v', 'w')",
    "metadata_->>'k' NOT IN ('v')",
    "metadata_::jsonb->'k' @> '[\"v\"]'",
    "metadata_ ->> 'k' = 'v' and page = 1 or page = 2",
    "(metadata_->>'n')::int > 2",
    "ref_doc_id = 'it''s' or title = 'a'",
];

/// docs, client: the filters of published clients select the same rows.
#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --only postgres"]
fn recorded_filters_select_what_postgresql_selects() {
    let cluster = Cluster::start();
    let table = Table::new(&mut StdRng::seed_from_u64(SEEDS[0]));
    let filters = RECORDED.map(str::to_owned);
    let theirs = table.theirs(&cluster, "filtered", &filters);
    assert_eq!(theirs.len(), RECORDED.len());
    for (text, theirs) in RECORDED.iter().zip(theirs) {
        assert!(matches!(theirs, Answer::Rows(_)), "{text}: {theirs:?}");
        assert_eq!(table.ours(text), theirs, "{text}");
    }
}

/// ours: orders are PostgreSQL's, NULLs included.
#[test]
#[ignore = "needs PostgreSQL: cargo xtask test --only postgres"]
fn orders_are_those_of_postgresql() {
    let cluster = Cluster::start();
    let mut verdict = Verdict::default();
    for seed in seeds() {
        let mut random = StdRng::seed_from_u64(seed);
        let table = Table::new(&mut random);
        let orders: Vec<String> = (0..ORDERS)
            .map(|_| Maker::new(&mut random).order())
            .collect();
        let theirs = table.theirs(&cluster, "ordered", &orders);
        for (text, theirs) in orders.iter().zip(&theirs) {
            verdict.take(seed, text, &table.our_order(text), theirs);
        }
    }
    verdict.close();
}
