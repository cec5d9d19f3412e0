use proptest::prelude::*;

use super::*;

const B: &str = "boundary8f3a2c";
const TYPE: &str = "multipart/form-data; boundary=boundary8f3a2c";

/// The layouts of wire.md 6.3, byte for byte as the SDKs' writers produce them.
#[derive(Clone, Copy, Debug)]
enum Sdk {
    PythonNew,
    PythonOld,
    NodeNew,
    NodeOld,
}

const ALL: [Sdk; 4] = [Sdk::PythonNew, Sdk::PythonOld, Sdk::NodeNew, Sdk::NodeOld];

fn field(name: &str, value: &str) -> String {
    format!("--{B}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn body(sdk: Sdk, file: &[u8]) -> Vec<u8> {
    let status = ("success_action_status", "201");
    let host = ("host", "0.0.1:8443");
    let fields: &[(&str, &str)] = match sdk {
        Sdk::PythonNew => &[
            ("OSSAccessKeyId", "ak"),
            ("Signature", "sig="),
            host,
            ("key", "k.jpg"),
            ("policy", "cG9s"),
            status,
        ],
        Sdk::PythonOld => &[
            ("OSSAccessKeyId", "ak"),
            ("Signature", "sig="),
            ("key", "k.jpg"),
            ("policy", "cG9s"),
            status,
        ],
        Sdk::NodeNew => &[
            host,
            ("OSSAccessKeyId", "ak"),
            ("policy", "cG9s"),
            ("Signature", "sig="),
            ("key", "k.jpg"),
        ],
        Sdk::NodeOld => &[
            ("OSSAccessKeyId", "ak"),
            ("policy", "cG9s"),
            ("Signature", "sig="),
            ("key", "k.jpg"),
            status,
        ],
    };
    let mut body: Vec<u8> = fields
        .iter()
        .flat_map(|(name, value)| field(name, value).into_bytes())
        .collect();
    body.extend_from_slice(
        format!(
            "--{B}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"k.jpg\"\r\n\
             Content-Type: \r\n\r\n"
        )
        .as_bytes(),
    );
    body.extend_from_slice(file);
    if matches!(sdk, Sdk::NodeNew) {
        body.extend_from_slice(field(status.0, status.1).as_bytes());
    }
    body.extend_from_slice(format!("\r\n--{B}--\r\n").as_bytes());
    body
}

fn assert_read(body: &[u8], file: &[u8]) {
    let form = parse(TYPE, body).unwrap();
    assert_eq!(form.file.bytes, file);
    assert_eq!(&body[form.file.range.clone()], file);
    assert_eq!(form.file.file_name, Some("k.jpg"));
    assert_eq!(form.file.content_type, None);
    for (name, value) in [
        ("OSSAccessKeyId", "ak"),
        ("policy", "cG9s"),
        ("Signature", "sig="),
        ("key", "k.jpg"),
        ("success_action_status", "201"),
    ] {
        assert_eq!(form.get(name), Some(value), "{name}");
    }
}

/// Files that look like the framing around them.
fn nasty_files() -> Vec<Vec<u8>> {
    let late = field("success_action_status", "201");
    vec![
        Vec::new(),
        b"\r\n".to_vec(),
        b"\xff\xd8\xff\xe0 jpeg \r\n".to_vec(),
        format!("\r\n--{B}\r\n").into_bytes(),
        format!("\r\n--{B}--\r\n").into_bytes(),
        format!("\r\n--{B}--").into_bytes(),
        format!("x{late}y").into_bytes(),
        format!("{late}\r\n--{B}--\r\n").into_bytes(),
        field("key", "other").into_bytes(),
        vec![b'-'; 5000],
        b"\r\n--".repeat(2000),
    ]
}

#[test]
fn all_four_sdks_give_exactly_the_file() {
    for sdk in ALL {
        for file in nasty_files() {
            assert_read(&body(sdk, &file), &file);
        }
    }
}

#[test]
fn the_late_field_is_understood_when_well_formed_too() {
    let fixed = String::from_utf8(body(Sdk::NodeNew, b"FILE")).unwrap();
    let fixed = fixed
        .replace("FILE--", "FILE\r\n--")
        .replace("201\r\n\r\n--", "201\r\n--");
    assert_read(fixed.as_bytes(), b"FILE");
}

#[test]
fn the_last_line_break_may_be_absent() {
    let whole = body(Sdk::NodeOld, b"FILE");
    assert_read(&whole[..whole.len() - 2], b"FILE");
}

#[test]
fn our_own_writer_is_read_back() {
    let fields = [
        ("OSSAccessKeyId", "ak"),
        ("policy", "cG9s"),
        ("Signature", "sig="),
        ("key", "k.jpg"),
        ("success_action_status", "201"),
    ];
    let body = write(B, &fields, "k.jpg", b"\r\nFILE\r\n");
    let form = parse(TYPE, &body).unwrap();
    assert_eq!(form.file.bytes, b"\r\nFILE\r\n");
    assert_eq!(form.fields(), fields);
    assert_eq!(form.file.content_type, Some("application/octet-stream"));
}

#[test]
fn quoted_and_extended_content_types_are_read() {
    let whole = body(Sdk::PythonNew, b"FILE");
    for content_type in [
        "multipart/form-data; boundary=\"boundary8f3a2c\"",
        "Multipart/Form-Data; charset=utf-8; Boundary=boundary8f3a2c",
        "multipart/form-data;boundary=boundary8f3a2c ; x=y",
    ] {
        let form = parse(content_type, &whole).unwrap();
        assert_eq!(form.file.bytes, b"FILE", "{content_type}");
    }
    for content_type in [
        "",
        "text/plain; boundary=boundary8f3a2c",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"open",
    ] {
        assert_eq!(
            parse(content_type, &whole).unwrap_err(),
            PostFormError::ContentType,
            "{content_type}"
        );
    }
}

#[test]
fn a_body_cut_anywhere_is_refused() {
    for sdk in ALL {
        let whole = body(sdk, b"FILE");
        // The last two bytes are optional.
        for end in 0..whole.len() - 2 {
            assert!(parse(TYPE, &whole[..end]).is_err(), "{sdk:?} cut at {end}");
        }
    }
}

#[test]
fn a_form_without_a_file_says_so() {
    let body = format!("{}--{B}--\r\n", field("key", "k"));
    let error = parse(TYPE, body.as_bytes()).unwrap_err();
    assert_eq!(error, PostFormError::NoFile);
    let refusal = ObjectError::from(error);
    assert_eq!(refusal.code, ObjectErrorCode::IncorrectNumberOfFiles);
    assert_eq!(
        ObjectError::from(PostFormError::Truncated).code,
        ObjectErrorCode::MalformedPostRequest
    );
}

#[test]
fn limits_hold_at_their_edge() {
    let limits = PostFormLimits {
        max_fields: 5,
        max_field_bytes: 5,
        max_header_bytes: 90,
        max_boundary_bytes: B.len(),
    };
    let parse = |body: &[u8]| parse_within(TYPE, body, &limits).map(|_| ());
    assert!(parse(&body(Sdk::NodeOld, b"FILE")).is_ok());
    assert_eq!(
        parse(&body(Sdk::PythonNew, b"FILE")).unwrap_err(),
        PostFormError::FieldTooLong {
            name: "host".into(),
            max: 5
        }
    );
    let short = String::from_utf8(body(Sdk::PythonNew, b"FILE"))
        .unwrap()
        .replace("0.0.1:8443", "h");
    assert_eq!(
        parse(short.as_bytes()).unwrap_err(),
        PostFormError::TooManyFields { max: 5 }
    );
    let long_name = String::from_utf8(body(Sdk::NodeOld, b"FILE"))
        .unwrap()
        .replace(
            "filename=\"k.jpg\"",
            &format!("filename=\"{}\"", "k".repeat(99)),
        );
    assert_eq!(
        parse(long_name.as_bytes()).unwrap_err(),
        PostFormError::Headers { max: 90 }
    );
    assert_eq!(
        parse_within(&format!("{TYPE}x"), b"", &limits).unwrap_err(),
        PostFormError::BoundaryTooLong { max: B.len() }
    );
}

#[test]
fn a_part_without_a_name_is_refused() {
    for disposition in [
        "Content-Disposition: form-data",
        "Content-Disposition: attachment; name=\"key\"",
        "Content-Disposition: form-data; filename=\"name=key\"",
        "Content-Type: text/plain",
    ] {
        let body = format!("--{B}\r\n{disposition}\r\n\r\nv\r\n--{B}--\r\n");
        assert_eq!(
            parse(TYPE, body.as_bytes()).unwrap_err(),
            PostFormError::Disposition,
            "{disposition}"
        );
    }
}

proptest! {
    #[test]
    fn any_file_comes_through_byte_for_byte(file in proptest::collection::vec(any::<u8>(), 0..3000)) {
        for sdk in ALL {
            assert_read(&body(sdk, &file), &file);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        let _ = parse(TYPE, &bytes);
        let mut opened = format!("--{B}\r\n").into_bytes();
        opened.extend(bytes);
        let _ = parse(TYPE, &opened);
    }

    #[test]
    fn a_damaged_form_is_read_or_refused(at in 0usize..600, byte in any::<u8>(), content_type in ".*") {
        for sdk in ALL {
            let mut damaged = body(sdk, b"FILE");
            let at = at % damaged.len();
            damaged[at] = byte;
            let _ = parse(TYPE, &damaged);
            let _ = parse(&content_type, &damaged);
        }
    }
}

/// Reads a body as the gateway does: the head when it is there, the file as it comes.
fn read_arriving(body: &[u8], piece_bytes: usize) -> Result<(usize, Vec<u8>), PostFormError> {
    let (mut buffered, mut rest) = (Vec::new(), body);
    let (fields, file_start) = loop {
        match PostHead::parse(TYPE, &buffered) {
            Ok(head) => break (head.fields.as_slice().len(), head.file_start),
            Err(error) if rest.is_empty() => return Err(error),
            Err(_) => {}
        }
        let (piece, behind) = rest.split_at(piece_bytes.min(rest.len()));
        buffered.extend_from_slice(piece);
        rest = behind;
    };
    let mut tail = FileTail::new(TYPE)?;
    let mut file = tail.push(&buffered[file_start..]);
    for piece in rest.chunks(piece_bytes) {
        file.extend(tail.push(piece));
    }
    file.extend(tail.finish()?);
    Ok((fields, file))
}

proptest! {
    #[test]
    fn a_form_read_while_it_arrives_is_the_same(
        file in proptest::collection::vec(any::<u8>(), 0..600),
        piece_bytes in 1usize..700,
    ) {
        for sdk in ALL {
            let body = body(sdk, &file);
            let whole = parse(TYPE, &body).unwrap();
            let late = usize::from(matches!(sdk, Sdk::NodeNew));
            let (fields, arrived) = read_arriving(&body, piece_bytes).unwrap();
            prop_assert_eq!(fields, whole.fields().len() - late);
            prop_assert_eq!(&arrived, &file);
        }
    }
}

#[test]
fn an_arriving_form_that_is_cut_short_is_refused() {
    let body = body(Sdk::PythonNew, b"FILE");
    for end in 0..body.len() - 2 {
        assert!(read_arriving(&body[..end], 64).is_err(), "{end}");
    }
}
