//! Instances, namespaces and their credentials (semantics.md rows 1 to 3, 5, 8, 43, 44).

use crate::support::*;
use lookalike_engine::{
    Credential, DataLocation, Engine, EngineError, InstanceId, ManagerAccess, NamespaceAccess,
    NamespaceName, Secret, Subject, config::ManagerAccount,
};

async fn engine() -> Engine {
    Engine::open(config(DataLocation::Memory), models())
        .await
        .unwrap()
}

fn name(text: &str) -> NamespaceName {
    NamespaceName::new(text).unwrap()
}

fn with_password(password: &str) -> NamespaceAccess {
    NamespaceAccess {
        password: Secret::new(password),
        ..access()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn set_up_can_be_repeated_on_every_start() {
    let engine = engine().await;
    for _ in 0..3 {
        engine.init_vector_database(&manager()).await.unwrap();
        engine
            .create_namespace(&manager(), &name("n"), &Secret::new("p"))
            .await
            .unwrap();
    }
    assert_eq!(
        engine.list_namespaces(&manager()).await.unwrap(),
        [name("n")]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_a_namespace_initialises_the_instance() {
    let engine = engine().await;
    engine
        .create_namespace(&manager(), &name("n"), &Secret::new("p"))
        .await
        .unwrap();
    assert_eq!(
        engine
            .describe_namespace(&manager(), &name("n"))
            .await
            .unwrap()
            .name,
        name("n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_nobody_initialised_says_how_to() {
    let engine = engine().await;
    let describe = engine
        .describe_namespace(&manager(), &name("n"))
        .await
        .map(|_| ());
    let list = engine
        .list_document_collections(&access())
        .await
        .map(|_| ());
    for outcome in [describe, list] {
        let Err(EngineError::Conflict { reason }) = outcome else {
            panic!("{outcome:?}")
        };
        assert!(reason.contains("call InitVectorDatabase first"), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_manager_account_is_the_manager() {
    let engine = engine().await;
    engine.init_vector_database(&manager()).await.unwrap();
    let wrong_password = ManagerAccess {
        password: Secret::new("other"),
        ..manager()
    };
    let wrong_account = ManagerAccess {
        account: "other".to_owned(),
        ..manager()
    };
    for wrong in [wrong_password, wrong_account] {
        for outcome in [
            engine.init_vector_database(&wrong).await,
            engine
                .create_namespace(&wrong, &name("n"), &Secret::new("p"))
                .await,
            engine.list_namespaces(&wrong).await.map(|_| ()),
        ] {
            assert!(
                matches!(
                    outcome,
                    Err(EngineError::Denied {
                        what: Credential::Manager
                    })
                ),
                "{outcome:?}"
            );
        }
    }
    assert!(engine.list_namespaces(&manager()).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_accounts_are_the_only_managers() {
    let mut config = config(DataLocation::Memory);
    let account = |account: &str, password: &str| ManagerAccount {
        account: account.to_owned(),
        password: Secret::new(password),
    };
    config.managers = vec![account("one", "1"), account("two", "2")];
    let engine = Engine::open(config, models()).await.unwrap();
    let access = |account: &str, password: &str| ManagerAccess {
        account: account.to_owned(),
        password: Secret::new(password),
        ..manager()
    };
    engine
        .init_vector_database(&access("one", "1"))
        .await
        .unwrap();
    engine
        .create_namespace(&access("two", "2"), &name("n"), &Secret::new("p"))
        .await
        .unwrap();
    for wrong in [access("one", "2"), manager()] {
        let outcome = engine.init_vector_database(&wrong).await;
        assert!(matches!(
            outcome,
            Err(EngineError::Denied {
                what: Credential::Manager
            })
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_are_separate_and_a_list_is_strict() {
    let engine = engine().await;
    set_up(&engine).await;
    let elsewhere = NamespaceAccess {
        instance: InstanceId::new("gp-other").unwrap(),
        ..access()
    };
    let outcome = engine.list_document_collections(&elsewhere).await;
    assert!(
        matches!(outcome, Err(EngineError::Conflict { .. })),
        "{outcome:?}"
    );

    let mut strict = config(DataLocation::Memory);
    strict.instances = Some(vec![InstanceId::new("gp-listed").unwrap()]);
    let strict = Engine::open(strict, models()).await.unwrap();
    let outcome = strict.init_vector_database(&manager()).await;
    assert!(
        matches!(
            outcome,
            Err(EngineError::NotFound {
                what: Subject::Instance,
                ..
            })
        ),
        "{outcome:?}"
    );
    let listed = ManagerAccess {
        instance: InstanceId::new("gp-listed").unwrap(),
        ..manager()
    };
    strict.init_vector_database(&listed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_namespace_is_not_found_whatever_the_password() {
    let engine = engine().await;
    engine.init_vector_database(&manager()).await.unwrap();
    let describe = engine
        .describe_namespace(&manager(), &name("n"))
        .await
        .map(|_| ());
    let delete = engine.delete_namespace(&manager(), &name("n")).await;
    let list = engine
        .list_document_collections(&access())
        .await
        .map(|_| ());
    let create = engine
        .create_document_collection(&manager(), &new_collection("c", ""))
        .await
        .map(|_| ());
    for outcome in [describe, delete, list, create] {
        assert!(
            matches!(
                outcome,
                Err(EngineError::NotFound {
                    what: Subject::Namespace,
                    ..
                })
            ),
            "{outcome:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_namespace_password_is_denied_and_never_not_found() {
    let engine = ready(config(DataLocation::Memory)).await;
    engine.list_document_collections(&access()).await.unwrap();
    for _ in 0..2 {
        let outcome = engine
            .list_document_collections(&with_password("wrong"))
            .await;
        assert!(
            matches!(
                outcome,
                Err(EngineError::Denied {
                    what: Credential::Namespace
                })
            ),
            "{outcome:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_a_namespace_again_replaces_its_password_and_keeps_its_content() {
    let engine = ready(config(DataLocation::Memory)).await;
    // Remembered as right before it is replaced.
    engine.list_document_collections(&access()).await.unwrap();
    let public = NamespaceName::default();
    engine
        .create_namespace(&manager(), &public, &Secret::new("new"))
        .await
        .unwrap();
    assert!(matches!(
        engine.list_document_collections(&access()).await,
        Err(EngineError::Denied {
            what: Credential::Namespace
        })
    ));
    let listed = engine
        .list_document_collections(&with_password("new"))
        .await
        .unwrap();
    assert_eq!(listed.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_namespace_removes_what_is_in_it() {
    let engine = ready(config(DataLocation::Memory)).await;
    indexed(&engine, "red.bmp", &plain([255, 0, 0])).await;
    let public = NamespaceName::default();
    engine.delete_namespace(&manager(), &public).await.unwrap();
    assert!(engine.list_namespaces(&manager()).await.unwrap().is_empty());
    // `public` can be made again and is empty then.
    engine
        .create_namespace(&manager(), &public, &access().password)
        .await
        .unwrap();
    assert!(
        engine
            .list_document_collections(&access())
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_namespace_password_is_refused() {
    let engine = engine().await;
    let outcome = engine
        .create_namespace(&manager(), &name("n"), &Secret::new(""))
        .await;
    assert_eq!(invalid_field(outcome), "NamespacePassword");
}
