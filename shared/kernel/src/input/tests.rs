use super::*;

#[derive(Debug, PartialEq)]
struct Line {
    quantity: i64,
    note: Option<String>,
}

impl FromInput for Line {
    fn from_input(value: Value<'_>) -> Result<Self, FieldErrors> {
        let mut fields = value.fields()?;
        let quantity = fields.required_with("quantity", |v| v.whole_number(1..=100));
        let note = fields.optional_with("note", |v| v.trimmed(1..=5));
        fields.finish(|| {
            Some(Self {
                quantity: quantity?,
                note,
            })
        })
    }
}

fn read(json: &str) -> Result<Vec<Line>, Vec<(String, String)>> {
    let raw: &RawValue = serde_json::from_str(json).unwrap();
    Value::Json(raw)
        .list::<Line>(1..=4)
        .map_err(|wrong| wrong.0.into_iter().map(|r| (r.field, r.message)).collect())
}

#[test]
fn good_input_is_read_and_trimmed() {
    let lines = read(r#"[{"quantity":2,"note":" hi "},{"quantity":1,"note":null}]"#).unwrap();
    assert_eq!(
        lines[0],
        Line {
            quantity: 2,
            note: Some("hi".into())
        }
    );
    assert_eq!(
        lines[1],
        Line {
            quantity: 1,
            note: None
        }
    );
}

#[test]
fn every_fault_is_named_with_its_place() {
    let wrong =
        read(r#"[{"quantity":0},{"note":"123456","x/y":1},{"quantity":1.5},{"quantity":"2"}]"#);
    let expected = [
        ("/0/quantity", "must be from 1 to 100"),
        ("/1/quantity", "is required"),
        ("/1/note", "must have 1 to 5 characters"),
        ("/1/x~1y", "is not a known field"),
        ("/2/quantity", "must be a whole number"),
        ("/3/quantity", "must be a number"),
    ];
    let expected = expected.map(|(f, m)| (f.to_owned(), m.to_owned())).to_vec();
    assert_eq!(wrong, Err(expected));
}

#[test]
fn numbers_out_of_any_range_are_refused_and_never_wrap() {
    for number in [
        "-1",
        "1e9",
        "1000000000",
        "99999999999999999999",
        "1E2",
        "-0.0",
    ] {
        assert!(
            read(&format!(r#"[{{"quantity":{number}}}]"#)).is_err(),
            "{number}"
        );
    }
}

#[test]
fn query_parameters_are_read_the_same_way() {
    let parameters = [
        ("limit".to_owned(), "x".to_owned()),
        ("odd".to_owned(), "1".to_owned()),
    ];
    let mut fields = Fields::of_query(&parameters);
    let limit = fields.optional_with("limit", |v| v.whole_number(1..=100));
    let wrong = fields.finish(|| Some(limit)).unwrap_err();
    let fields: Vec<_> = wrong.0.iter().map(|r| r.field.as_str()).collect();
    assert_eq!(fields, ["limit", "odd"]);
}
