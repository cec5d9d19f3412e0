//! Tables on a terminal: left-aligned columns, two blanks between them, no trailing ones.

use std::fmt;

/// Rows of `N` texts under a heading.
pub struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub fn new(heading: [&str; N]) -> Self {
        Self {
            rows: vec![heading.map(str::to_owned)],
        }
    }

    pub fn row(&mut self, row: [String; N]) {
        self.rows.push(row);
    }

    fn width(&self, column: usize) -> usize {
        self.rows
            .iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or_default()
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: [usize; N] = std::array::from_fn(|column| self.width(column));
        let line = |row: &[String; N]| {
            let cells: Vec<String> = row
                .iter()
                .zip(widths)
                .map(|(text, width)| format!("{text:width$}"))
                .collect();
            cells.join("  ").trim_end().to_owned()
        };
        for (at, row) in self.rows.iter().enumerate() {
            writeln!(formatter, "{}", line(row))?;
            if at == 0 {
                writeln!(
                    formatter,
                    "{}",
                    widths.map(|width| "─".repeat(width)).join("  ")
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(["name", "n"]);
        table.row(["a longer one".to_owned(), "1".to_owned()]);
        table.row(["狗".to_owned(), String::new()]);
        assert_eq!(
            table.to_string(),
            "name          n\n────────────  ─\na longer one  1\n狗\n"
        );
    }
}
