//! `DescribeRegions` and `DescribeDBInstances`: what a client's start page lists.
//!
//! Replies have neither `Status` nor `Message`. What a local server has no
//! honest value for is optional and left out.

use serde::{Deserialize, Serialize};

use super::table::request;
use super::{Csv, Flattened};

request! {
    /// The regions that there are.
    DescribeRegionsRequest: DescribeRegions -> DescribeRegionsResponse {
        /// Only this one.
        optional region: String = "Region", Used;
    }
}

/// Reply of `DescribeRegions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeRegionsResponse {
    pub request_id: String,
    pub regions: Regions,
}

/// `Regions.Region[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Regions {
    pub region: Vec<RegionItem>,
}

/// One region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RegionItem {
    pub region_id: String,
    pub zones: Zones,
}

/// `Zones.Zone[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Zones {
    pub zone: Vec<ZoneItem>,
}

/// One zone of a region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ZoneItem {
    pub zone_id: String,
    pub vpc_enabled: bool,
}

request! {
    /// The instances of a region, in pages.
    DescribeDbInstancesRequest: DescribeDBInstances -> DescribeDbInstancesResponse {
        optional db_instance_categories: Csv = "DBInstanceCategories", Accepted;
        /// Only those whose description contains it.
        optional db_instance_description: String = "DBInstanceDescription", Used;
        /// Comma list that the caller joins; only these.
        optional db_instance_ids: String = "DBInstanceIds", Used;
        /// Only those of one of these modes.
        optional db_instance_modes: Csv = "DBInstanceModes", Used;
        /// Only those in one of these states.
        optional db_instance_statuses: Csv = "DBInstanceStatuses", Used;
        optional instance_deploy_types: Csv = "InstanceDeployTypes", Accepted;
        optional instance_network_type: String = "InstanceNetworkType", Accepted;
        optional owner_id: i64 = "OwnerId", Accepted;
        /// From 1, also when absent.
        optional page_number: i64 = "PageNumber", Used;
        /// 1 to 100; absent: 30.
        optional page_size: i64 = "PageSize", Used;
        /// Comes back in the reply.
        required region_id: String = "RegionId", Used;
        optional resource_group_id: String = "ResourceGroupId", Accepted;
        /// Only those that have all of these tags.
        optional tag: Flattened = "Tag", Used;
        optional vpc_id: String = "VpcId", Accepted;
    }
}

/// Reply of `DescribeDBInstances`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeDbInstancesResponse {
    pub request_id: String,
    pub page_number: i64,
    /// Entries in this reply.
    pub page_record_count: i64,
    pub total_record_count: i64,
    pub items: DbInstances,
}

/// `Items.DBInstance[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DbInstances {
    #[serde(rename = "DBInstance")]
    pub list: Vec<DbInstanceItem>,
}

/// One instance as `DescribeDBInstances` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DbInstanceItem {
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_time: Option<String>,
    #[serde(rename = "DBInstanceCategory", skip_serializing_if = "Option::is_none")]
    pub db_instance_category: Option<String>,
    #[serde(rename = "DBInstanceMode", skip_serializing_if = "Option::is_none")]
    pub db_instance_mode: Option<String>,
    #[serde(rename = "DBInstanceNetType", skip_serializing_if = "Option::is_none")]
    pub db_instance_net_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_deploy_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_network_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_node_num: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pay_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prod_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_group_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seg_node_num: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serverless_mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_size: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_type: Option<String>,
    pub tags: Tags,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v_switch_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<String>,
}

/// `Tags.Tag[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Tags {
    pub tag: Vec<TagItem>,
}

/// One tag of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TagItem {
    pub key: String,
    pub value: String,
}
