//! `ModifyVectorConfiguration`: switches an instance's vector engine.

use serde::{Deserialize, Serialize};

use super::DtoError;
use super::table::request;

request! {
    /// `VectorConfigurationStatus` is `enabled` or `disabled`.
    ModifyVectorConfigurationRequest: ModifyVectorConfiguration -> ModifyVectorConfigurationResponse, check = has_instance {
        /// Optional to the SDK, but there is no other way to name the instance.
        optional db_instance_id: String = "DBInstanceId", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        optional vector_configuration_status: String = "VectorConfigurationStatus", Used;
    }
}

fn has_instance(request: &ModifyVectorConfigurationRequest) -> Result<(), DtoError> {
    match request.db_instance_id {
        Some(_) => Ok(()),
        None => Err(DtoError::Missing {
            field: "DBInstanceId",
        }),
    }
}

/// Reply of `ModifyVectorConfiguration`. `Status` is a **boolean**, and the text has another name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ModifyVectorConfigurationResponse {
    pub request_id: String,
    pub status: bool,
    #[serde(rename = "DBInstanceId")]
    pub db_instance_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}
