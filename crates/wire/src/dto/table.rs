//! The macro that turns a request's table into its struct and codec.
//!
//! Used by every file of `dto` that has requests. Invariant: the struct's
//! fields, [`Request::FIELDS`](super::Request::FIELDS), decoding and encoding come
//! from the same rows, so they cannot disagree.

use super::{FieldSpec, Request};
use crate::action::Action;

/// A request's row in [`REQUESTS`](super::REQUESTS).
pub(super) const fn row<R: Request>() -> (Action, &'static [FieldSpec]) {
    (R::ACTION, R::FIELDS)
}

/// `request! { /// docs  Name: Action -> Response [, check = path] { presence field: type = "Wire", Effect; … } }`
///
/// `presence` is `required` or `optional`; an optional field becomes an `Option`.
/// `check` is a function from the decoded request to `Result<(), DtoError>` for
/// rules between fields.
macro_rules! request {
    (
        $(#[$meta:meta])*
        $name:ident: $action:ident -> $response:ty $(, check = $check:path)? {
            $( $(#[$field_meta:meta])* $presence:ident $field:ident: $type:ty = $wire:literal, $effect:ident; )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $crate::dto::table::request!(@type $presence $type), )*
        }

        impl $crate::dto::Request for $name {
            const ACTION: $crate::action::Action = $crate::action::Action::$action;
            const FIELDS: &'static [$crate::dto::FieldSpec] = &[
                $( $crate::dto::FieldSpec {
                    name: $wire,
                    kind: <$type as $crate::dto::Field>::KIND,
                    required: $crate::dto::table::request!(@required $presence),
                    effect: $crate::dto::Effect::$effect,
                }, )*
            ];
            type Response = $response;

            fn from_parameters(
                parameters: &$crate::form::Parameters,
            ) -> Result<Self, $crate::dto::DtoError> {
                let request = Self {
                    $( $field: $crate::dto::table::request!(
                        @finish $presence,
                        <$type as $crate::dto::Field>::read(parameters, $wire)?,
                        $wire
                    ), )*
                };
                $( $check(&request)?; )?
                Ok(request)
            }

            fn to_parameters(&self) -> Vec<(String, String)> {
                let mut pairs = Vec::new();
                $( $crate::dto::table::request!(@write $presence, self.$field, $wire, pairs); )*
                pairs
            }
        }
    };
    (@type required $type:ty) => { $type };
    (@type optional $type:ty) => { Option<$type> };
    (@required required) => { true };
    (@required optional) => { false };
    (@finish required, $read:expr, $wire:literal) => {
        $read.ok_or($crate::dto::DtoError::Missing { field: $wire })?
    };
    (@finish optional, $read:expr, $wire:literal) => { $read };
    (@write required, $value:expr, $wire:literal, $pairs:ident) => {
        $crate::dto::Field::write(&$value, $wire, &mut $pairs);
    };
    (@write optional, $value:expr, $wire:literal, $pairs:ident) => {
        if let Some(value) = &$value {
            $crate::dto::Field::write(value, $wire, &mut $pairs);
        }
    };
}
pub(super) use request;
