//! Filters and orders made by chance, over the whole grammar: most are well typed, some are not,
//! and brackets are left out often enough that precedence decides.

use rand::{Rng as _, rngs::StdRng, seq::IndexedRandom as _};

use super::table::{
    CLOCKS, COLUMNS, DAYS, DECIMALS, INT_ARRAYS, JSONS, KINDS, Kind, MOMENTS, TEXT_ARRAYS, TEXTS,
    UUIDS, WHOLES, ZONED,
};

const COMPARISONS: &[&str] = &["=", "<>", "!=", "<", "<=", ">", ">="];
const KEYS: &[&str] = &[
    "'k'", "'n'", "'list'", "'it''s'", "'狗'", "'a'", "0", "1", "-1",
];

pub(super) struct Maker<'a> {
    random: &'a mut StdRng,
}

impl<'a> Maker<'a> {
    pub(super) fn new(random: &'a mut StdRng) -> Self {
        Self { random }
    }

    pub(super) fn filter(&mut self) -> String {
        let depth = self.random.random_range(0..4);
        let text = self.condition(depth);
        if self.chance(0.2) {
            // Words of the language in small letters; what is quoted stays.
            return text
                .replace(" AND ", " and ")
                .replace(" OR ", " or ")
                .replace("NOT ", "not ")
                .replace(" IN ", " in ")
                .replace(" LIKE ", " like ");
        }
        text
    }

    pub(super) fn order(&mut self) -> String {
        let count = self.random.random_range(1..4);
        let terms: Vec<String> = (0..count)
            .map(|_| {
                let kind = *KINDS.choose(self.random).expect("there are kinds");
                let term = match kind {
                    Kind::Json if self.chance(0.7) => self.path(),
                    kind => self.column(kind),
                };
                let direction = self.pick(&["", "", " ASC", " DESC", " desc"]);
                let nulls = self.pick(&["", "", " NULLS FIRST", " NULLS LAST", " nulls last"]);
                format!("{term}{direction}{nulls}")
            })
            .collect();
        terms.join(", ")
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.random.random_bool(probability)
    }

    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from.choose(self.random)
            .expect("there is something to pick")
    }

    /// In brackets, or at the mercy of precedence.
    fn nested(&mut self, text: String) -> String {
        if self.chance(0.7) {
            format!("({text})")
        } else {
            text
        }
    }

    fn condition(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.leaf();
        }
        let inner = |maker: &mut Self| {
            let condition = maker.condition(depth - 1);
            maker.nested(condition)
        };
        match self.random.random_range(0..10) {
            0..=2 => format!("{} AND {}", inner(self), inner(self)),
            3..=5 => format!("{} OR {}", inner(self), inner(self)),
            6 => format!("NOT {}", inner(self)),
            7 => {
                let truth = self.pick(&["TRUE", "FALSE", "UNKNOWN", "NULL"]);
                let not = self.pick(&["", "NOT "]);
                format!("{} IS {not}{truth}", inner(self))
            }
            8 => format!("{} OR {} AND {}", inner(self), inner(self), inner(self)),
            _ => self.leaf(),
        }
    }

    fn leaf(&mut self) -> String {
        let kind = *KINDS.choose(self.random).expect("there are kinds");
        let not = self.pick(&["", "", "NOT "]);
        match self.random.random_range(0..16) {
            0..=4 => {
                let (left, comparison) = (self.value(kind), self.pick(COMPARISONS));
                let space = self.pick(&[" ", " ", ""]);
                format!("{left}{space}{comparison}{space}{}", self.partner(kind))
            }
            5 => {
                let (value, low, high) = (self.value(kind), self.partner(kind), self.partner(kind));
                format!("{value} {not}BETWEEN {low} AND {high}")
            }
            6 | 7 => {
                let count = self.random.random_range(1..5);
                let value = self.value(kind);
                let list: Vec<String> = (0..count)
                    .map(|_| {
                        if self.chance(0.8) {
                            self.literal(kind)
                        } else {
                            self.partner(kind)
                        }
                    })
                    .collect();
                format!("{value} {not}IN ({})", list.join(", "))
            }
            8 | 9 => {
                let value = self.value(Kind::Text);
                let like = self.pick(&["LIKE", "LIKE", "ILIKE"]);
                let pattern = self.pick(&[
                    "'a%'", "'%b'", "'_'", "'%'", "''", "'a\\_b'", "'a\\%b'", "'te_t%'", "'Ä%'",
                    "'%狗'", "'%\\\\%'", "'A'", "'%''%'", "'__'", "'%a%b%'",
                ]);
                let escape = self.pick(&["", "", "", " ESCAPE '!'", " ESCAPE ''"]);
                format!("{value} {not}{like} {pattern}{escape}")
            }
            10 => {
                let value = self.value(kind);
                let test = self.pick(&["IS NULL", "IS NOT NULL"]);
                format!("{value} {test}")
            }
            11 => {
                let (left, right) = (self.value(kind), self.partner(kind));
                format!("{left} IS {not}DISTINCT FROM {right}")
            }
            12 => {
                let value = self.value(Kind::Bool);
                match self.random.random_range(0..3) {
                    0 => value,
                    1 => format!("{not}{value}"),
                    _ => {
                        let truth = self.pick(&["TRUE", "FALSE", "UNKNOWN"]);
                        format!("{value} IS {not}{truth}")
                    }
                }
            }
            13 => {
                let kind = if self.chance(0.7) {
                    Kind::Json
                } else {
                    Kind::TextArray
                };
                let (left, right) = (self.value(kind), self.value(kind));
                let operator = self.pick(&["@>", "<@"]);
                format!("{left} {operator} {right}")
            }
            14 => {
                let kind = *[Kind::TextArray, Kind::IntArray]
                    .choose(self.random)
                    .expect("two");
                let operator = self.pick(&["@>", "<@", "&&", "="]);
                format!("{} {operator} {}", self.value(kind), self.value(kind))
            }
            _ => {
                let (kind, array) = *[
                    (Kind::Text, Kind::TextArray),
                    (Kind::Number, Kind::IntArray),
                ]
                .choose(self.random)
                .expect("two");
                let (value, comparison) = (self.value(kind), self.pick(COMPARISONS));
                let quantifier = self.pick(&["ANY", "ALL", "SOME"]);
                format!("{value} {comparison} {quantifier} ({})", self.value(array))
            }
        }
    }

    /// What a value of a kind is compared with: mostly its like.
    fn partner(&mut self, kind: Kind) -> String {
        match self.random.random_range(0..20) {
            0 => "NULL".to_owned(),
            1 => {
                let other = *KINDS.choose(self.random).expect("there are kinds");
                self.value(other)
            }
            _ => self.value(kind),
        }
    }

    fn column(&mut self, kind: Kind) -> String {
        let named: Vec<&str> = COLUMNS
            .iter()
            .filter(|(_, _, of)| *of == kind)
            .map(|(name, ..)| *name)
            .collect();
        match self.pick(&named) {
            "Label" => "\"Label\"".to_owned(),
            name if self.chance(0.05) => format!("\"{name}\""),
            name if self.chance(0.05) => name.to_uppercase(),
            name => name.to_owned(),
        }
    }

    fn value(&mut self, kind: Kind) -> String {
        match self.random.random_range(0..10) {
            0..=4 => self.column(kind),
            5..=7 => self.literal(kind),
            _ => self.derived(kind),
        }
    }

    /// A constant, with or without its type.
    fn literal(&mut self, kind: Kind) -> String {
        let (pool, types): (&[&str], &[&str]) = match kind {
            Kind::Text => (TEXTS, &["text", "varchar", "varchar(2)"]),
            Kind::Number => {
                return match self.random.random_range(0..8) {
                    0 => self.quoted_number(),
                    1 => format!("-{}", self.pick(WHOLES).trim_start_matches('-')),
                    2 => self.pick(&[".5", "1.", "1e2", "1.5e-1", "+1"]).to_owned(),
                    3..=5 => self.pick(WHOLES).to_owned(),
                    _ => self.pick(DECIMALS).to_owned(),
                };
            }
            Kind::Bool => {
                let truth = self.pick(&["TRUE", "FALSE", "'t'", "'no'", "'on'", "'1'", "'of'"]);
                return truth.to_owned();
            }
            Kind::Day => match self.random.random_range(0..3) {
                0 => (
                    DAYS,
                    &[
                        "date",
                        "timestamp",
                        "timestamptz",
                        "timestamp with time zone",
                    ],
                ),
                1 => (
                    MOMENTS,
                    &["timestamp", "date", "timestamp without time zone"],
                ),
                _ => (ZONED, &["timestamptz", "timestamp", "date"]),
            },
            Kind::Time => (CLOCKS, &["time", "time without time zone"]),
            Kind::Json => (JSONS, &["jsonb"]),
            Kind::Uuid => (UUIDS, &["uuid"]),
            Kind::TextArray => return self.array(TEXT_ARRAYS, "text[]"),
            Kind::IntArray => return self.array(INT_ARRAYS, "int[]"),
        };
        let text = quoted(self.pick(pool));
        let sql_type = self.pick(types);
        let prefix_is_possible = !sql_type.contains('(');
        match self.random.random_range(0..8) {
            0 => format!("{text}::{sql_type}"),
            1 => format!("CAST({text} AS {sql_type})"),
            2 if prefix_is_possible => format!("{sql_type} {text}"),
            _ => text,
        }
    }

    fn quoted_number(&mut self) -> String {
        let text = self.pick(&[
            "'1'",
            "' 2 '",
            "'0.5'",
            "'1e1'",
            "'NaN'",
            "'x'",
            "''",
            "'-0'",
            "'Infinity'",
        ]);
        let cast = self.pick(&[
            "",
            "",
            "::int",
            "::numeric",
            "::real",
            "::double precision",
            "::bigint",
            "::float8",
        ]);
        format!("{text}{cast}")
    }

    fn array(&mut self, pool: &[&str], sql_type: &str) -> String {
        let items: Vec<serde_json::Value> =
            serde_json::from_str(self.pick(pool)).expect("the pool is JSON");
        let elements: Vec<String> = items
            .iter()
            .map(|item| match item {
                serde_json::Value::Null => "NULL".to_owned(),
                serde_json::Value::String(text) => quoted(text),
                other => other.to_string(),
            })
            .collect();
        let constructor = format!("ARRAY[{}]", elements.join(", "));
        match self.random.random_range(0..4) {
            0 if !items.is_empty() => constructor,
            1 => format!("{constructor}::{sql_type}"),
            _ => {
                let text = quoted(&super::table::array(&items));
                let cast = self.pick(&["", ""]);
                if self.chance(0.5) {
                    format!("{text}::{sql_type}")
                } else {
                    format!("{text}{cast}")
                }
            }
        }
    }

    /// `metadata_ -> 'k' ->> 0`.
    fn path(&mut self) -> String {
        let mut path = self.column(Kind::Json);
        if self.chance(0.2) {
            path.push_str("::jsonb");
        }
        let space = self.pick(&[" ", ""]);
        for _ in 0..self.random.random_range(0..2) {
            path = format!("{path}{space}->{space}{}", self.pick(KEYS));
        }
        let last = self.pick(&["->", "->>"]);
        format!("{path}{space}{last}{space}{}", self.pick(KEYS))
    }

    /// A value out of another: a cast that no value can fail, a path, an expression.
    fn derived(&mut self, kind: Kind) -> String {
        match kind {
            Kind::Text => match self.random.random_range(0..3) {
                0 => {
                    let of = *KINDS.choose(self.random).expect("there are kinds");
                    format!("{}::text", self.column(of))
                }
                1 => format!("CAST({} AS varchar(3))", self.column(Kind::Text)),
                _ => self.path(),
            },
            Kind::Number => match self.random.random_range(0..5) {
                0 => format!(
                    "small::{}",
                    self.pick(&["int", "bigint", "numeric", "real", "double precision"])
                ),
                1 => format!(
                    "page::{}",
                    self.pick(&["bigint", "numeric", "float8", "real", "numeric(12,2)"])
                ),
                2 => "seen::int".to_owned(),
                3 => format!(
                    "price::{}",
                    self.pick(&["int", "bigint", "float8", "real", "numeric(9,1)"])
                ),
                _ => format!("- {}", self.literal(Kind::Number)),
            },
            Kind::Bool => match self.random.random_range(0..3) {
                0 => "page::bool".to_owned(),
                1 => format!("({})", self.leaf()),
                _ => "(NOT seen)".to_owned(),
            },
            Kind::Day => {
                let column = self.column(Kind::Day);
                format!(
                    "{column}::{}",
                    self.pick(&["date", "timestamp", "timestamptz"])
                )
            }
            Kind::Time => format!("{}::time", self.pick(&["taken", "sent"])),
            Kind::Json => self.path(),
            Kind::Uuid => "'{A0EEBC999C0B4EF8BB6D6BB9BD380A11}'".to_owned(),
            Kind::TextArray => "pages::text[]".to_owned(),
            Kind::IntArray => "'{1,2}'::int[]".to_owned(),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
