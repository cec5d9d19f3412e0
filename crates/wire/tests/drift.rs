//! Our requests, replies and actions equal the published contract, field by field.
//! Mark: sdk (`contract/operations.json` was read from the vendor's SDK).
//!
//! Requests and replies are filled from the contract's schemas, decoded, encoded
//! again and compared: a field that we miss, misname, mistype or invent differs.

use std::collections::BTreeMap;

use lookalike_wire::action::{ACTIONS, ActionStatus, Evidence, find};
use lookalike_wire::dto::*;
use lookalike_wire::form::Parameters;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
struct Contract {
    operations: BTreeMap<String, Operation>,
}

#[derive(Deserialize)]
struct Operation {
    version: String,
    request: Vec<ContractField>,
    response_body: Value,
}

#[derive(Deserialize)]
struct ContractField {
    name: String,
    schema: Value,
    required_per_sdk_doc: bool,
    serialisation: String,
}

fn contract() -> Contract {
    serde_json::from_str(include_str!("contract/operations.json"))
        .expect("the contract file is JSON")
}

/// Calls a generic check for the request type of every supported action.
macro_rules! for_every_request {
    ($check:ident) => {
        $check::<InitVectorDatabaseRequest>();
        $check::<CreateNamespaceRequest>();
        $check::<DescribeNamespaceRequest>();
        $check::<ListNamespacesRequest>();
        $check::<DeleteNamespaceRequest>();
        $check::<CreateDocumentCollectionRequest>();
        $check::<ListDocumentCollectionsRequest>();
        $check::<DeleteDocumentCollectionRequest>();
        $check::<CreateVectorIndexRequest>();
        $check::<DeleteVectorIndexRequest>();
        $check::<UploadDocumentAsyncRequest>();
        $check::<GetUploadDocumentJobRequest>();
        $check::<CancelUploadDocumentJobRequest>();
        $check::<ListDocumentsRequest>();
        $check::<DescribeDocumentRequest>();
        $check::<DeleteDocumentRequest>();
        $check::<QueryContentRequest>();
        $check::<CreateCollectionRequest>();
        $check::<DescribeCollectionRequest>();
        $check::<ListCollectionsRequest>();
        $check::<ModifyCollectionRequest>();
        $check::<DeleteCollectionRequest>();
        $check::<GrantCollectionRequest>();
        $check::<CreateIndexRequest>();
        $check::<DescribeIndexRequest>();
        $check::<DeleteIndexRequest>();
        $check::<ListIndicesRequest>();
        $check::<DescribeCreateIndexJobRequest>();
        $check::<CancelCreateIndexJobRequest>();
        $check::<UpsertCollectionDataRequest>();
        $check::<UpsertCollectionDataAsyncRequest>();
        $check::<GetUpsertCollectionDataJobRequest>();
        $check::<CancelUpsertCollectionDataJobRequest>();
        $check::<DeleteCollectionDataRequest>();
        $check::<UpdateCollectionDataMetadataRequest>();
        $check::<QueryCollectionDataRequest>();
        $check::<UpsertChunksRequest>();
        $check::<ListChunksRequest>();
        $check::<DeleteChunksRequest>();
        $check::<TextEmbeddingRequest>();
        $check::<RerankRequest>();
        $check::<ListSupportModelsRequest>();
        $check::<CreateAccountRequest>();
        $check::<DescribeAccountsRequest>();
        $check::<DescribeRegionsRequest>();
        $check::<DescribeDbInstancesRequest>();
        $check::<DescribeDbInstanceAttributeRequest>();
        $check::<ModifyVectorConfigurationRequest>();
        $check::<AuthorizeFileUploadRequest>();
    };
}

fn operation<R: Request>() -> Operation {
    contract()
        .operations
        .remove(R::ACTION.name())
        .expect("every supported action is in the contract")
}

/// A value with every property of the schema. Numbers survive `f32`.
fn sample(schema: &Value) -> Value {
    match schema["type"].as_str() {
        Some("string") => json!("text 值"),
        Some("integer") => json!(7),
        Some("number") => json!(0.5),
        Some("boolean") => json!(true),
        Some("array") => json!([sample(&schema["items"])]),
        Some("map") => json!({"key é": sample(&schema["values"])}),
        Some("object") => {
            let properties = schema["properties"].as_object();
            properties
                .into_iter()
                .flatten()
                .map(|(name, schema)| (name.clone(), sample(schema)))
                .collect::<Map<_, _>>()
                .into()
        }
        Some("any") => json!({"nested": [1, "a"]}),
        other => panic!("a schema of a new type: {other:?}"),
    }
}

fn kind(field: &ContractField) -> Kind {
    match (
        field.serialisation.split(' ').next(),
        field.schema["type"].as_str(),
    ) {
        (Some("json-string"), _) => Kind::Json,
        (Some("simple"), _) => Kind::Csv,
        (Some("flattened-1-based-index"), _) => Kind::Flattened,
        (Some("text"), Some("string")) => Kind::Text,
        (Some("text"), Some("integer")) => Kind::Integer,
        (Some("text"), Some("number")) => Kind::Number,
        (Some("text"), Some("boolean")) => Kind::Boolean,
        other => panic!("{}: a new way to travel: {other:?}", field.name),
    }
}

/// The parameters that carry a field's sample.
fn wire_pairs(field: &ContractField) -> Vec<(String, String)> {
    let value = sample(&field.schema);
    let text = match (kind(field), &value) {
        (Kind::Text, Value::String(text)) => text.clone(),
        (Kind::Boolean, _) => "True".to_owned(),
        (Kind::Csv, _) => texts(&value).join(","),
        (Kind::Flattened, _) => return dotted_pairs(&field.name, &value),
        _ => value.to_string(),
    };
    vec![(field.name.clone(), text)]
}

fn texts(list: &Value) -> Vec<&str> {
    let items = list.as_array().expect("a list");
    items
        .iter()
        .map(|item| item.as_str().expect("a list of texts"))
        .collect()
}

fn dotted_pairs(name: &str, list: &Value) -> Vec<(String, String)> {
    let entries = list.as_array().expect("a list").iter().enumerate();
    entries
        .flat_map(|(index, entry)| {
            let members = entry.as_object().expect("a list of objects").iter();
            members.map(move |(member, value)| {
                let text = value.as_str().expect("flat objects of texts").to_owned();
                (format!("{name}.{}.{member}", index + 1), text)
            })
        })
        .collect()
}

fn full_request(operation: &Operation) -> BTreeMap<String, String> {
    operation.request.iter().flat_map(wire_pairs).collect()
}

fn parameters(pairs: &BTreeMap<String, String>) -> Parameters {
    Parameters::from_pairs(pairs.clone().into_iter().collect())
}

/// Marked required in the SDK's comments, required here only under a condition
/// that the request's own check knows.
fn conditionally_required(action: &str, field: &str) -> bool {
    matches!(
        (action, field),
        (
            "CreateDocumentCollection",
            "EntityTypes" | "RelationshipTypes"
        ) | ("CreateVectorIndex", "Dimension")
    )
}

fn fields_are_the_contracts<R: Request>() {
    let action = R::ACTION.name();
    let mut theirs: Vec<_> = operation::<R>()
        .request
        .iter()
        .map(|field| {
            let required =
                field.required_per_sdk_doc && !conditionally_required(action, &field.name);
            (field.name.clone(), kind(field), required)
        })
        .collect();
    theirs.sort_by(|left, right| left.0.cmp(&right.0));
    let mut ours: Vec<_> = R::FIELDS
        .iter()
        .map(|field| (field.name.to_owned(), field.kind, field.required))
        .collect();
    ours.sort_by(|left, right| left.0.cmp(&right.0));
    assert_eq!(ours, theirs, "{action}");
}

fn a_full_request_survives<R: Request>() {
    let action = R::ACTION.name();
    let sent = full_request(&operation::<R>());
    let request =
        R::from_parameters(&parameters(&sent)).unwrap_or_else(|error| panic!("{action}: {error}"));
    let written: BTreeMap<String, String> = request.to_parameters().into_iter().collect();
    assert_eq!(
        written.keys().collect::<Vec<_>>(),
        sent.keys().collect::<Vec<_>>()
    );
    for (name, text) in &sent {
        let is_json = R::FIELDS
            .iter()
            .any(|field| field.name == name && field.kind == Kind::Json);
        if is_json {
            let parse = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
            assert_eq!(parse(&written[name]), parse(text), "{action}.{name}");
        } else {
            assert_eq!(&written[name], text, "{action}.{name}");
        }
    }
}

fn wrong_values_are_named<R: Request>() {
    let full = full_request(&operation::<R>());
    for field in R::FIELDS {
        // Any text is a good text; everything else has a form.
        if matches!(field.kind, Kind::Text | Kind::Csv) {
            continue;
        }
        let mut wrong = full.clone();
        wrong.insert(field.name.to_owned(), "x!".to_owned());
        let error = R::from_parameters(&parameters(&wrong)).err();
        assert!(
            matches!(&error, Some(DtoError::Invalid { field: named, .. }) if *named == field.name),
            "{}.{}: {error:?}",
            R::ACTION.name(),
            field.name
        );
    }
}

fn missing_fields_are_named<R: Request>() {
    let full = full_request(&operation::<R>());
    for field in R::FIELDS.iter().filter(|field| field.required) {
        let mut without = full.clone();
        without.remove(field.name);
        assert_eq!(
            R::from_parameters(&parameters(&without)).err(),
            Some(DtoError::Missing { field: field.name }),
            "{}",
            R::ACTION.name()
        );
    }
}

fn a_full_reply_survives<R: Request>() {
    let action = R::ACTION.name();
    let full = sample(&operation::<R>().response_body);
    let reply: R::Response =
        serde_json::from_value(full.clone()).unwrap_or_else(|error| panic!("{action}: {error}"));
    let written = serde_json::to_value(&reply).expect("replies are JSON");
    assert_eq!(written, full, "{action}");
}

fn an_empty_reply_has_no_null<R: Request>() {
    let action = R::ACTION.name();
    let reply: R::Response = serde_json::from_value(json!({})).expect("every field has a default");
    let text = serde_json::to_string(&reply).expect("replies are JSON");
    assert!(!text.contains("null"), "{action}: {text}");
    assert!(text.starts_with("{\"RequestId\":"), "{action}: {text}");
}

#[test]
fn requests_have_the_contracts_fields() {
    for_every_request!(fields_are_the_contracts);
}

#[test]
fn full_requests_are_read_and_written_without_loss() {
    for_every_request!(a_full_request_survives);
}

#[test]
fn wrong_and_missing_values_are_refused_by_name() {
    for_every_request!(wrong_values_are_named);
    for_every_request!(missing_fields_are_named);
}

#[test]
fn full_replies_are_written_without_loss() {
    for_every_request!(a_full_reply_survives);
}

#[test]
fn absent_values_are_left_out_of_replies() {
    for_every_request!(an_empty_reply_has_no_null);
}

#[test]
fn the_irregular_wrappers_are_written_exactly() {
    let reply = QueryContentResponse {
        usage: Some(QueryUsage {
            embedding_tokens: "3".into(),
            embedding_entries: "1".into(),
        }),
        matches: Matches {
            match_list: vec![Match {
                file_url: Some("http://h/k".into()),
                vector: Some(VectorList {
                    vector_list: vec![0.1],
                }),
                ..Default::default()
            }],
        },
        window_matches: Some(WindowMatches {
            window_matches: vec![WindowMatchGroup::default()],
        }),
        ..Default::default()
    };
    let json = serde_json::to_string(&reply).unwrap();
    for part in [
        r#""Usage":{"EmbeddingTokens":"3","EmbeddingEntries":"1"}"#,
        r#""Matches":{"MatchList":[{"#,
        r#""FileURL":"http://h/k""#,
        r#""Vector":{"VectorList":[0.1]}"#,
        r#""WindowMatches":{"windowMatches":[{"WindowMatch":{"windowMatch":[]}}]}"#,
    ] {
        assert!(json.contains(part), "{part} in {json}");
    }
    let nothing = serde_json::to_value(QueryContentResponse::default()).unwrap();
    assert_eq!(nothing["Matches"], json!({"MatchList": []}));
}

fn value<T: Default + serde::Serialize>() -> Value {
    serde_json::to_value(T::default()).expect("replies are JSON")
}

#[test]
fn the_wrappers_of_vector_replies_are_written_exactly() {
    let found = QueryCollectionDataResponse {
        matches: DataMatches {
            list: vec![DataMatch {
                values: Some(DenseValues { value: vec![0.1] }),
                sparse_values: Some(SparseValues {
                    indices: SparseIndices { indice: vec![3] },
                    values: SparseWeights { value: vec![0.5] },
                }),
                ..Default::default()
            }],
        },
        ..Default::default()
    };
    assert_eq!(
        serde_json::to_value(&found).unwrap()["Matches"],
        json!({"match": [{
            "Id": "", "Score": 0.0, "Metadata": {}, "MetadataV2": {},
            "Values": {"value": [0.1_f32]},
            "SparseValues": {"Indices": {"Indice": [3]}, "Values": {"Value": [0.5]}},
        }]})
    );
    let nothing =
        |reply: Value, list: &str| assert_eq!(reply.pointer(list), Some(&json!([])), "{reply}");
    nothing(value::<QueryCollectionDataResponse>(), "/Matches/match");
    nothing(
        value::<ListCollectionsResponse>(),
        "/Collections/Collection",
    );
    nothing(value::<ListIndicesResponse>(), "/Indices/Indices");
    nothing(value::<ListChunksResponse>(), "/Chunks/chunks");
    nothing(value::<TextEmbeddingResponse>(), "/Results/Results");
    nothing(value::<RerankResponse>(), "/Results/Results");
    nothing(
        value::<ListSupportModelsResponse>(),
        "/ModelNames/modelNames",
    );
    nothing(
        value::<DescribeAccountsResponse>(),
        "/Accounts/DBInstanceAccount",
    );
    nothing(value::<DescribeDbInstancesResponse>(), "/Items/DBInstance");
    nothing(
        value::<DescribeDbInstanceAttributeResponse>(),
        "/Items/DBInstanceAttribute",
    );
    nothing(value::<DescribeRegionsResponse>(), "/Regions/Region");
    let switched = value::<ModifyVectorConfigurationResponse>();
    assert_eq!(switched["Status"], json!(false));
}

#[test]
fn every_action_of_the_contract_is_in_the_table() {
    let operations = contract().operations;
    for (name, operation) in &operations {
        let entry = find(name).expect(name);
        assert_eq!(entry.version, operation.version, "{name}");
    }
    // What the contract describes and we do not serve yet is marked as described.
    for entry in ACTIONS.iter() {
        let described = operations.contains_key(entry.name);
        if entry.status == ActionStatus::NotYet {
            assert_eq!(
                entry.evidence == Evidence::Docs,
                described,
                "{}",
                entry.name
            );
        } else {
            assert!(described, "{}", entry.name);
        }
    }
}
