//! Normalises text for comparison and search.

/// Words so common that searching for them would not narrow a result.
const STOP_WORDS: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "can", "for", "from", "has", "have",
    "if", "in", "into", "is", "it", "its", "no", "not", "of", "on", "or", "our", "so", "such",
    "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "to", "was",
    "we", "when", "which", "will", "with", "you", "your",
];
/// Longer words, such as serial numbers, are cut to this many characters.
const WORD_LENGTH_MAX: usize = 40;
/// Single letters are not indexed.
const WORD_LENGTH_MIN: usize = 2;

/// Text in lower case, without accents, with single spaces: how names are
/// compared. Simple on purpose: it knows the Latin letters of Europe.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for part in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        for c in part.chars().flat_map(char::to_lowercase) {
            match without_accent(c) {
                Some(letters) => folded.push_str(letters),
                None if is_combining(c) => {}
                None => folded.push(c),
            }
        }
    }
    folded
}

/// The searchable words of a text: folded, without stop words, in the singular.
pub(super) fn words(text: &str) -> Vec<String> {
    fold(text)
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() >= WORD_LENGTH_MIN)
        .filter(|word| !STOP_WORDS.contains(word))
        .map(|word| singular(word).chars().take(WORD_LENGTH_MAX).collect())
        .collect()
}

/// Strips the English plural. It need not be correct, only the same for a search
/// and for what is searched.
fn singular(word: &str) -> String {
    let cut = |by: usize| word[..word.len() - by].to_owned();
    let ends = |endings: &[&str]| endings.iter().any(|ending| word.ends_with(ending));
    match word.len() {
        5.. if ends(&["ies"]) => cut(3) + "y",
        5.. if ends(&["shes", "ches", "sses", "xes", "zes"]) => cut(2),
        4.. if ends(&["s"]) && !ends(&["ss", "us", "is"]) => cut(1),
        _ => word.to_owned(),
    }
}

const fn is_combining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// The letters that people type for one with an accent.
const fn without_accent(c: char) -> Option<&'static str> {
    Some(match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' => "a",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì' | 'í' | 'î' | 'ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => "o",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ţ' | 'ť' | 'ț' => "t",
        'ù' | 'ú' | 'û' | 'ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        'æ' => "ae",
        'œ' => "oe",
        'ß' => "ss",
        'þ' => "th",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn folding_removes_case_accents_and_extra_spaces() {
        assert_eq!(fold("  Café \t CRÈME "), "cafe creme");
        assert_eq!(fold("Cafe\u{301}"), "cafe");
        assert_eq!(fold("STRAẞE Łódź"), "strasse lodz");
        assert_eq!(fold("日本 Étagère"), "日本 etagere");
    }

    #[test]
    fn words_are_singular_and_without_stop_words() {
        assert_eq!(words("The Lamps, and a lamp!"), ["lamp", "lamp"]);
        assert_eq!(
            words("boxes glasses dishes batteries"),
            ["box", "glass", "dish", "battery"]
        );
        assert_eq!(
            words("glass bus basis gas"),
            ["glass", "bus", "basis", "gas"]
        );
        assert_eq!(words("St James's 27\" x-ray"), ["st", "jame", "27", "ray"]);
        assert_eq!(words("the of a ! "), [""; 0]);
        assert_eq!(words(&"y".repeat(90))[0].chars().count(), WORD_LENGTH_MAX);
    }

    proptest! {
        #[test]
        fn words_of_any_text_are_within_the_length_limits(text in ".{0,60}") {
            for word in words(&text) {
                let length = word.chars().count();
                prop_assert!((1..=WORD_LENGTH_MAX).contains(&length), "{word}");
            }
        }
    }
}
