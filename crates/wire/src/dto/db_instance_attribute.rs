//! `DescribeDBInstanceAttribute`: one instance in detail.
//!
//! The service describes a cluster of machines; what a local server has no
//! honest value for is optional and left out.

use serde::{Deserialize, Serialize};

use super::Tags;
use super::table::request;

request! {
    /// Describes an instance; its list holds one entry.
    DescribeDbInstanceAttributeRequest: DescribeDBInstanceAttribute -> DescribeDbInstanceAttributeResponse {
        required db_instance_id: String = "DBInstanceId", Used;
        optional owner_id: i64 = "OwnerId", Accepted;
        optional resource_group_id: String = "ResourceGroupId", Accepted;
    }
}

/// Reply of `DescribeDBInstanceAttribute`, without `Status` and `Message`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeDbInstanceAttributeResponse {
    pub request_id: String,
    pub items: DbInstanceAttributes,
}

/// `Items.DBInstanceAttribute[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DbInstanceAttributes {
    #[serde(rename = "DBInstanceAttribute")]
    pub list: Vec<DbInstanceAttribute>,
}

/// What is known of one instance. Whether a number is a number or a text is the vendor's choice, field by field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DbInstanceAttribute {
    #[serde(rename = "DBInstanceId")]
    pub db_instance_id: String,
    #[serde(rename = "DBInstanceDescription")]
    pub db_instance_description: String,
    #[serde(rename = "DBInstanceStatus")]
    pub db_instance_status: String,
    pub engine: String,
    pub engine_version: String,
    pub region_id: String,
    pub zone_id: String,
    pub connection_string: String,
    pub port: String,
    pub vector_configuration_status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_storage_size: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub core_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_cores: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_cores_per_node: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_time: Option<String>,
    #[serde(rename = "DBInstanceCategory", skip_serializing_if = "Option::is_none")]
    pub db_instance_category: Option<String>,
    #[serde(rename = "DBInstanceClass", skip_serializing_if = "Option::is_none")]
    pub db_instance_class: Option<String>,
    #[serde(
        rename = "DBInstanceClassType",
        skip_serializing_if = "Option::is_none"
    )]
    pub db_instance_class_type: Option<String>,
    #[serde(rename = "DBInstanceCpuCores", skip_serializing_if = "Option::is_none")]
    pub db_instance_cpu_cores: Option<i64>,
    #[serde(rename = "DBInstanceDiskMBPS", skip_serializing_if = "Option::is_none")]
    pub db_instance_disk_mbps: Option<i64>,
    #[serde(
        rename = "DBInstanceGroupCount",
        skip_serializing_if = "Option::is_none"
    )]
    pub db_instance_group_count: Option<String>,
    #[serde(rename = "DBInstanceMemory", skip_serializing_if = "Option::is_none")]
    pub db_instance_memory: Option<i64>,
    #[serde(rename = "DBInstanceMode", skip_serializing_if = "Option::is_none")]
    pub db_instance_mode: Option<String>,
    #[serde(rename = "DBInstanceNetType", skip_serializing_if = "Option::is_none")]
    pub db_instance_net_type: Option<String>,
    #[serde(rename = "DBInstanceStorage", skip_serializing_if = "Option::is_none")]
    pub db_instance_storage: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy_mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graph_engine_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_network_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_spec: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintain_end_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintain_start_time: Option<String>,
    #[serde(rename = "MasterAISpec", skip_serializing_if = "Option::is_none")]
    pub master_ai_spec: Option<String>,
    #[serde(rename = "MasterCU", skip_serializing_if = "Option::is_none")]
    pub master_cu: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_node_num: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_per_node: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minor_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pay_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prod_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_delay_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_group_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_time: Option<String>,
    #[serde(rename = "SecurityIPList", skip_serializing_if = "Option::is_none")]
    pub security_ip_list: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seg_disk_performance_level: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seg_node_num: Option<i64>,
    #[serde(rename = "SegmentAISpec", skip_serializing_if = "Option::is_none")]
    pub segment_ai_spec: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment_counts: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serverless_mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serverless_resource: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standby_zone_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_per_node: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub support_restore: Option<bool>,
    pub tags: Tags,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v_switch_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<String>,
}
