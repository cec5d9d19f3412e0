//! Who a request acts for: the manager account or a namespace; and names checked on the way.

use lookalike_engine::{
    EngineError, InstanceId, ManagerAccess, NamespaceAccess, NamespaceName, Secret,
};
use lookalike_wire::{
    ApiError,
    dto::{self, NamesInstance as _},
};

use crate::error::Failure;

/// A request of an instance's manager.
pub trait OfManager {
    fn instance(&self) -> &str;
    fn account(&self) -> &str;
    fn password(&self) -> &lookalike_wire::Secret;
}

/// A request that acts in a namespace.
pub trait InNamespace {
    fn instance(&self) -> &str;
    /// `public` when it names none.
    fn namespace(&self) -> Option<&str>;
    fn password(&self) -> &lookalike_wire::Secret;
}

/// The manager account that a request gives.
pub fn manager(request: &impl OfManager) -> Result<ManagerAccess, Failure> {
    Ok(ManagerAccess {
        instance: InstanceId::new(request.instance()).map_err(EngineError::from)?,
        account: request.account().to_owned(),
        password: secret(request.password()),
    })
}

/// The namespace that a request acts in, with the password that it gives.
pub fn namespace(request: &impl InNamespace) -> Result<NamespaceAccess, Failure> {
    Ok(NamespaceAccess {
        instance: InstanceId::new(request.instance()).map_err(EngineError::from)?,
        namespace: namespace_name(request.namespace().map(str::to_owned))?,
        password: secret(request.password()),
    })
}

/// A namespace's name; `public` when none is given.
pub fn namespace_name(name: Option<String>) -> Result<NamespaceName, Failure> {
    Ok(match name {
        Some(name) => NamespaceName::new(name).map_err(EngineError::from)?,
        None => NamespaceName::default(),
    })
}

/// A secret on its way from the wire to the engine.
pub fn secret(password: &lookalike_wire::Secret) -> Secret {
    Secret::new(password.expose())
}

/// A number that cannot be negative or beyond 32 bits.
pub fn unsigned(field: &str, number: Option<i64>) -> Result<Option<u32>, Failure> {
    number
        .map(|number| {
            u32::try_from(number)
                .map_err(|_| ApiError::invalid(field, &format!("{number} is out of range")).into())
        })
        .transpose()
}

/// How requests name their instance.
macro_rules! of_manager {
    ($(|$request:ident| $instance:expr => $($of:ident)+;)+) => { $($(
        impl OfManager for dto::$of {
            fn instance(&self) -> &str {
                let $request = self;
                $instance
            }
            fn account(&self) -> &str {
                &self.manager_account
            }
            fn password(&self) -> &lookalike_wire::Secret {
                &self.manager_account_password
            }
        }
    )+)+ };
}

of_manager! {
    |request| &request.db_instance_id =>
        CreateDocumentCollectionRequest
        CreateVectorIndexRequest
        DeleteVectorIndexRequest
        GrantCollectionRequest;
    |request| request.instance_id() =>
        CreateCollectionRequest
        CreateNamespaceRequest
        DeleteNamespaceRequest
        DescribeNamespaceRequest
        InitVectorDatabaseRequest
        ListNamespacesRequest;
}

/// How requests name their instance and their namespace.
macro_rules! in_namespace {
    ($(|$request:ident| $instance:expr, $namespace:expr => $($of:ident)+;)+) => { $($(
        impl InNamespace for dto::$of {
            fn instance(&self) -> &str {
                let $request = self;
                $instance
            }
            fn namespace(&self) -> Option<&str> {
                let $request = self;
                $namespace
            }
            fn password(&self) -> &lookalike_wire::Secret {
                &self.namespace_password
            }
        }
    )+)+ };
}

in_namespace! {
    |request| &request.db_instance_id, request.namespace.as_deref() =>
        CancelUploadDocumentJobRequest
        DeleteChunksRequest
        DeleteDocumentCollectionRequest
        DeleteDocumentRequest
        DescribeDocumentRequest
        GetUploadDocumentJobRequest
        ListChunksRequest
        ListDocumentCollectionsRequest
        ListDocumentsRequest
        QueryContentRequest
        UploadDocumentAsyncRequest
        UpsertChunksRequest;
    |request| request.instance_id(), request.namespace.as_deref() =>
        CancelUpsertCollectionDataJobRequest
        DeleteCollectionDataRequest
        DeleteCollectionRequest
        DescribeCollectionRequest
        GetUpsertCollectionDataJobRequest
        ListCollectionsRequest
        ModifyCollectionRequest
        QueryCollectionDataRequest
        UpdateCollectionDataMetadataRequest
        UpsertCollectionDataAsyncRequest
        UpsertCollectionDataRequest;
    |request| request.instance_id(), Some(&request.namespace) =>
        CancelCreateIndexJobRequest
        CreateIndexRequest
        DeleteIndexRequest
        DescribeCreateIndexJobRequest
        DescribeIndexRequest
        ListIndicesRequest;
}
