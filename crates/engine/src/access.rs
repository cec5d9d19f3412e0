//! Who may do what: the manager account of an instance and the password of a namespace.
//!
//! Every operation starts with one of the two checks here and goes on with the id it returns. A
//! manager is an account of the configuration, a privileged one of `CreateAccount`, or, where the
//! configuration names none, the one that initialised the instance. The other rules are semantics.md rows 1 to 3 and 5, and "Two kinds of credential inside a request".

use crate::{
    account::AccountKind,
    engine::Inner,
    error::{Credential, EngineError, Subject},
    name::{CollectionName, InstanceId, NamespaceName},
    password::same_secret,
    secret::Secret,
    store::{self, collection::CollectionRow, instance::InstanceRow, namespace::NamespaceRow},
};

/// What the operations of the manager account come with.
#[derive(Debug, Clone)]
pub struct ManagerAccess {
    /// The instance.
    pub instance: InstanceId,
    /// The account's name.
    pub account: String,
    /// Its password.
    pub password: Secret,
}

/// What the operations inside a namespace come with.
#[derive(Debug, Clone)]
pub struct NamespaceAccess {
    /// The instance.
    pub instance: InstanceId,
    /// The namespace, `public` when a request names none.
    pub namespace: NamespaceName,
    /// Its password.
    pub password: Secret,
}

impl Inner {
    /// Checks the manager account against an instance that exists and returns its row.
    pub(crate) async fn check_manager(
        &self,
        access: &ManagerAccess,
    ) -> Result<InstanceRow, EngineError> {
        self.check_instance_is_listed(&access.instance)?;
        let standing = self.standing(access).await?;
        let row = store::instance::find(&mut *self.store.reader().await?, &access.instance).await?;
        let good = match (standing, &row) {
            (Standing::Manager, _) | (Standing::Open, None) => true,
            (Standing::Stranger, None) => false,
            (Standing::Open | Standing::Stranger, Some(row)) => {
                self.is_first_manager(access, row).await?
            }
        };
        if !good {
            return Err(EngineError::Denied {
                what: Credential::Manager,
            });
        }
        row.ok_or_else(|| not_initialised(&access.instance))
    }

    /// Checks the manager account; an instance that does not exist comes to be, with this account
    /// as its manager. Returns the instance's id.
    pub(crate) async fn check_manager_or_initialise(
        &self,
        access: &ManagerAccess,
    ) -> Result<i64, EngineError> {
        match self.check_manager(access).await {
            Ok(row) => return Ok(row.id),
            Err(EngineError::Conflict { .. }) => {}
            Err(other) => return Err(other),
        }
        let hash = self.passwords.hash(&access.password).await?;
        let mut transaction = self.store.begin().await?;
        let added = store::instance::insert(
            &mut transaction,
            &access.instance,
            &access.account,
            &hash,
            crate::clock::now(),
        )
        .await?;
        transaction.commit().await?;
        if added {
            tracing::info!(instance = %access.instance, account = %access.account, "instance initialised");
        }
        // Another call may have been first: then its account counts.
        Ok(self.check_manager(access).await?.id)
    }

    /// Checks a namespace's password and returns the namespace's id.
    pub(crate) async fn check_namespace(
        &self,
        access: &NamespaceAccess,
    ) -> Result<i64, EngineError> {
        self.check_instance_is_listed(&access.instance)?;
        let found = store::namespace::find_in_instance(
            &mut *self.store.reader().await?,
            &access.instance,
            &access.namespace,
        )
        .await?;
        let row: NamespaceRow = found
            .ok_or_else(|| not_initialised(&access.instance))?
            .ok_or_else(|| EngineError::not_found(Subject::Namespace, &access.namespace))?;
        self.check_namespace_password(access, &row).await?;
        Ok(row.id)
    }

    /// Checks a namespace's password and returns the row of a collection in it.
    pub(crate) async fn open_collection(
        &self,
        access: &NamespaceAccess,
        name: &CollectionName,
    ) -> Result<CollectionRow, EngineError> {
        self.check_instance_is_listed(&access.instance)?;
        let found = store::collection::find_in_instance(
            &mut *self.store.reader().await?,
            &access.instance,
            &access.namespace,
            name,
        )
        .await?;
        let (namespace, collection) = found
            .ok_or_else(|| not_initialised(&access.instance))?
            .ok_or_else(|| EngineError::not_found(Subject::Namespace, &access.namespace))?;
        self.check_namespace_password(access, &namespace).await?;
        collection.ok_or_else(|| EngineError::not_found(Subject::Collection, name))
    }

    async fn check_namespace_password(
        &self,
        access: &NamespaceAccess,
        row: &NamespaceRow,
    ) -> Result<(), EngineError> {
        let hash = &row.password_hash;
        if self.passwords.matches(&access.password, hash).await? {
            return Ok(());
        }
        Err(EngineError::Denied {
            what: Credential::Namespace,
        })
    }

    pub(crate) fn check_instance_is_listed(
        &self,
        instance: &InstanceId,
    ) -> Result<(), EngineError> {
        match &self.config.instances {
            Some(listed) if !listed.contains(instance) => {
                Err(EngineError::not_found(Subject::Instance, instance))
            }
            _ => Ok(()),
        }
    }

    /// What the configuration and the accounts made by `CreateAccount` say about an account.
    async fn standing(&self, access: &ManagerAccess) -> Result<Standing, EngineError> {
        let configured = &self.config.managers;
        let is_configured = configured.iter().any(|manager| {
            manager.account == access.account && same_secret(&manager.password, &access.password)
        });
        if is_configured {
            return Ok(Standing::Manager);
        }
        let made = store::account::list(&mut *self.store.reader().await?, &access.instance).await?;
        let mut privileged = made;
        privileged.retain(|row| row.kind == AccountKind::Super);
        if configured.is_empty() && privileged.is_empty() {
            return Ok(Standing::Open);
        }
        let row = privileged
            .into_iter()
            .find(|row| row.name == access.account);
        let is_privileged = match row {
            Some(row) => {
                self.passwords
                    .matches(&access.password, &row.password_hash)
                    .await?
            }
            None => false,
        };
        Ok(if is_privileged {
            Standing::Manager
        } else {
            Standing::Stranger
        })
    }

    /// Without configured accounts, the one that initialised the instance is a manager.
    async fn is_first_manager(
        &self,
        access: &ManagerAccess,
        row: &InstanceRow,
    ) -> Result<bool, EngineError> {
        Ok(self.config.managers.is_empty()
            && row.manager_account == access.account
            && self
                .passwords
                .matches(&access.password, &row.manager_hash)
                .await?)
    }
}

/// How an account stands to an instance, whoever initialised it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Configured, or made as a privileged account.
    Manager,
    /// There are such accounts, and this is none of them.
    Stranger,
    /// There are none: who comes first is the manager.
    Open,
}

/// Semantics.md row 5.
fn not_initialised(instance: &InstanceId) -> EngineError {
    EngineError::Conflict {
        reason: format!(
            "the vector database of instance '{instance}' is not initialised; call \
             InitVectorDatabase first"
        ),
    }
}
