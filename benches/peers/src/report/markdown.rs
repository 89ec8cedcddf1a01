//! Tables in Markdown.

/// A table whose first column is to the left, and the others to the right.
pub fn table<T: AsRef<str>>(columns: &[T], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(columns.iter().map(AsRef::as_ref).collect());
    let rule = (0..columns.len()).map(|at| if at == 0 { "---" } else { "---:" });
    text += &line(rule.collect());
    for row in rows {
        text += &line(row.iter().map(String::as_str).collect());
    }
    text
}

/// A number with three significant digits, so that columns can be compared.
pub fn three(value: f64) -> String {
    match value.abs() {
        size if size >= 100. => format!("{value:.0}"),
        size if size >= 10. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A number, or what stands for none.
pub fn or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), three)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_a_cell_for_each_column() {
        let rows = [vec!["a".to_owned(), "1".to_owned()]];
        assert_eq!(
            table(&["", "ms"], &rows),
            "|  | ms |\n| --- | ---: |\n| a | 1 |\n"
        );
    }

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!(
            [three(123.4), three(12.34), three(1.234)],
            ["123", "12.3", "1.23"]
        );
        assert_eq!(or_dash(None), "–");
    }
}
