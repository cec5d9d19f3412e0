//! What start pages ask: regions, instances, accounts.

use lookalike::client::{Client, ClientError};
use lookalike_wire::Secret;
use lookalike_wire::dto::{
    CreateAccountRequest, DescribeAccountsRequest, DescribeDbInstanceAttributeRequest,
    DescribeDbInstancesRequest, DescribeDbInstancesResponse, DescribeRegionsRequest, Flattened,
    InitVectorDatabaseRequest, ListNamespacesRequest, Request,
};

use crate::server::{INSTANCE, REGION, Running, start, start_with};

fn account(instance: &str, name: &str, password: &str) -> CreateAccountRequest {
    CreateAccountRequest {
        account_name: name.to_owned(),
        account_password: Secret::from(password),
        db_instance_id: instance.to_owned(),
        ..CreateAccountRequest::default()
    }
}

fn init(instance: &str, name: &str, password: &str) -> InitVectorDatabaseRequest {
    InitVectorDatabaseRequest {
        db_instance_id: Some(instance.to_owned()),
        manager_account: name.to_owned(),
        manager_account_password: Secret::from(password),
        region_id: REGION.to_owned(),
        ..InitVectorDatabaseRequest::default()
    }
}

async fn refusal<R: Request<Response: std::fmt::Debug>>(client: &Client, request: &R) -> String {
    match client.call(request).await {
        Err(ClientError::Refused { status, code, .. }) => format!("{status} {code}"),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

async fn names(client: &Client, account_type: Option<&str>) -> Vec<(String, String)> {
    let request = DescribeAccountsRequest {
        db_instance_id: INSTANCE.to_owned(),
        account_type: account_type.map(str::to_owned),
        ..DescribeAccountsRequest::default()
    };
    let accounts = client.call(&request).await.unwrap().accounts.list;
    accounts
        .into_iter()
        .map(|account| (account.account_name, account.account_type))
        .collect()
}

async fn instances(
    server: &Running,
    request: DescribeDbInstancesRequest,
) -> DescribeDbInstancesResponse {
    let request = DescribeDbInstancesRequest {
        region_id: REGION.to_owned(),
        ..request
    };
    server.client.call(&request).await.unwrap()
}

fn ids(reply: &DescribeDbInstancesResponse) -> Vec<&str> {
    let items = reply.items.list.iter();
    items.map(|item| item.db_instance_id.as_str()).collect()
}

/// docs: an account made for an instance initialises it, and nobody else can then.
#[tokio::test]
async fn an_account_that_was_made_is_the_manager() {
    let server = start().await;
    let client = &server.client;
    client
        .call(&account(INSTANCE, "keeper", "Keeper_1"))
        .await
        .unwrap();
    assert_eq!(
        refusal(client, &init(INSTANCE, "other", "Other_01")).await,
        "500 AccountOrPassword.VerificationError"
    );
    assert_eq!(
        refusal(client, &init(INSTANCE, "keeper", "Wrong_01")).await,
        "500 AccountOrPassword.VerificationError"
    );
    client
        .call(&init(INSTANCE, "keeper", "Keeper_1"))
        .await
        .unwrap();
    // A later account is a second manager, unless it is no privileged one.
    client
        .call(&account(INSTANCE, "second", "Second_1"))
        .await
        .unwrap();
    client
        .call(&CreateAccountRequest {
            account_type: Some("Normal".to_owned()),
            ..account(INSTANCE, "reader", "Reader_1")
        })
        .await
        .unwrap();
    let list = |name: &str, password: &str| ListNamespacesRequest {
        db_instance_id: Some(INSTANCE.to_owned()),
        manager_account: name.to_owned(),
        manager_account_password: Secret::from(password),
        region_id: REGION.to_owned(),
        ..ListNamespacesRequest::default()
    };
    for (name, password) in [("keeper", "Keeper_1"), ("second", "Second_1")] {
        client.call(&list(name, password)).await.unwrap();
    }
    assert_eq!(
        refusal(client, &list("reader", "Reader_1")).await,
        "500 AccountOrPassword.VerificationError"
    );
    let privileged = [("keeper", "Super"), ("second", "Super")]
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()));
    assert_eq!(names(client, None).await, privileged);
    assert_eq!(
        names(client, Some("Normal")).await,
        [("reader".to_owned(), "Normal".to_owned())]
    );
    assert_eq!(names(client, Some("All")).await.len(), 3);
}

/// ours: accounts that are managers without having been made are listed, and their names are taken.
#[tokio::test]
async fn managers_of_other_origin_are_listed_too() {
    let server = start().await;
    server.set_up().await;
    assert_eq!(
        names(&server.client, None).await,
        [("manager".to_owned(), "Super".to_owned())]
    );
    assert_eq!(
        refusal(&server.client, &account(INSTANCE, "manager", "Keeper_1")).await,
        "400 InvalidAccountName.Duplicate"
    );
    // The one that initialised the instance stays a manager beside one that was made.
    server
        .client
        .call(&account(INSTANCE, "second", "Second_1"))
        .await
        .unwrap();
    server
        .client
        .call(&init(INSTANCE, "manager", "m4nager"))
        .await
        .unwrap();

    let configured = start_with(&["--manager", "boss:secret"]).await;
    let client = &configured.client;
    assert_eq!(
        names(client, None).await,
        [("boss".to_owned(), "Super".to_owned())]
    );
    client
        .call(&account(INSTANCE, "second", "Second_1"))
        .await
        .unwrap();
    for (name, password) in [("boss", "secret"), ("second", "Second_1")] {
        client.call(&init(INSTANCE, name, password)).await.unwrap();
    }
}

/// docs: the rules for names and passwords; the field at fault is named.
#[tokio::test]
async fn bad_accounts_are_refused() {
    let server = start().await;
    let client = &server.client;
    for (request, field) in [
        (account(INSTANCE, "gpadmin", "Keeper_1"), "AccountName"),
        (account(INSTANCE, "keeper", "keeper"), "AccountPassword"),
        (
            CreateAccountRequest {
                account_type: Some("Root".to_owned()),
                ..account(INSTANCE, "keeper", "Keeper_1")
            },
            "AccountType",
        ),
        (
            CreateAccountRequest {
                account_description: Some("x".repeat(257)),
                ..account(INSTANCE, "keeper", "Keeper_1")
            },
            "AccountDescription",
        ),
    ] {
        let Err(ClientError::Refused { code, message, .. }) = client.call(&request).await else {
            panic!("{field} should be refused")
        };
        assert_eq!(code, "InvalidParameter", "{message}");
        assert!(message.contains(field), "{message}");
        assert!(!message.contains("Keeper_1"), "{message}");
    }
    assert!(names(client, Some("All")).await.is_empty());
}

/// docs: instances come in pages, with the filters that a local server can apply.
#[tokio::test]
async fn instances_are_listed_once_something_was_made_on_them() {
    let server = start().await;
    assert_eq!(
        instances(&server, DescribeDbInstancesRequest::default())
            .await
            .total_record_count,
        0
    );
    for id in ["gp-c", "gp-a"] {
        let request = init(id, "manager", "m4nager");
        server.client.call(&request).await.unwrap();
    }
    let request = account("gp-b", "keeper", "Keeper_1");
    server.client.call(&request).await.unwrap();
    let all = instances(&server, DescribeDbInstancesRequest::default()).await;
    assert_eq!(ids(&all), ["gp-a", "gp-b", "gp-c"]);
    assert_eq!((all.page_number, all.page_record_count), (1, 3));
    let first = &all.items.list[0];
    assert_eq!(
        (first.engine.as_str(), first.engine_version.as_str()),
        ("gpdb", "6.0")
    );
    assert_eq!(first.db_instance_status, "Running");
    assert_eq!(first.region_id, REGION);
    assert!(first.create_time.as_ref().unwrap().ends_with('Z'));

    let page = |number, size| DescribeDbInstancesRequest {
        page_number: Some(number),
        page_size: Some(size),
        ..DescribeDbInstancesRequest::default()
    };
    let second = instances(&server, page(2, 2)).await;
    assert_eq!(ids(&second), ["gp-c"]);
    assert_eq!((second.page_number, second.total_record_count), (2, 3));
    assert!(ids(&instances(&server, page(9, 100)).await).is_empty());
    for bad in [page(0, 2), page(1, 0), page(1, 101), page(-1, 2)] {
        let bad = DescribeDbInstancesRequest {
            region_id: REGION.to_owned(),
            ..bad
        };
        assert_eq!(refusal(&server.client, &bad).await, "400 InvalidParameter");
    }

    let by = |change: fn(&mut DescribeDbInstancesRequest)| {
        let mut request = DescribeDbInstancesRequest::default();
        change(&mut request);
        instances(&server, request)
    };
    let csv = |text: &str| Some(lookalike_wire::dto::Csv(vec![text.to_owned()]));
    let named = by(|request| request.db_instance_ids = Some("gp-c, gp-a,gp-x".to_owned())).await;
    assert_eq!(ids(&named), ["gp-a", "gp-c"]);
    let described = by(|request| request.db_instance_description = Some("b".to_owned())).await;
    assert_eq!(ids(&described), ["gp-b"]);
    let running = DescribeDbInstancesRequest {
        db_instance_statuses: csv("Running"),
        db_instance_modes: csv("StorageElastic"),
        ..DescribeDbInstancesRequest::default()
    };
    assert_eq!(instances(&server, running).await.total_record_count, 3);
    let creating = DescribeDbInstancesRequest {
        db_instance_statuses: csv("Creating"),
        ..DescribeDbInstancesRequest::default()
    };
    assert_eq!(instances(&server, creating).await.total_record_count, 0);
    let tagged = DescribeDbInstancesRequest {
        tag: Some(Flattened(vec![[("Key".to_owned(), "k".to_owned())].into()])),
        ..DescribeDbInstancesRequest::default()
    };
    assert_eq!(instances(&server, tagged).await.total_record_count, 0);
}

/// ours: with `--instance` the list is complete, and nothing else can be described.
#[tokio::test]
async fn listed_instances_are_the_only_ones() {
    let server = start_with(&["--instance", "gp-2,gp-1"]).await;
    let all = instances(&server, DescribeDbInstancesRequest::default()).await;
    assert_eq!(ids(&all), ["gp-1", "gp-2"]);
    assert_eq!(all.items.list[0].create_time, None);
    let describe = |id: &str| DescribeDbInstanceAttributeRequest {
        db_instance_id: id.to_owned(),
        ..DescribeDbInstanceAttributeRequest::default()
    };
    server.client.call(&describe("gp-1")).await.unwrap();
    let accounts = DescribeAccountsRequest {
        db_instance_id: "gp-3".to_owned(),
        ..DescribeAccountsRequest::default()
    };
    let unknown = "404 InvalidDBInstanceId.NotFound";
    let client = &server.client;
    assert_eq!(refusal(client, &describe("gp-3")).await, unknown);
    assert_eq!(refusal(client, &accounts).await, unknown);
    let request = account("gp-3", "keeper", "Keeper_1");
    assert_eq!(refusal(client, &request).await, unknown);
}

/// sdk: the vendor's demo lists instances whose vector engine is enabled, and cuts their core version.
#[tokio::test]
async fn an_instance_is_described_as_this_server() {
    let server = start().await;
    let describe = DescribeDbInstanceAttributeRequest {
        db_instance_id: INSTANCE.to_owned(),
        ..DescribeDbInstanceAttributeRequest::default()
    };
    let reply = server.client.call(&describe).await.unwrap();
    let [attribute] = reply.items.list.as_slice() else {
        panic!("{reply:?}")
    };
    assert_eq!(attribute.vector_configuration_status, "enabled");
    assert_eq!(attribute.db_instance_status, "Running");
    assert!(attribute.core_version.is_some());
    assert_eq!(
        format!("{}:{}", attribute.connection_string, attribute.port),
        server.endpoint
    );
    let public = start_with(&["--public-url", "https://photos.example"]).await;
    let reply = public.client.call(&describe).await.unwrap();
    let attribute = &reply.items.list[0];
    assert_eq!(
        (
            attribute.connection_string.as_str(),
            attribute.port.as_str()
        ),
        ("photos.example", "443")
    );
}

/// docs: regions, each with its zones.
#[tokio::test]
async fn regions_have_zones() {
    let server = start().await;
    let all = DescribeRegionsRequest::default();
    let regions = server.client.call(&all).await.unwrap().regions.region;
    assert!(regions.iter().any(|region| region.region_id == REGION));
    assert!(regions.iter().all(|region| region.zones.zone.len() == 1));
    let one = DescribeRegionsRequest {
        region: Some("eu-central-1".to_owned()),
    };
    let regions = server.client.call(&one).await.unwrap().regions.region;
    assert_eq!(regions.len(), 1);
    assert_eq!(regions[0].region_id, "eu-central-1");
}
