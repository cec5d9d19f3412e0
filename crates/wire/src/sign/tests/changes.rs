//! Whatever is changed in a good request, it is refused.

use proptest::prelude::*;

use super::*;

/// A change of one part of a good request.
#[derive(Clone, Debug)]
enum Change {
    Method,
    Path,
    Query(usize),
    Body(usize),
    Header(usize),
    Signature(usize),
    DropParameter,
    AddParameter,
}

fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::Method),
        Just(Change::Path),
        any::<usize>().prop_map(Change::Query),
        any::<usize>().prop_map(Change::Body),
        any::<usize>().prop_map(Change::Header),
        any::<usize>().prop_map(Change::Signature),
        Just(Change::DropParameter),
        Just(Change::AddParameter),
    ]
}

/// Another letter in place of a small one; escapes are in capitals and stay.
fn swap_letter(text: &str, at: usize) -> Option<String> {
    let places: Vec<usize> = text
        .char_indices()
        .filter(|(_, letter)| letter.is_ascii_lowercase())
        .map(|(place, _)| place)
        .collect();
    let place = *places.get(at.checked_rem(places.len())?)?;
    let other = if &text[place..=place] == "q" {
        "w"
    } else {
        "q"
    };
    Some(format!("{}{other}{}", &text[..place], &text[place + 1..]))
}

/// Applies the change; false when there is nothing to change.
fn apply(request: &mut Owned, change: &Change) -> bool {
    match change {
        Change::Method => request.method = "PUT".into(),
        Change::Path => request.path = "/x".into(),
        Change::Query(at) => match swap_letter(&request.query, *at) {
            Some(query) => request.query = query,
            None => return false,
        },
        Change::Body(at) => {
            let body = String::from_utf8(request.body.clone()).unwrap();
            match swap_letter(&body, *at) {
                Some(body) => request.body = body.into_bytes(),
                None => return false,
            }
        }
        Change::Header(at) => {
            let signed = request.headers.len() - 1;
            request.headers[at % signed].1.push('x');
        }
        Change::Signature(at) => {
            let header = &mut request.headers.last_mut().unwrap().1;
            let digits = header.len() - 64;
            let place = digits + at % 64;
            let digit = if &header[place..=place] == "0" {
                "1"
            } else {
                "0"
            };
            header.replace_range(place..=place, digit);
        }
        Change::DropParameter => match request.query.rsplit_once('&') {
            Some((rest, _)) => request.query = rest.to_owned(),
            None => return false,
        },
        Change::AddParameter => request.query.push_str("&More=1"),
    }
    true
}

fn queries() -> impl Strategy<Value = String> {
    proptest::collection::vec(("[A-Za-z.0-9]{1,6}", "\\PC{0,12}"), 0..6).prop_map(|pairs| {
        let encoded: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        encoded.join("&")
    })
}

proptest! {
    #[test]
    fn an_acs3_request_verifies_until_anything_changes(
        query in queries(),
        body in queries(),
        change in changes(),
    ) {
        let request = acs3_as(&key(&Secret::new("testSK")), "n", &query, &body);
        prop_assert!(request.verify(&verifier(), NOW).is_ok());
        let mut changed = request;
        prop_assume!(apply(&mut changed, &change));
        prop_assert!(changed.verify(&verifier(), NOW).is_err(), "{:?}", changed);
    }

    #[test]
    fn an_rpc1_request_verifies_wherever_its_fields_are(split in 0usize..12, at in any::<usize>()) {
        let request = rpc1_as(&key(&Secret::new("testSK")), "n", split);
        prop_assert!(request.verify(&verifier(), NOW).is_ok());
        for change in [Change::Method, Change::AddParameter, Change::Query(at), Change::Body(at)] {
            let mut changed = request.clone();
            if apply(&mut changed, &change) {
                prop_assert!(changed.verify(&verifier(), NOW).is_err(), "{:?}", changed);
            }
        }
    }

    #[test]
    fn any_authorization_header_is_judged(value in ".*") {
        let mut request = acs3_request("n");
        request.set_header("authorization", &value);
        prop_assert!(request.verify(&verifier(), NOW).is_err());
    }
}
