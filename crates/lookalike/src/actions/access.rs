//! Who a request acts for: the manager account or a namespace; and names checked on the way.

use lookalike_engine::{
    EngineError, InstanceId, ManagerAccess, NamespaceAccess, NamespaceName, Secret,
};
use lookalike_wire::ApiError;

use crate::error::Failure;

/// The manager account of an instance.
pub fn manager(
    instance: &str,
    account: String,
    password: &lookalike_wire::Secret,
) -> Result<ManagerAccess, Failure> {
    Ok(ManagerAccess {
        instance: InstanceId::new(instance).map_err(EngineError::from)?,
        account,
        password: secret(password),
    })
}

/// A namespace with its password; `public` when none is named.
pub fn namespace(
    instance: &str,
    name: Option<String>,
    password: &lookalike_wire::Secret,
) -> Result<NamespaceAccess, Failure> {
    Ok(NamespaceAccess {
        instance: InstanceId::new(instance).map_err(EngineError::from)?,
        namespace: namespace_name(name)?,
        password: secret(password),
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
