//! What changed in a text, by lines, in short.

use serde::Serialize;

/// No more changed lines than this are shown; the counts are whole.
pub(super) const MAX_LINES: usize = 20;
/// A shown line is cut after this many characters.
pub(super) const MAX_LINE_CHARS: usize = 200;
/// Texts whose changed middle is larger than this (lines of one times lines of the other) are taken as replaced there.
const MAX_TABLE: usize = 1_000_000;

/// The lines two texts differ in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextSummary {
    /// How many lines only the source has.
    pub added: usize,
    /// How many lines only the target has.
    pub removed: usize,
    /// The first twenty of them, by line.
    pub changes: Vec<LineChange>,
}

/// A line that one side lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineChange {
    /// True when the source has it, false when the target has it.
    pub added: bool,
    /// Its number in its own text, from 1.
    pub line: usize,
    /// The line, cut after 200 characters.
    pub text: String,
}

pub(super) fn summary(source: &str, target: &str) -> TextSummary {
    let (ours, theirs): (Vec<&str>, Vec<&str>) = (source.split('\n').collect(), target.split('\n').collect());
    let start = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
    let (mine, other) = (&ours[start..], &theirs[start..]);
    let end = mine.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
    let (mine, other) = (&mine[..mine.len() - end], &other[..other.len() - end]);
    let (keep_mine, keep_other) = common(mine, other);
    let change = |added: bool, at: usize, line: &str| LineChange {
        added,
        line: start + at + 1,
        text: line.chars().take(MAX_LINE_CHARS).collect(),
    };
    let gone = other.iter().enumerate().filter(|(at, _)| !keep_other[*at]).map(|(at, line)| change(false, at, line));
    let new = mine.iter().enumerate().filter(|(at, _)| !keep_mine[*at]).map(|(at, line)| change(true, at, line));
    let (gone, new): (Vec<_>, Vec<_>) = (gone.collect(), new.collect());
    let (added, removed) = (new.len(), gone.len());
    let mut changes: Vec<LineChange> = gone.into_iter().chain(new).collect();
    changes.sort_by_key(|change| (change.line, change.added));
    changes.truncate(MAX_LINES);
    TextSummary { added, removed, changes }
}

/// For each line of either side, whether it is part of a longest common subsequence.
fn common(ours: &[&str], theirs: &[&str]) -> (Vec<bool>, Vec<bool>) {
    let (mut mine, mut other) = (vec![false; ours.len()], vec![false; theirs.len()]);
    let width = theirs.len() + 1;
    if ours.len().saturating_mul(theirs.len()) > MAX_TABLE {
        return (mine, other);
    }
    let mut longest = vec![0u32; (ours.len() + 1) * width];
    for at in (0..ours.len()).rev() {
        for there in (0..theirs.len()).rev() {
            longest[at * width + there] = match ours[at] == theirs[there] {
                true => longest[(at + 1) * width + there + 1] + 1,
                false => longest[(at + 1) * width + there].max(longest[at * width + there + 1]),
            };
        }
    }
    let (mut at, mut there) = (0, 0);
    while at < ours.len() && there < theirs.len() {
        if ours[at] == theirs[there] {
            (mine[at], other[there]) = (true, true);
            (at, there) = (at + 1, there + 1);
        } else if longest[(at + 1) * width + there] >= longest[at * width + there + 1] {
            at += 1;
        } else {
            there += 1;
        }
    }
    (mine, other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_by_table() {
        let lines = |source: &str, target: &str| -> Vec<(bool, usize, String)> {
            let summary = summary(source, target);
            assert_eq!(summary.added + summary.removed, summary.changes.len());
            summary.changes.into_iter().map(|change| (change.added, change.line, change.text)).collect()
        };
        assert_eq!(lines("a\nb\nc", "a\nb\nc"), []);
        assert_eq!(lines("a\nB\nc", "a\nb\nc"), [(false, 2, "b".into()), (true, 2, "B".into())]);
        assert_eq!(lines("a\nnew\nb\nc", "a\nb\nc\nold"), [(true, 2, "new".into()), (false, 4, "old".into())]);
        assert_eq!(lines("a", ""), [(false, 1, "".into()), (true, 1, "a".into())]);
    }

    #[test]
    fn a_summary_is_short_and_its_counts_are_whole() {
        let long = "x".repeat(1000) + "\n";
        let summary = summary(&long.repeat(50), "");
        assert_eq!((summary.added, summary.removed), (50, 0));
        assert_eq!(summary.changes.len(), MAX_LINES);
        assert_eq!(summary.changes[0].text.len(), MAX_LINE_CHARS);
        let (many, more) = ("a\n".repeat(2000), "b\n".repeat(2000));
        assert_eq!(super::summary(&many, &more).added, 2000);
    }
}
