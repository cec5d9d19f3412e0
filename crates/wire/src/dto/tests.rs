use super::*;

fn parameters(pairs: &[(&str, &str)]) -> Parameters {
    Parameters::from_pairs(
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    )
}

const QUERY: [(&str, &str); 4] = [
    ("Collection", "photos"),
    ("DBInstanceId", "gp-1"),
    ("NamespacePassword", "hunter2"),
    ("RegionId", "cn-hangzhou"),
];

fn query(extra: &[(&str, &str)]) -> Result<QueryContentRequest, DtoError> {
    QueryContentRequest::from_parameters(&parameters(&[&QUERY, extra].concat()))
}

fn fault(result: Result<QueryContentRequest, DtoError>) -> ApiError {
    result.unwrap_err().into()
}

#[test]
fn python_and_node_booleans_are_the_same() {
    for (text, expected) in [
        ("True", true),
        ("true", true),
        ("False", false),
        ("false", false),
    ] {
        let request = query(&[("IncludeVector", text)]).unwrap();
        assert_eq!(request.include_vector, Some(expected));
    }
    let error = fault(query(&[("IncludeVector", "yes")]));
    assert_eq!(error.field.as_deref(), Some("IncludeVector"));
}

#[test]
fn a_missing_required_field_is_named() {
    let error: ApiError = QueryContentRequest::from_parameters(&parameters(&QUERY[1..]))
        .unwrap_err()
        .into();
    assert_eq!(error.code.as_str(), "MissingParameter");
    assert_eq!(error.field.as_deref(), Some("Collection"));
}

#[test]
fn empty_text_counts_as_absent() {
    let request = query(&[("Content", ""), ("TopK", ""), ("HybridSearchArgs", "")]).unwrap();
    assert_eq!(request.content, None);
    assert_eq!(request.top_k, None);
    assert_eq!(request.hybrid_search_args, None);
    let error = QueryContentRequest::from_parameters(&parameters(&[("Collection", "")]));
    assert_eq!(
        error.unwrap_err(),
        DtoError::Missing {
            field: "Collection"
        }
    );
}

#[test]
fn numbers_and_json_that_do_not_parse_are_named() {
    for (name, text) in [
        ("TopK", "ten"),
        ("TopK", "3.5"),
        ("TopK", "99999999999999999999"),
        ("RerankFactor", "NaN"),
        ("RecallWindow", "[0,"),
        ("RecallWindow", "{}"),
        ("GraphSearchArgs", "[1]]"),
    ] {
        let error = fault(query(&[(name, text)]));
        assert_eq!(error.code.as_str(), "InvalidParameter");
        assert_eq!(error.field.as_deref(), Some(name), "{text}");
    }
}

#[test]
fn deeply_nested_json_is_refused_not_fatal() {
    let bomb = "[".repeat(100_000);
    let error = fault(query(&[("HybridSearchArgs", &format!("{{\"a\":{bomb}"))]));
    assert_eq!(error.field.as_deref(), Some("HybridSearchArgs"));
}

#[test]
fn debug_output_hides_passwords() {
    let shown = format!("{:?}", query(&[]).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_workspace_wins_over_an_instance_and_one_must_be_there() {
    let base = [
        ("ManagerAccount", "m"),
        ("ManagerAccountPassword", "p"),
        ("RegionId", "r"),
    ];
    let decode = |extra: &[(&str, &str)]| {
        InitVectorDatabaseRequest::from_parameters(&parameters(&[&base, extra].concat()))
    };
    let both = decode(&[("DBInstanceId", "gp-1"), ("WorkspaceId", "gp-ws-1")]).unwrap();
    assert_eq!(both.instance_id(), "gp-ws-1");
    assert_eq!(
        decode(&[("DBInstanceId", "gp-1")]).unwrap().instance_id(),
        "gp-1"
    );
    assert_eq!(
        decode(&[]).unwrap_err(),
        DtoError::Missing {
            field: "DBInstanceId"
        }
    );
}

#[test]
fn the_type_lists_are_required_only_with_a_graph() {
    let base = [
        ("Collection", "c"),
        ("DBInstanceId", "gp-1"),
        ("ManagerAccount", "m"),
        ("ManagerAccountPassword", "p"),
        ("RegionId", "r"),
    ];
    let decode = |extra: &[(&str, &str)]| {
        CreateDocumentCollectionRequest::from_parameters(&parameters(&[&base, extra].concat()))
    };
    assert!(decode(&[]).is_ok());
    assert!(decode(&[("EnableGraph", "False")]).is_ok());
    assert_eq!(
        decode(&[("EnableGraph", "True"), ("EntityTypes", "[\"a\"]")]).unwrap_err(),
        DtoError::Missing {
            field: "RelationshipTypes"
        }
    );
}

#[test]
fn a_dense_index_needs_a_dimension() {
    let base = [
        ("Collection", "c"),
        ("DBInstanceId", "gp-1"),
        ("ManagerAccount", "m"),
        ("ManagerAccountPassword", "p"),
        ("RegionId", "r"),
    ];
    let decode = |extra: &[(&str, &str)]| {
        CreateVectorIndexRequest::from_parameters(&parameters(&[&base, extra].concat()))
    };
    assert!(decode(&[("Type", "Sparse")]).is_ok());
    assert!(decode(&[("Dimension", "512")]).is_ok());
    assert_eq!(
        decode(&[]).unwrap_err(),
        DtoError::Missing { field: "Dimension" }
    );
}

#[test]
fn metadata_columns_keep_their_order() {
    let request = CreateDocumentCollectionRequest {
        metadata: Some(r#"{"title":"text","page":"int"}"#.into()),
        ..Default::default()
    };
    assert_eq!(
        request.metadata_columns().unwrap(),
        [
            ("title".to_owned(), "text".to_owned()),
            ("page".to_owned(), "int".to_owned())
        ]
    );
    for text in ["[]", "{\"a\":1}", "title"] {
        let request = CreateDocumentCollectionRequest {
            metadata: Some(text.into()),
            ..Default::default()
        };
        let error: ApiError = request.metadata_columns().unwrap_err().into();
        assert_eq!(error.field.as_deref(), Some("Metadata"), "{text}");
    }
    assert!(
        CreateDocumentCollectionRequest::default()
            .metadata_columns()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn unknown_fields_are_told_apart_from_the_protocol() {
    let pairs = [
        &QUERY[..],
        &[
            ("Action", "QueryContent"),
            ("Shiny", "1"),
            ("Signature", "x"),
        ],
    ];
    let parameters = parameters(&pairs.concat());
    assert_eq!(
        unknown_fields::<QueryContentRequest>(&parameters),
        ["Shiny"]
    );
}

#[test]
fn comma_lists_are_split_and_trimmed() {
    assert_eq!(split_list("a, b,,c "), ["a", "b", "c"]);
    assert!(split_list("").is_empty());
    let csv = Csv::read(&parameters(&[("ChunkIds", "a,b")]), "ChunkIds").unwrap();
    assert_eq!(csv, Some(Csv(vec!["a".into(), "b".into()])));
}

#[test]
fn dotted_keys_make_a_list_in_the_order_of_their_numbers() {
    let tags = parameters(&[
        ("Tag.10.Key", "j"),
        ("Tag.2.Key", "b"),
        ("Tag.2.Value", "v"),
        ("TagOther", "x"),
    ]);
    let list = Flattened::read(&tags, "Tag").unwrap().unwrap();
    assert_eq!(list.0.len(), 2);
    assert_eq!(list.0[0]["Key"], "b");
    assert_eq!(list.0[0]["Value"], "v");
    assert_eq!(list.0[1]["Key"], "j");

    let mut pairs = Vec::new();
    list.write("Tag", &mut pairs);
    let written = Parameters::from_pairs(pairs);
    assert_eq!(written.get("Tag.1.Value"), Some("v"));
    assert_eq!(Flattened::read(&written, "Tag").unwrap(), Some(list));
}

#[test]
fn malformed_dotted_keys_are_refused() {
    for key in [
        "Tag.0.Key",
        "Tag.x.Key",
        "Tag.1",
        "Tag.1.",
        "Tag.-1.Key",
        "Tag",
    ] {
        let error = Flattened::read(&parameters(&[(key, "v")]), "Tag").unwrap_err();
        assert!(
            matches!(error, DtoError::Invalid { field: "Tag", .. }),
            "{key}"
        );
    }
    assert_eq!(Flattened::read(&parameters(&[]), "Tag").unwrap(), None);
}

#[test]
fn every_supported_action_has_its_table() {
    let listed: Vec<Action> = REQUESTS.iter().map(|(action, _)| *action).collect();
    assert_eq!(listed, Action::ALL);
}

const ROWS: [(&str, &str); 3] = [
    ("Collection", "c"),
    ("NamespacePassword", "p"),
    ("RegionId", "r"),
];

fn upsert(extra: &[(&str, &str)]) -> Result<UpsertCollectionDataRequest, DtoError> {
    UpsertCollectionDataRequest::from_parameters(&parameters(&[&ROWS, extra].concat()))
}

#[test]
fn a_workspace_may_name_the_instance_of_a_collection() {
    let both = upsert(&[("DBInstanceId", "gp-1"), ("WorkspaceId", "gp-ws-1")]).unwrap();
    assert_eq!(both.instance_id(), "gp-ws-1");
    let workspace = upsert(&[("WorkspaceId", "gp-ws-1")]).unwrap();
    assert_eq!(workspace.instance_id(), "gp-ws-1");
    assert_eq!(
        upsert(&[]).unwrap_err(),
        DtoError::Missing {
            field: "DBInstanceId"
        }
    );
    let without = ModifyVectorConfigurationRequest::from_parameters(&parameters(&[]));
    assert!(matches!(
        without,
        Err(DtoError::Missing {
            field: "DBInstanceId"
        })
    ));
}

#[test]
fn rows_are_read_as_clients_write_them() {
    let text = r#"[{"Id":"a","Vector":[1,-2.5e-3,0.1],"Metadata":{"page":7,"title":"t"},"New":1},
                   {"Id":null,"Vector":[1e39],"SparseVector":{"Indices":[3],"Values":[0.5]}}]"#;
    let request = upsert(&[("DBInstanceId", "gp-1"), ("Rows", text)]).unwrap();
    let rows = request.rows.unwrap().0.0;
    assert_eq!(rows[0].vector.as_deref(), Some(&[1.0, -0.0025, 0.1][..]));
    assert_eq!(rows[0].metadata.as_ref().unwrap()["page"], 7);
    assert_eq!(rows[1].id, None);
    assert_eq!(rows[1].vector.as_deref(), Some(&[f32::INFINITY][..]));
    assert_eq!(rows[1].sparse_vector.as_ref().unwrap().indices, [3]);
    for text in [
        "{}",
        "[{\"Vector\":[\"x\"]}]",
        "[{\"Vector\":[NaN]}]",
        "[{\"Vector\":[1,]}]",
    ] {
        let error: ApiError = upsert(&[("DBInstanceId", "gp-1"), ("Rows", text)])
            .unwrap_err()
            .into();
        assert_eq!(error.field.as_deref(), Some("Rows"), "{text}");
    }
}

#[test]
fn a_row_that_cannot_be_read_is_named() {
    for (text, part) in [
        (
            r#"[{"Vector":[1]},{"Vector":[1,NaN]}]"#,
            "row 2: Vector: number 2: ",
        ),
        (r#"[{"Id":7}]"#, "row 1: "),
        (r#"[{"Vector":"1"}]"#, "row 1: "),
    ] {
        let refused = upsert(&[("DBInstanceId", "gp-1"), ("Rows", text)]).unwrap_err();
        assert!(refused.to_string().contains(part), "{refused}");
    }
    let null = upsert(&[("DBInstanceId", "gp-1"), ("Rows", r#"[{"Vector":null}]"#)]).unwrap();
    assert_eq!(null.rows.unwrap().0.0[0].vector, None);
}

#[test]
fn rows_to_delete_are_lists_of_values() {
    let delete = |text: Option<&str>| {
        DeleteCollectionDataRequest {
            collection_data: text.map(str::to_owned),
            ..Default::default()
        }
        .values()
    };
    assert_eq!(delete(None), Ok(None));
    assert_eq!(
        delete(Some(r#"{"ref_doc_id":["x","y"],"page":[1]}"#)),
        Ok(Some(vec![
            ("ref_doc_id".to_owned(), vec!["x".into(), "y".into()]),
            ("page".to_owned(), vec![1.into()]),
        ]))
    );
    for text in ["[]", r#"{"a":"x"}"#, "a = 1"] {
        let error: ApiError = delete(Some(text)).unwrap_err().into();
        assert_eq!(error.field.as_deref(), Some("CollectionData"), "{text}");
    }
}
