//! `InitVectorDatabase` and the namespaces of an instance.

use std::collections::BTreeMap;

use lookalike_engine::{EngineError, ManagerAccess, NamespaceName};
use lookalike_wire::dto::{
    Acknowledgement, CreateNamespaceRequest, DeleteNamespaceRequest, DescribeNamespaceRequest,
    DescribeNamespaceResponse, InitVectorDatabaseRequest, ListNamespacesRequest,
    ListNamespacesResponse, MESSAGE_SUCCESSFUL, NamespaceList, STATUS_SUCCESS,
};

use super::{Call, access};
use crate::error::Failure;

pub async fn init_vector_database(
    call: &Call<'_>,
    request: InitVectorDatabaseRequest,
) -> Result<Acknowledgement, Failure> {
    let manager = access::manager(&request)?;
    call.app.engine.init_vector_database(&manager).await?;
    Ok(Acknowledgement::success(call.request_id()))
}

pub async fn create(
    call: &Call<'_>,
    request: CreateNamespaceRequest,
) -> Result<Acknowledgement, Failure> {
    let manager = access::manager(&request)?;
    let name = access::namespace_name(request.namespace)?;
    call.app
        .engine
        .create_namespace(
            &manager,
            &name,
            &access::secret(&request.namespace_password),
        )
        .await?;
    Ok(Acknowledgement::success(call.request_id()))
}

pub async fn describe(
    call: &Call<'_>,
    request: DescribeNamespaceRequest,
) -> Result<DescribeNamespaceResponse, Failure> {
    let manager = access::manager(&request)?;
    let namespace = call
        .app
        .engine
        .describe_namespace(&manager, &name(&request.namespace)?)
        .await?;
    Ok(DescribeNamespaceResponse {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESSFUL.to_owned(),
        db_instance_id: instance(&manager),
        region_id: request.region_id,
        namespace: namespace.name.to_string(),
        namespace_info: BTreeMap::new(),
    })
}

pub async fn list(
    call: &Call<'_>,
    request: ListNamespacesRequest,
) -> Result<ListNamespacesResponse, Failure> {
    let manager = access::manager(&request)?;
    let names: Vec<String> = call
        .app
        .engine
        .list_namespaces(&manager)
        .await?
        .iter()
        .map(NamespaceName::to_string)
        .collect();
    Ok(ListNamespacesResponse {
        request_id: call.request_id(),
        status: STATUS_SUCCESS.to_owned(),
        message: MESSAGE_SUCCESSFUL.to_owned(),
        db_instance_id: instance(&manager),
        region_id: request.region_id,
        count: i64::try_from(names.len()).map_err(Failure::internal)?,
        namespaces: NamespaceList { namespace: names },
    })
}

pub async fn delete(
    call: &Call<'_>,
    request: DeleteNamespaceRequest,
) -> Result<Acknowledgement, Failure> {
    let manager = access::manager(&request)?;
    call.app
        .engine
        .delete_namespace(&manager, &name(&request.namespace)?)
        .await?;
    Ok(Acknowledgement::success(call.request_id()))
}

fn name(text: &str) -> Result<NamespaceName, Failure> {
    Ok(NamespaceName::new(text).map_err(EngineError::from)?)
}

fn instance(manager: &ManagerAccess) -> String {
    manager.instance.to_string()
}
