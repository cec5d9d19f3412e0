//! Instances and namespaces: making, showing, removing (semantics.md, `InitVectorDatabase` to
//! `DeleteNamespace`).

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    access::ManagerAccess,
    clock,
    engine::{Engine, Inner},
    error::{EngineError, Subject},
    name::NamespaceName,
    secret::Secret,
    store,
};

/// What is known of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// Its name.
    pub name: NamespaceName,
    /// When it was first created.
    pub created: Timestamp,
}

impl Engine {
    /// Makes an instance known. A repeat with the same account succeeds (row 8).
    pub async fn init_vector_database(&self, access: &ManagerAccess) -> Result<(), EngineError> {
        self.inner
            .check_manager_or_initialise(access)
            .await
            .map(|_| ())
    }

    /// Creates a namespace; one that exists gets the new password (row 8). Initialises the
    /// instance, too, when nobody has.
    pub async fn create_namespace(
        &self,
        access: &ManagerAccess,
        name: &NamespaceName,
        password: &Secret,
    ) -> Result<(), EngineError> {
        if password.reveal().is_empty() {
            return Err(EngineError::invalid(
                "NamespacePassword",
                "must not be empty",
            ));
        }
        let instance_id = self.inner.check_manager_or_initialise(access).await?;
        let known =
            store::namespace::find(&mut *self.inner.store.reader().await?, instance_id, name)
                .await?;
        // The same password again, which clients send at every start, keeps its hash: what is
        // remembered of it stays good.
        if let Some(row) = &known
            && self
                .inner
                .passwords
                .matches(password, &row.password_hash)
                .await?
        {
            return Ok(());
        }
        let hash = self.inner.passwords.hash(password).await?;
        let mut transaction = self.inner.store.begin().await?;
        store::namespace::upsert(&mut transaction, instance_id, name, &hash, clock::now()).await?;
        transaction.commit().await?;
        tracing::info!(instance = %access.instance, namespace = %name, replaced = known.is_some(), "namespace created");
        Ok(())
    }

    /// Shows a namespace.
    pub async fn describe_namespace(
        &self,
        access: &ManagerAccess,
        name: &NamespaceName,
    ) -> Result<Namespace, EngineError> {
        let instance = self.inner.check_manager(access).await?;
        store::namespace::find(&mut *self.inner.store.reader().await?, instance.id, name)
            .await?
            .map(|row| Namespace {
                name: name.clone(),
                created: clock::timestamp(row.created_at),
            })
            .ok_or_else(|| EngineError::not_found(Subject::Namespace, name))
    }

    /// The names of all namespaces that were created, in order.
    pub async fn list_namespaces(
        &self,
        access: &ManagerAccess,
    ) -> Result<Vec<NamespaceName>, EngineError> {
        let instance = self.inner.check_manager(access).await?;
        store::namespace::list(&mut *self.inner.store.reader().await?, instance.id)
            .await?
            .into_iter()
            .map(|name| Ok(NamespaceName::new(name)?))
            .collect()
    }

    /// Removes a namespace with everything in it and ends its jobs (row 44).
    pub async fn delete_namespace(
        &self,
        access: &ManagerAccess,
        name: &NamespaceName,
    ) -> Result<(), EngineError> {
        let instance = self.inner.check_manager(access).await?;
        let (inner, deleted) = (Arc::clone(&self.inner), name.clone());
        let work = async move { inner.delete_namespace(instance.id, &deleted).await };
        self.inner.to_the_end(work).await?;
        tracing::info!(instance = %access.instance, namespace = %name, "namespace deleted");
        Ok(())
    }
}

impl Inner {
    async fn delete_namespace(
        &self,
        instance_id: i64,
        name: &NamespaceName,
    ) -> Result<(), EngineError> {
        let mut transaction = self.store.begin().await?;
        let row = store::namespace::find(&mut transaction, instance_id, name)
            .await?
            .ok_or_else(|| EngineError::not_found(Subject::Namespace, name))?;
        let collections = store::collection::list(&mut transaction, row.id).await?;
        let jobs = store::job::unfinished_of_namespace(&mut transaction, row.id).await?;
        store::namespace::delete(&mut transaction, row.id).await?;
        transaction.commit().await?;
        self.residents
            .forget(collections.iter().map(|collection| collection.id));
        self.running.stop(&jobs).await;
        self.wake_housekeeper();
        Ok(())
    }
}
