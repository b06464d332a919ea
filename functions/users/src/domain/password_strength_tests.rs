use super::*;

fn is_weak(password: &str, known_words: &[&str]) -> bool {
    weakness(password, known_words).is_some()
}

fn characters(text: &str) -> Vec<char> {
    text.chars().collect()
}

const HARD: [&str; 2] = ["vK9#mTq2$xLw", "correct horse battery staple"];

#[test]
fn a_long_password_is_judged_by_its_beginning_and_its_end() {
    let parts = |text: &str| {
        let text = characters(text);
        let (first, last) = judged_parts(&text);
        let content = |part: Part| part.text.iter().collect::<String>();
        (content(first), last.map(content))
    };
    let short = "ü".repeat(JUDGED_LENGTH);
    assert_eq!(parts(&short), (short.clone(), None));
    let long = format!("{short}{}", "x".repeat(96));
    assert_eq!(parts(&long), (short, Some("x".repeat(JUDGED_LENGTH))));

    assert!(is_weak(&"a".repeat(128), &[]));
    for hard in HARD {
        let rest = "a".repeat(128 - hard.len());
        assert!(!is_weak(&format!("{hard}{rest}"), &[]), "{hard}");
        assert!(!is_weak(&format!("{rest}{hard}"), &[]), "{hard}");
    }
    for weak in [
        "Abcdefg1!",
        "aaaaaaaaaaaaaaaaaaaaaaaaab1!",
        "abcabcabcabcabc",
    ] {
        assert!(is_weak(weak, &[]), "{weak}");
    }
}

#[test]
fn a_repetition_is_as_weak_as_what_it_repeats() {
    for (text, times) in [
        ("Abcdefg1!", 4),
        ("password1", 8),
        ("password", 8),
        ("abc123", 7),
        ("qwertyuiop", 6),
        ("ab", 20),
        (" ", 40),
        ("12345678901", 5),
        ("Summer2024", 12),
    ] {
        let repeated = text.repeat(times);
        assert!(is_weak(&repeated, &[]), "{repeated}");
        // With an incomplete repetition at the end, and in mixed case.
        let tail = &text[..text.len() - 1];
        assert!(
            is_weak(&format!("{repeated}{tail}"), &[]),
            "{repeated}{tail}"
        );
        let mixed = format!("{}{repeated}", text.to_uppercase());
        assert!(is_weak(&mixed, &[]), "{mixed}");
    }
    for hard in HARD {
        assert!(!is_weak(&hard.repeat(4), &[]), "{hard}");
    }
    let once = |text: &str| without_repetitions(&characters(text));
    let abc = "xabcabcABCabcabcabcay";
    assert_eq!(once(abc), characters("xabcy"));
    for kept in ["", "abcabc", "battery", "abcdefghijabcdefghi"] {
        assert_eq!(once(kept), characters(kept));
    }
}

#[test]
fn a_repetition_with_something_after_it_is_not_strong_for_where_it_is_cut() {
    for weak in [
        "passwordpasswordpasswordpassword1",
        "1passwordpasswordpasswordpassword",
        "password1password1password1password1password1!",
        "Abcdefg1!Abcdefg1!Abcdefg1!Abcdefg1!x",
        "abc123abc123abc123abc123abc123abc123xy",
    ] {
        assert!(is_weak(weak, &[]), "{weak}");
    }
}

#[test]
fn known_words_of_any_length_make_no_password() {
    let address = "maximilian.schwarzenberger.x7q@university.example.com";
    let name = "Wolfeschlegelsteinhausenbergerdorff";
    let words = [address, name, "Maximilian Alexander Schwarzenberger"];
    for weak in [
        address,
        name,
        "wolfeschlegelsteinhausenbergerdorff1",
        "1990-wolfeschlegelsteinhausenbergerdorff",
        "Maximilian Alexander Schwarzenberger",
        "SchwarzenbergerMaximilianAlexander2026!",
        "schwarzenberger.maximilian@university",
        "regrebnezrawhcsnailimixam1",
        "Maximilian!Maximilian?Maximilian.Alexander-1",
    ] {
        assert!(is_weak(weak, &words), "{weak}");
    }
    for hard in HARD {
        assert!(!is_weak(&format!("{name}{hard}"), &words), "{hard}");
        assert!(!is_weak(&format!("{hard}{address}"), &words), "{hard}");
    }
}

#[test]
fn the_name_of_the_shop_is_a_known_word() {
    for weak in [
        "Emporium2026!",
        "emporium1!",
        "muiropmE2026!",
        "2026Emporium2026",
    ] {
        assert!(mentions(weak, "Emporium"), "{weak}");
        assert!(is_weak(weak, &["Emporium"]), "{weak}");
    }
    assert!(mentions("Corner2026!", "The Corner-Shop"));
    assert!(!mentions("vK9#mTq2$xLw", "Emporium"));
}

#[test]
fn the_work_for_any_password_is_bounded() {
    let all = "4@8({[<369!|1057$5%2+";
    let worst: Vec<String> = vec![
        "4@8({[<369!|1057$5%2+()4@8({[<36".into(),
        all.repeat(6),
        all.chars().rev().collect::<String>().repeat(6),
        format!("{}{all}", "a".repeat(100)),
        format!("48({{[<369!|1057$5%2()48({{[<36aaa{{[<369!|1057$5%2()48({{[<36)(%zzz"),
    ];
    for password in &worst {
        let text = characters(password);
        let (first, last) = judged_parts(&text);
        for part in [Some(first), last].into_iter().flatten() {
            assert!(part.text.len() <= JUDGED_LENGTH, "{part:?}");
            assert!(work(part.text) <= WORK_MAX, "{part:?}");
            assert!(part.text.len() >= 8, "enough to tell: {part:?}");
        }
    }
    // Unbounded, the first of them would take 500 times the work of a text of words.
    assert!(work(&characters(&worst[0])) > 50 * WORK_MAX);
    // What is judged in part is not refused for it, and what has few readings is whole.
    assert!(!is_weak(&worst[0], &[]));
    for whole in ["vK9#mTq2$xLw", "0123456789abcdef0123456789abcdef"] {
        assert_eq!(judged_length(characters(whole).iter()), whole.len());
    }
}

#[test]
fn a_common_password_is_refused_in_any_case() {
    assert!((8_000..9_000).contains(&COMMON.len()), "{}", COMMON.len());
    for common in COMMON.iter() {
        assert!(is_weak(common, &[]), "{common}");
    }
    assert_eq!(weakness("1Q2w3E4r5T", &[]), Some(Weakness::Common));
    assert!(
        Weakness::Common
            .to_string()
            .contains("lists of common passwords")
    );
}
