//! `CreateAccount` and `DescribeAccounts`: the database accounts of an instance.

use serde::{Deserialize, Serialize};

use super::table::request;
use crate::secret::Secret;

request! {
    /// Makes an account that can then be a manager account.
    CreateAccountRequest: CreateAccount -> CreateAccountResponse {
        optional account_description: String = "AccountDescription", Used;
        required account_name: String = "AccountName", Used;
        required account_password: Secret = "AccountPassword", Used;
        /// `Super` (also when absent) or `Normal`.
        optional account_type: String = "AccountType", Used;
        required db_instance_id: String = "DBInstanceId", Used;
        optional database_name: String = "DatabaseName", Accepted;
        optional owner_id: i64 = "OwnerId", Accepted;
    }
}

pub type CreateAccountResponse = super::OnlyRequestId;

request! {
    /// The accounts of an instance.
    DescribeAccountsRequest: DescribeAccounts -> DescribeAccountsResponse {
        optional account_name: String = "AccountName", Used;
        /// `Super` (also when absent), `Normal` or `All`.
        optional account_type: String = "AccountType", Used;
        required db_instance_id: String = "DBInstanceId", Used;
    }
}

/// Reply of `DescribeAccounts`, without `Status` and `Message`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeAccountsResponse {
    pub request_id: String,
    pub accounts: Accounts,
}

/// `Accounts.DBInstanceAccount[]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Accounts {
    #[serde(rename = "DBInstanceAccount")]
    pub list: Vec<AccountItem>,
}

/// One account as `DescribeAccounts` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AccountItem {
    #[serde(rename = "DBInstanceId")]
    pub db_instance_id: String,
    pub account_name: String,
    pub account_description: String,
    /// `1`: it can be used.
    pub account_status: String,
    pub account_type: String,
}
