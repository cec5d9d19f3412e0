//! The instances that there are, for clients that list them before anything else.
//!
//! With a configured list those are all; else an instance exists from the first account or vector
//! database made on it (semantics.md row 5).

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{clock, engine::Engine, error::EngineError, name::InstanceId, store};

/// What is known of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// When something was first made on it.
    pub created: Option<Timestamp>,
}

impl Engine {
    /// All instances, by id.
    pub async fn list_instances(&self) -> Result<Vec<Instance>, EngineError> {
        let used: BTreeMap<InstanceId, i64> =
            store::instance::list(&mut *self.inner.store.reader().await?).await?;
        let Some(listed) = &self.inner.config.instances else {
            let instances = used.into_iter().map(|(id, at)| Instance {
                id,
                created: Some(clock::timestamp(at)),
            });
            return Ok(instances.collect());
        };
        let mut instances: Vec<Instance> = listed
            .iter()
            .map(|id| Instance {
                id: id.clone(),
                created: used.get(id).copied().map(clock::timestamp),
            })
            .collect();
        instances.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(instances)
    }

    /// One instance. Without a configured list any id is one, used or not.
    pub async fn describe_instance(&self, id: &InstanceId) -> Result<Instance, EngineError> {
        self.inner.check_instance_is_listed(id)?;
        let all = self.list_instances().await?;
        let found = all.into_iter().find(|instance| instance.id == *id);
        Ok(found.unwrap_or_else(|| Instance {
            id: id.clone(),
            created: None,
        }))
    }
}
