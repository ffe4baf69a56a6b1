//! The word that somebody may have meant.

/// Words that are compared.
const WORDS_MAX: usize = 5000;
/// Letters of a word that is compared.
const LETTERS_MAX: usize = 40;

/// The word most like `wanted`, if one is like it at all.
pub(super) fn similar<'a>(
    wanted: &str,
    words: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let wanted = wanted.to_ascii_lowercase();
    let limit = match wanted.len() {
        0..=1 => return None,
        2..=4 => 1,
        5..LETTERS_MAX => 2,
        _ => return None,
    };
    words
        .into_iter()
        .take(WORDS_MAX)
        .filter(|word| !word.is_empty() && word.len().abs_diff(wanted.len()) <= limit)
        .map(|word| (distance(&wanted, &word.to_ascii_lowercase()), word))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Letters to add, take away, replace, or exchange with their neighbour.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for i in 1..=left.len() {
        let mut row = vec![i];
        for j in 1..=right.len() {
            let same = usize::from(left[i - 1] != right[j - 1]);
            let mut best = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + same);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::similar;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let words = ["mov", "movzx", "push", "lea"];
        assert_eq!(similar("MVO", words), Some("mov"));
        assert_eq!(similar("movxz", words), Some("movzx"));
        assert_eq!(similar("pusch", words), Some("push"));
        assert_eq!(similar("frobnicate", words), None);
        assert_eq!(similar("x", words), None);
    }
}
