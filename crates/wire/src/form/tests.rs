use proptest::prelude::*;

use super::*;

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

fn parse(query: &str, body: &str) -> Parameters {
    Parameters::parse(query, FORM, body.as_bytes()).unwrap()
}

#[test]
fn a_field_in_the_body_is_the_same_as_in_the_query() {
    assert_eq!(parse("Content=a&TopK=3", ""), parse("TopK=3", "Content=a"));
}

#[test]
fn plus_and_percent_escapes_are_decoded() {
    let parameters = parse("a=red+shoes%20%26%2B&b=%E5%80%BC~*'()!", "");
    assert_eq!(parameters.get("a"), Some("red shoes &+"));
    assert_eq!(parameters.get("b"), Some("值~*'()!"));
}

#[test]
fn the_first_of_repeated_values_counts_and_all_are_kept() {
    let parameters = parse("b=1&a=x&b=2", "b=3");
    assert_eq!(parameters.get("b"), Some("1"));
    let all: Vec<_> = parameters.iter().collect();
    assert_eq!(all, [("a", "x"), ("b", "1"), ("b", "2"), ("b", "3")]);
}

#[test]
fn an_empty_value_is_present_and_an_absent_name_is_not() {
    let parameters = parse("SignatureType=&Flag&&c=d=e", "");
    assert_eq!(parameters.get("SignatureType"), Some(""));
    assert_eq!(parameters.get("Flag"), Some(""));
    assert_eq!(parameters.get("c"), Some("d=e"));
    assert_eq!(parameters.get("C"), None);
    assert_eq!(parameters.len(), 3);
}

#[test]
fn broken_escapes_are_refused_by_name() {
    for text in ["TopK=%", "TopK=%4", "TopK=%zz", "TopK=%+1"] {
        let error = Parameters::parse(text, None, b"").unwrap_err();
        assert_eq!(
            error,
            FormError::BadEscape {
                name: "TopK".into()
            }
        );
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused() {
    let error = Parameters::parse("a=%FF", None, b"").unwrap_err();
    assert_eq!(error, FormError::NotUtf8 { name: "a".into() });
    let error = Parameters::parse("", FORM, b"a=\xff").unwrap_err();
    assert!(matches!(error, FormError::NotUtf8 { .. }));
}

#[test]
fn a_body_of_another_type_is_refused_unless_empty() {
    let json = Some("application/json");
    assert!(Parameters::parse("a=b", json, b"").is_ok());
    let error = Parameters::parse("a=b", json, b"{}").unwrap_err();
    assert!(matches!(error, FormError::ContentType { .. }));
    let charset = Some("Application/X-WWW-Form-Urlencoded; charset=utf-8");
    let parameters = Parameters::parse("", charset, b"a=b").unwrap();
    assert_eq!(parameters.get("a"), Some("b"));
    let parameters = Parameters::parse("", None, b"a=b").unwrap();
    assert_eq!(parameters.get("a"), Some("b"));
}

#[test]
fn limits_hold_at_their_edge() {
    let limits = FormLimits {
        max_parameters: 2,
        max_name_bytes: 3,
        max_value_bytes: 4,
    };
    let parse = |query: &str| Parameters::parse_within(query, None, b"", &limits);
    assert!(parse("abc=1234&b=2").is_ok());
    assert_eq!(
        parse("a=1&b=2&c=3").unwrap_err(),
        FormError::TooManyParameters { max: 2 }
    );
    assert_eq!(
        parse("abcd=1").unwrap_err(),
        FormError::NameTooLong { max: 3 }
    );
    let error = parse("a=12345").unwrap_err();
    assert!(error.to_string().contains("max_value_bytes"), "{error}");
}

#[test]
fn a_url_of_64_kib_is_fine() {
    let vector = "%5B0.123%5D".repeat(6000);
    let parameters = parse(&format!("Vector={vector}"), "");
    assert_eq!(
        parameters.get("Vector").unwrap().len(),
        "[0.123]".len() * 6000
    );
}

#[test]
fn debug_output_hides_passwords() {
    let shown = format!("{:?}", parse("NamespacePassword=hunter2&TopK=3", ""));
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("\"TopK\": \"3\""), "{shown}");
}

#[test]
fn a_long_hostile_name_is_shortened_in_the_message() {
    let error = Parameters::parse(&format!("{}=%", "n".repeat(5000)), None, b"").unwrap_err();
    assert!(error.to_string().len() < 300);
}

proptest! {
    #[test]
    fn encoded_pairs_come_back(pairs in proptest::collection::vec(("[a-zA-Z.0-9]{1,8}", ".*"), 0..8)) {
        let encoded: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{name}={}", crate::sign::encode(value)))
            .collect();
        let parsed = Parameters::parse(&encoded.join("&"), None, b"").unwrap();
        prop_assert_eq!(parsed, Parameters::from_pairs(pairs));
    }

    #[test]
    fn any_bytes_parse_or_are_refused(query in ".*", body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Parameters::parse(&query, FORM, &body);
    }
}
