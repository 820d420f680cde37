//! Columns for people: no lines, no colour. In a terminal wide columns wrap and those that matter least are left out; in a
//! pipe nothing is cut, so that `grep` and `awk` find what is there.

use comfy_table::{ColumnConstraint, ContentArrangement, Table as Grid};

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    title: &'static str,
    /// Terminals narrower than this do without it; 0 for a column that is always there.
    from_width: u16,
    /// Never broken over lines: ids are copied.
    whole: bool,
}

impl Column {
    /// Always there; breaks between words when it must.
    pub(crate) const fn new(title: &'static str) -> Self {
        Self { title, from_width: 0, whole: false }
    }

    /// Always there, never broken.
    pub(crate) const fn whole(title: &'static str) -> Self {
        Self { title, from_width: 0, whole: true }
    }

    /// Only in terminals at least this wide.
    pub(crate) const fn on_screens_of(self, columns: u16) -> Self {
        Self { from_width: columns, ..self }
    }
}

/// Rows under titles.
pub(crate) struct Table {
    columns: &'static [Column],
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: &'static [Column]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// As many cells as there are columns; an empty one is shown as `-`.
    pub(crate) fn row<const CELLS: usize>(&mut self, cells: [String; CELLS]) {
        debug_assert_eq!(CELLS, self.columns.len());
        self.rows.push(
            cells.into_iter().map(|cell| if cell.is_empty() { "-".to_owned() } else { one_line(&cell) }).collect(),
        );
    }

    /// The text, each line ended; `width` is the terminal's.
    pub(crate) fn shown(&self, width: Option<u16>) -> String {
        let fits = |column: &Column| width.is_none_or(|width| column.from_width <= width);
        let shown: Vec<_> = self.columns.iter().enumerate().filter(|(_, column)| fits(column)).collect();
        let mut grid = Grid::new();
        grid.load_style(comfy_table::presets::NOTHING);
        match width {
            Some(width) => grid.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
            None => grid.set_content_arrangement(ContentArrangement::Disabled),
        };
        grid.set_header(shown.iter().map(|(_, column)| column.title));
        for row in &self.rows {
            grid.add_row(shown.iter().map(|(position, _)| row[*position].as_str()));
        }
        for ((_, column), drawn) in shown.iter().zip(grid.column_iter_mut()) {
            drawn.set_padding((0, 2));
            if column.whole {
                drawn.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        grid.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }
}

/// Names come from other people's tenants: what would move the cursor or break the row is shown as a space.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        const COLUMNS: [Column; 3] =
            [Column::whole("ID"), Column::new("NAME"), Column::new("DOMAIN").on_screens_of(60)];
        let mut table = Table::new(&COLUMNS);
        table.row(["0192-aa".into(), "A rather long name of a tenant".into(), "contoso.example".into()]);
        table.row(["0192-bb".into(), "Short".into(), String::new()]);
        table
    }

    #[test]
    fn in_a_pipe_nothing_is_cut() {
        assert_eq!(
            sample().shown(None),
            "ID       NAME                            DOMAIN\n\
             0192-aa  A rather long name of a tenant  contoso.example\n\
             0192-bb  Short                           -\n"
        );
    }

    #[test]
    fn a_narrow_terminal_wraps_and_leaves_out_but_never_breaks_an_id() {
        let narrow = sample().shown(Some(30));
        assert!(narrow.lines().all(|line| line.chars().count() <= 30), "{narrow}");
        assert!(!narrow.contains("DOMAIN") && narrow.contains("0192-aa"), "{narrow}");
        assert!(sample().shown(Some(80)).contains("DOMAIN"));
    }

    #[test]
    fn a_name_cannot_move_the_cursor() {
        const COLUMNS: [Column; 1] = [Column::new("NAME")];
        let mut table = Table::new(&COLUMNS);
        table.row(["evil\u{1b}[2J\r\nname".into()]);
        assert_eq!(table.shown(None), "NAME\nevil [2J  name\n");
    }
}
