//! "Did you mean": the candidate nearest to a name that is not there.

/// Longer names are compared by their beginnings, so that the time stays bounded.
const MOST_COMPARED: usize = 64;

/// The candidate that is few edits away from `name`, the first of the nearest; `None` where all are too different.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.chars().take(MOST_COMPARED).collect();
    // A third of the letters may differ, and one letter of a short name.
    let limit = (wanted.len() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let letters: Vec<char> = candidate.chars().take(MOST_COMPARED).collect();
        if candidate == name || letters.len().abs_diff(wanted.len()) > limit {
            continue;
        }
        let distance = distance(&wanted, &letters);
        let unrelated = distance > 1 && distance.div_ceil(2) >= wanted.len().max(letters.len());
        if distance <= 2 * limit && !unrelated && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours from `a` to `b`, each counting two; letters that differ in case
/// alone count one in all.
fn distance(a: &[char], b: &[char]) -> usize {
    let same = |x: char, y: char| x == y || x.to_lowercase().eq(y.to_lowercase());
    let mut rows = [vec![0; b.len() + 1], (0..=b.len()).collect::<Vec<_>>(), vec![0; b.len() + 1]];
    for i in 1..=a.len() {
        rows[2][0] = i;
        for j in 1..=b.len() {
            let replaced = rows[1][j - 1] + usize::from(!same(a[i - 1], b[j - 1]));
            let mut least = replaced.min(rows[1][j] + 1).min(rows[2][j - 1] + 1);
            if i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]) {
                least = least.min(rows[0][j - 2] + 1);
            }
            rows[2][j] = least;
        }
        rows.rotate_left(1);
    }
    let edits = rows[1][b.len()];
    (2 * edits).max(usize::from(a != b))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    fn of(name: &str, candidates: &[&'static str]) -> Option<&'static str> {
        nearest(name, candidates.iter().copied())
    }

    #[test]
    fn few_edits_are_near() {
        assert_eq!(of("relo", &["tanh", "relu", "elu"]), Some("relu"));
        assert_eq!(of("GELU", &["relu", "elu", "gelu"]), Some("gelu"));
        assert_eq!(of("tarin", &["train", "val", "test"]), Some("train"));
        assert_eq!(of("Iris.csv", &["iris.csv", "wine.csv"]), Some("iris.csv"));
    }

    #[test]
    fn the_unrelated_is_not() {
        assert_eq!(of("x", &["y", "label"]), None);
        assert_eq!(of("image", &["label"]), None);
        assert_eq!(of("same", &["same"]), None);
    }
}
