//! `DescribeRegions`, `DescribeDBInstances` and `DescribeDBInstanceAttribute`: what start pages ask first.
//!
//! The service describes a cluster of machines. Here stands what is true of this server or what a program needs
//! to go on; the rest is left out (docs/parity.md). An instance is in whatever region it is asked for.

use jiff::Timestamp;
use lookalike_engine::{EngineError, Instance, InstanceId};
use lookalike_wire::ApiError;
use lookalike_wire::dto::{
    DbInstanceAttribute, DbInstanceAttributes, DbInstanceItem, DbInstances,
    DescribeDbInstanceAttributeRequest, DescribeDbInstanceAttributeResponse,
    DescribeDbInstancesRequest, DescribeDbInstancesResponse, DescribeRegionsRequest,
    DescribeRegionsResponse, RegionItem, Regions, ZoneItem, Zones, split_list,
};

use super::{Call, access};
use crate::error::Failure;
use crate::gateway::authority::REGIONS;

/// `Engine` of every instance.
const ENGINE: &str = "gpdb";
/// The vendor's demo lists instances of this version only.
const ENGINE_VERSION: &str = "6.0";
/// The vendor's demo cuts this text, so it must be there.
const CORE_VERSION: &str = concat!("lookalike-", env!("CARGO_PKG_VERSION"));
/// Clients grey out instances in any other state.
const STATUS: &str = "Running";
/// The vendor's demo asks for instances of this mode.
const MODE: &str = "StorageElastic";
/// The region of an instance whose request names none.
const DEFAULT_REGION: &str = "cn-hangzhou";
const DEFAULT_PAGE_SIZE: u32 = 30;
const MAX_PAGE_SIZE: u32 = 100;

pub async fn describe_regions(
    call: &Call<'_>,
    request: DescribeRegionsRequest,
) -> Result<DescribeRegionsResponse, Failure> {
    // Any region can be named, as in every other action.
    let region = match request.region {
        Some(region) => vec![region_item(&region)],
        None => REGIONS.iter().map(|region| region_item(region)).collect(),
    };
    Ok(DescribeRegionsResponse {
        request_id: call.request_id(),
        regions: Regions { region },
    })
}

pub async fn list(
    call: &Call<'_>,
    request: DescribeDbInstancesRequest,
) -> Result<DescribeDbInstancesResponse, Failure> {
    let page_number = access::unsigned("PageNumber", request.page_number)?.unwrap_or(1);
    let page_size = access::unsigned("PageSize", request.page_size)?.unwrap_or(DEFAULT_PAGE_SIZE);
    if page_number == 0 {
        return Err(ApiError::invalid("PageNumber", "it starts at 1").into());
    }
    if !(1..=MAX_PAGE_SIZE).contains(&page_size) {
        let reason = format!("it must be 1 to {MAX_PAGE_SIZE}");
        return Err(ApiError::invalid("PageSize", &reason).into());
    }
    let instances = call.app.engine.list_instances().await?;
    let wanted: Vec<Instance> = instances
        .into_iter()
        .filter(|instance| is_wanted(instance, &request))
        .collect();
    let total = wanted.len();
    let before = (page_number as usize - 1).saturating_mul(page_size as usize);
    let page: Vec<DbInstanceItem> = wanted
        .iter()
        .skip(before)
        .take(page_size as usize)
        .map(|instance| item(instance, &request.region_id))
        .collect();
    Ok(DescribeDbInstancesResponse {
        request_id: call.request_id(),
        page_number: page_number.into(),
        page_record_count: i64::try_from(page.len()).map_err(Failure::internal)?,
        total_record_count: i64::try_from(total).map_err(Failure::internal)?,
        items: DbInstances { list: page },
    })
}

pub async fn describe(
    call: &Call<'_>,
    request: DescribeDbInstanceAttributeRequest,
) -> Result<DescribeDbInstanceAttributeResponse, Failure> {
    let id = InstanceId::new(request.db_instance_id).map_err(EngineError::from)?;
    let instance = call.app.engine.describe_instance(&id).await?;
    let (connection_string, port) = call.host_and_port();
    let attribute = DbInstanceAttribute {
        db_instance_id: instance.id.to_string(),
        db_instance_description: instance.id.to_string(),
        db_instance_status: STATUS.to_owned(),
        db_instance_mode: Some(MODE.to_owned()),
        engine: ENGINE.to_owned(),
        engine_version: ENGINE_VERSION.to_owned(),
        core_version: Some(CORE_VERSION.to_owned()),
        region_id: DEFAULT_REGION.to_owned(),
        zone_id: zone_id(DEFAULT_REGION),
        connection_string,
        port,
        vector_configuration_status: "enabled".to_owned(),
        graph_engine_status: Some("disabled".to_owned()),
        creation_time: created(&instance),
        ..DbInstanceAttribute::default()
    };
    Ok(DescribeDbInstanceAttributeResponse {
        request_id: call.request_id(),
        items: DbInstanceAttributes {
            list: vec![attribute],
        },
    })
}

/// Whether an instance passes the filters. It has no tags, so it has none of those asked for.
fn is_wanted(instance: &Instance, request: &DescribeDbInstancesRequest) -> bool {
    let id = instance.id.as_str();
    let is_among = |list: &[String], value: &str| list.iter().any(|one| one.trim() == value);
    let ids = request.db_instance_ids.as_deref();
    let description = request.db_instance_description.as_deref();
    let statuses = request.db_instance_statuses.as_ref();
    let modes = request.db_instance_modes.as_ref();
    ids.is_none_or(|ids| split_list(ids).contains(&id))
        && description.is_none_or(|description| id.contains(description))
        && statuses.is_none_or(|statuses| is_among(&statuses.0, STATUS))
        && modes.is_none_or(|modes| is_among(&modes.0, MODE))
        && request.tag.is_none()
}

fn item(instance: &Instance, region: &str) -> DbInstanceItem {
    DbInstanceItem {
        db_instance_id: instance.id.to_string(),
        db_instance_description: instance.id.to_string(),
        db_instance_status: STATUS.to_owned(),
        db_instance_mode: Some(MODE.to_owned()),
        engine: ENGINE.to_owned(),
        engine_version: ENGINE_VERSION.to_owned(),
        region_id: region.to_owned(),
        zone_id: zone_id(region),
        create_time: created(instance),
        ..DbInstanceItem::default()
    }
}

fn region_item(region: &str) -> RegionItem {
    RegionItem {
        region_id: region.to_owned(),
        zones: Zones {
            zone: vec![ZoneItem {
                zone_id: zone_id(region),
                vpc_enabled: false,
            }],
        },
    }
}

/// Every region has one zone here.
fn zone_id(region: &str) -> String {
    format!("{region}-a")
}

/// Like `2023-11-01T10:01:01Z`.
fn created(instance: &Instance) -> Option<String> {
    let at: Timestamp = instance.created?;
    Some(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}
