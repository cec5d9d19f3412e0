//! `CreateAccount` and `DescribeAccounts`.

use lookalike_engine::{Account, AccountKind, AccountName, EngineError, InstanceId, NewAccount};
use lookalike_wire::dto::{
    AccountItem, Accounts, CreateAccountRequest, DescribeAccountsRequest, DescribeAccountsResponse,
    OnlyRequestId,
};

use super::{Call, access};
use crate::error::Failure;

/// `AccountStatus` of an account that can be used.
const IN_USE: &str = "1";

pub async fn create(
    call: &Call<'_>,
    request: CreateAccountRequest,
) -> Result<OnlyRequestId, Failure> {
    let new = NewAccount {
        instance: InstanceId::new(&request.db_instance_id).map_err(EngineError::from)?,
        name: AccountName::new(request.account_name).map_err(EngineError::from)?,
        password: access::secret(&request.account_password),
        kind: match request.account_type {
            Some(name) => AccountKind::from_name("AccountType", &name)?,
            None => AccountKind::Super,
        },
        description: request.account_description.unwrap_or_default(),
    };
    call.app.engine.create_account(&new).await?;
    Ok(OnlyRequestId {
        request_id: call.request_id(),
    })
}

pub async fn describe(
    call: &Call<'_>,
    request: DescribeAccountsRequest,
) -> Result<DescribeAccountsResponse, Failure> {
    let instance = InstanceId::new(&request.db_instance_id).map_err(EngineError::from)?;
    let kind = match request.account_type.as_deref() {
        // The documented default, strange as it is for a list.
        None => Some(AccountKind::Super),
        Some("All") => None,
        Some(name) => Some(AccountKind::from_name("AccountType", name)?),
    };
    let accounts = call.app.engine.list_accounts(&instance).await?;
    let named = request.account_name.as_deref();
    let wanted = |account: &Account| {
        kind.is_none_or(|kind| kind == account.kind)
            && named.is_none_or(|name| name == account.name)
    };
    let list = accounts
        .into_iter()
        .filter(wanted)
        .map(|account| AccountItem {
            db_instance_id: instance.to_string(),
            account_name: account.name,
            account_description: account.description,
            account_status: IN_USE.to_owned(),
            account_type: account.kind.as_str().to_owned(),
        });
    Ok(DescribeAccountsResponse {
        request_id: call.request_id(),
        accounts: Accounts {
            list: list.collect(),
        },
    })
}
