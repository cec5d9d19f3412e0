//! Codes and shapes of the actions, where clients depend on them.

use lookalike::client::{Client, ClientError};
use lookalike_wire::Secret;
use lookalike_wire::dto::{
    CancelUploadDocumentJobRequest, CreateNamespaceRequest, DeleteDocumentCollectionRequest,
    DescribeDocumentRequest, DescribeNamespaceRequest, ListDocumentCollectionsRequest,
    ListNamespacesRequest, NamespaceList, QueryContentRequest, Request,
};

use crate::server::{
    COLLECTION, INSTANCE, NAMESPACE, PASSWORD, REGION, new_collection, query, start, start_with,
    upload,
};
use crate::wire::Call;

async fn refusal<R: Request<Response: std::fmt::Debug>>(
    client: &Client,
    request: &R,
) -> (u16, String) {
    match client.call(request).await {
        Err(ClientError::Refused { status, code, .. }) => (status, code),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn describe_namespace(name: &str) -> DescribeNamespaceRequest {
    DescribeNamespaceRequest {
        db_instance_id: Some(INSTANCE.to_owned()),
        manager_account: "manager".to_owned(),
        manager_account_password: Secret::from("m4nager"),
        namespace: name.to_owned(),
        region_id: REGION.to_owned(),
        ..DescribeNamespaceRequest::default()
    }
}

/// sdk: clients create what a 404 says is missing, and nothing else may be one.
#[tokio::test]
async fn missing_things_are_404_and_wrong_passwords_are_not() {
    let server = start().await;
    server.set_up().await;
    let client = &server.client;
    assert_eq!(
        refusal(client, &describe_namespace("nobody")).await,
        refused(404, "Namespace.NotFound")
    );
    let wrong_manager = DescribeNamespaceRequest {
        manager_account_password: Secret::from("wrong"),
        ..describe_namespace(NAMESPACE)
    };
    assert_eq!(
        refusal(client, &wrong_manager).await,
        refused(500, "AccountOrPassword.VerificationError")
    );
    let wrong_password = QueryContentRequest {
        namespace_password: Secret::from("wrong"),
        content: Some("dog".to_owned()),
        ..query()
    };
    assert_eq!(
        refusal(client, &wrong_password).await,
        refused(403, "Namespace.PasswordInvalid")
    );
    let missing = QueryContentRequest {
        collection: "nothing".to_owned(),
        content: Some("dog".to_owned()),
        ..query()
    };
    assert_eq!(
        refusal(client, &missing).await,
        refused(404, "Collection.NotFound")
    );
    let document = DescribeDocumentRequest {
        db_instance_id: INSTANCE.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        namespace_password: Secret::from(PASSWORD),
        collection: COLLECTION.to_owned(),
        file_name: "nothing.jpg".to_owned(),
        region_id: REGION.to_owned(),
        ..DescribeDocumentRequest::default()
    };
    assert_eq!(
        refusal(client, &document).await,
        refused(404, "File.NotFound")
    );
    for job_id in ["0e6d3a3c-5f3f-4d5c-9f3e-111111111111", "not-an-id"] {
        let job = CancelUploadDocumentJobRequest {
            db_instance_id: INSTANCE.to_owned(),
            namespace: Some(NAMESPACE.to_owned()),
            namespace_password: Secret::from(PASSWORD),
            collection: COLLECTION.to_owned(),
            job_id: job_id.to_owned(),
            region_id: REGION.to_owned(),
            ..CancelUploadDocumentJobRequest::default()
        };
        assert_eq!(refusal(client, &job).await, refused(404, "Job.NotFound"));
    }
}

/// sdk: set-up scripts are sent at every start; the code of a repeated collection is tested by clients.
#[tokio::test]
async fn set_up_can_be_repeated() {
    let server = start().await;
    server.set_up().await;
    assert_eq!(
        refusal(&server.client, &new_collection()).await,
        refused(409, "Collection.AlreadyExists")
    );
    let new_password = CreateNamespaceRequest {
        db_instance_id: Some(INSTANCE.to_owned()),
        manager_account: "manager".to_owned(),
        manager_account_password: Secret::from("m4nager"),
        namespace: Some(NAMESPACE.to_owned()),
        namespace_password: Secret::from("another"),
        region_id: REGION.to_owned(),
        ..CreateNamespaceRequest::default()
    };
    server.client.call(&new_password).await.unwrap();
    let with_old = QueryContentRequest {
        content: Some("dog".to_owned()),
        ..query()
    };
    assert_eq!(
        refusal(&server.client, &with_old).await,
        refused(403, "Namespace.PasswordInvalid")
    );
    let with_new = QueryContentRequest {
        namespace_password: Secret::from("another"),
        ..with_old
    };
    assert!(
        server
            .client
            .call(&with_new)
            .await
            .unwrap()
            .matches
            .match_list
            .is_empty()
    );
}

/// docs: lists have their irregular inner names and a count.
#[tokio::test]
async fn lists_have_the_vendors_shape() {
    let server = start().await;
    server.set_up().await;
    let namespaces = ListNamespacesRequest {
        db_instance_id: Some(INSTANCE.to_owned()),
        manager_account: "manager".to_owned(),
        manager_account_password: Secret::from("m4nager"),
        region_id: REGION.to_owned(),
        ..ListNamespacesRequest::default()
    };
    let found = server.client.call(&namespaces).await.unwrap();
    assert_eq!(
        found.namespaces,
        NamespaceList {
            namespace: vec![NAMESPACE.to_owned()]
        }
    );
    assert_eq!(
        (
            found.count,
            found.region_id.as_str(),
            found.db_instance_id.as_str()
        ),
        (1, REGION, INSTANCE)
    );

    let fields = [
        ("DBInstanceId", INSTANCE),
        ("Namespace", NAMESPACE),
        ("NamespacePassword", PASSWORD),
        ("RegionId", REGION),
    ];
    let body = Call::new(&server.endpoint, "ListDocumentCollections", &fields)
        .send()
        .await
        .json();
    let collection = &body["Items"]["CollectionList"][0];
    assert_eq!(body["Count"], 1);
    assert_eq!(
        (
            &collection["CollectionName"],
            &collection["EmbeddingModel"],
            &collection["Dimension"],
            &collection["Metrics"]
        ),
        (
            &COLLECTION.into(),
            &"clip-vit-b-32".into(),
            &512.into(),
            &"cosine".into()
        )
    );
    assert_eq!(collection["Metadata"], r#"{"caption":"text","year":"int"}"#);
    assert_eq!(body["Status"], "success");
    assert_eq!(body["RequestId"].as_str().unwrap().len(), 36);
}

/// sdk: a deleted collection is gone, and so is what was in it.
#[tokio::test]
async fn deleted_collection_is_gone() {
    let server = start().await;
    server.set_up().await;
    let delete = DeleteDocumentCollectionRequest {
        db_instance_id: INSTANCE.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        namespace_password: Secret::from(PASSWORD),
        collection: COLLECTION.to_owned(),
        region_id: REGION.to_owned(),
        ..DeleteDocumentCollectionRequest::default()
    };
    server.client.call(&delete).await.unwrap();
    assert_eq!(
        refusal(&server.client, &delete).await,
        refused(404, "Collection.NotFound")
    );
    let list = ListDocumentCollectionsRequest {
        db_instance_id: INSTANCE.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        namespace_password: Secret::from(PASSWORD),
        region_id: REGION.to_owned(),
        ..ListDocumentCollectionsRequest::default()
    };
    assert_eq!(server.client.call(&list).await.unwrap().count, 0);
}

/// ours: fields at fault are named, unknown models with the valid ones.
#[tokio::test]
async fn field_at_fault_is_named() {
    let server = start().await;
    server.set_up().await;
    let message = async |request: &QueryContentRequest| match server.client.call(request).await {
        Err(ClientError::Refused {
            status: 400,
            code,
            message,
        }) => format!("{code} {message}"),
        other => panic!("expected a refusal, got {other:?}"),
    };
    let text = || QueryContentRequest {
        content: Some("dog".to_owned()),
        ..query()
    };
    for (request, field) in [
        (query(), "Content"),
        (
            QueryContentRequest {
                top_k: Some(0),
                ..text()
            },
            "TopK",
        ),
        (
            QueryContentRequest {
                top_k: Some(1001),
                ..text()
            },
            "TopK",
        ),
        (
            QueryContentRequest {
                metrics: Some("hamming".to_owned()),
                ..text()
            },
            "Metrics",
        ),
        (
            QueryContentRequest {
                url_expiration: Some("10s".to_owned()),
                ..text()
            },
            "UrlExpiration",
        ),
        (
            QueryContentRequest {
                filter: Some("lower(caption) = 'x'".to_owned()),
                ..text()
            },
            "Filter",
        ),
        (
            QueryContentRequest {
                file_url: Some("ftp://x/y.jpg".to_owned()),
                ..query()
            },
            "FileUrl",
        ),
        (
            QueryContentRequest {
                collection: "no-dashes".to_owned(),
                ..text()
            },
            "Collection",
        ),
    ] {
        let message = message(&request).await;
        assert!(
            message.starts_with("InvalidParameter") && message.contains(field),
            "{field}: {message}"
        );
    }
    let mut unknown_model = new_collection();
    "other".clone_into(&mut unknown_model.collection);
    unknown_model.embedding_model = Some("clip-vit-z".to_owned());
    match server.client.call(&unknown_model).await {
        Err(ClientError::Refused {
            status: 400,
            message,
            ..
        }) => assert!(message.contains("clip-vit-b-32"), "{message}"),
        other => panic!("expected a refusal, got {other:?}"),
    }
    let missing = upload("dog.jpg", "");
    assert_eq!(
        refusal(&server.client, &missing).await,
        refused(400, "MissingParameter")
    );
}

/// ours: `--instance` knows the listed instances only; any other mode knows all.
#[tokio::test]
async fn listed_instances_are_the_only_ones() {
    let server = start_with(&["--instance", "gp-one", "--instance", "gp-two"]).await;
    let init = async |instance: &str| {
        let fields = [
            ("DBInstanceId", instance),
            ("RegionId", REGION),
            ("ManagerAccount", "m"),
            ("ManagerAccountPassword", "p"),
        ];
        Call::new(&server.endpoint, "InitVectorDatabase", &fields)
            .send()
            .await
    };
    assert_eq!(init("gp-two").await.status, 200);
    assert_eq!(
        init("gp-three").await.refusal(),
        refused(404, "InvalidDBInstanceId.NotFound")
    );
}

/// ours: newer SDKs may send fields that nobody here knows.
#[tokio::test]
async fn unknown_fields_are_ignored() {
    let server = start().await;
    let fields = [
        ("DBInstanceId", "gp-1"),
        ("RegionId", REGION),
        ("ManagerAccount", "m"),
        ("ManagerAccountPassword", "p"),
        ("BrandNewField", "1"),
    ];
    assert_eq!(
        Call::new(&server.endpoint, "InitVectorDatabase", &fields)
            .send()
            .await
            .status,
        200
    );
}
