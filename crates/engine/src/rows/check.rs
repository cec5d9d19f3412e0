//! What a row must be before it is stored. Refusals are the rest of a sentence that starts with the
//! row's number, and name the field.

use lookalike_index::{MAX_DIMENSION, MAX_NORM, MIN_DIRECTION_NORM, Metric};
use serde_json::{Map, Value};

use super::{MAX_SPARSE_ELEMENTS, NewRow, SparseVector};
use crate::{collection::Collection, error::EngineError, name::RowId};

/// A row that can be stored.
#[derive(Debug)]
pub(crate) struct CheckedRow {
    pub(crate) id: Option<RowId>,
    pub(crate) vector: Vec<f32>,
    /// Cast to the declared types.
    pub(crate) metadata: Map<String, Value>,
    /// As stored.
    pub(crate) sparse: Option<Vec<u8>>,
}

/// Checks a row against its collection, whose dimension is known.
pub(crate) fn row(row: NewRow, collection: &Collection) -> Result<CheckedRow, String> {
    let id = (row.id)
        .filter(|id| !id.is_empty())
        .map(|id| RowId::new(id).map_err(|error| format!("Id: {error}")))
        .transpose()?;
    vector(
        &row.vector,
        collection.dimension as usize,
        collection.metric,
    )?;
    let metadata = match &row.metadata {
        Some(given) => collection
            .columns
            .cast(given)
            .map_err(|error| error.to_string())?,
        None => Map::new(),
    };
    let sparse = (row.sparse_vector)
        .filter(|sparse| !(sparse.indices.is_empty() && sparse.values.is_empty()))
        .map(|given| {
            if !collection.settings.support_sparse {
                return Err(
                    "SparseVector: the collection was made without SupportSparse".to_owned(),
                );
            }
            sparse(given)
        })
        .transpose()?;
    Ok(CheckedRow {
        id,
        vector: row.vector,
        metadata,
        sparse,
    })
}

/// The dimension of a collection whose first vector is so long.
pub(crate) fn new_dimension(length: usize) -> Result<u32, String> {
    match u32::try_from(length) {
        Ok(dimension @ 1..) if length <= MAX_DIMENSION => Ok(dimension),
        _ => Err(format!(
            "Vector has {length} numbers; 1 to {MAX_DIMENSION} are possible"
        )),
    }
}

/// Checks a vector that is to be stored, or compared with stored ones by a metric.
pub(crate) fn vector(vector: &[f32], dimension: usize, metric: Metric) -> Result<(), String> {
    if vector.is_empty() {
        return Err("Vector is missing".to_owned());
    }
    if vector.len() != dimension {
        return Err(format!(
            "Vector has {} numbers, the collection's vectors have {dimension}",
            vector.len()
        ));
    }
    if let Some(position) = vector.iter().position(|number| !number.is_finite()) {
        return Err(format!(
            "Vector has a number that is not finite in 32 bits, at place {}",
            position + 1
        ));
    }
    let norm = (vector.iter().map(|number| f64::from(*number).powi(2)))
        .sum::<f64>()
        .sqrt();
    if norm > MAX_NORM {
        return Err(format!(
            "Vector has the norm {norm:e}, above the limit of {MAX_NORM:e}"
        ));
    }
    if metric == Metric::Cosine && norm < MIN_DIRECTION_NORM {
        return Err("Vector is zero, which has no direction to compare by cosine".to_owned());
    }
    Ok(())
}

/// A sparse vector as it is stored.
fn sparse(given: SparseVector) -> Result<Vec<u8>, String> {
    let pairs = sparse_pairs(given)?;
    Ok(pairs
        .into_iter()
        .flat_map(|(index, value)| {
            let mut pair = [0; 8];
            pair[..4].copy_from_slice(&index.to_le_bytes());
            pair[4..].copy_from_slice(&value.to_le_bytes());
            pair
        })
        .collect())
}

/// Pairs of index and value, by ascending index, of a sparse vector that is to be stored or compared
/// with stored ones.
pub(crate) fn sparse_pairs(given: SparseVector) -> Result<Vec<(u32, f32)>, String> {
    let SparseVector { indices, values } = given;
    if indices.len() != values.len() {
        return Err(format!(
            "SparseVector has {} Indices and {} Values",
            indices.len(),
            values.len()
        ));
    }
    if indices.len() > MAX_SPARSE_ELEMENTS {
        return Err(format!(
            "SparseVector has {} Indices; at most {MAX_SPARSE_ELEMENTS} are taken",
            indices.len()
        ));
    }
    if let Some(position) = values.iter().position(|value| !value.is_finite()) {
        return Err(format!(
            "SparseVector has a value that is not finite in 32 bits, at place {}",
            position + 1
        ));
    }
    let mut pairs: Vec<(u32, f32)> = indices.into_iter().zip(values).collect();
    pairs.sort_unstable_by_key(|(index, _)| *index);
    if let Some(pair) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(format!("SparseVector has the index {} twice", pair[0].0));
    }
    Ok(pairs)
}

/// Reads what [`sparse`] made.
pub(crate) fn read_sparse(bytes: &[u8]) -> Result<SparseVector, EngineError> {
    let (pairs, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(EngineError::internal(
            "a sparse vector in the database is cut",
        ));
    }
    let mut sparse = SparseVector::default();
    for [a, b, c, d, e, f, g, h] in pairs {
        sparse.indices.push(u32::from_le_bytes([*a, *b, *c, *d]));
        sparse.values.push(f32::from_le_bytes([*e, *f, *g, *h]));
    }
    Ok(sparse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparse_vector_reads_back_in_order() {
        let given = SparseVector {
            indices: vec![7, u32::MAX, 0],
            values: vec![0.5, -1.0, 2.0],
        };
        let read = read_sparse(&sparse(given).unwrap()).unwrap();
        assert_eq!(read.indices, [0, 7, u32::MAX]);
        assert_eq!(read.values, [2.0, 0.5, -1.0]);
        assert!(read_sparse(&[0; 9]).is_err());
    }

    #[test]
    fn a_sparse_vector_has_at_most_4000_elements_each_once() {
        let of = |count: u32| SparseVector {
            indices: (0..count).collect(),
            values: vec![1.0; count as usize],
        };
        assert!(sparse(of(4000)).is_ok());
        assert!(sparse(of(4001)).unwrap_err().contains("at most 4000"));
        let twice = SparseVector {
            indices: vec![3, 1, 3],
            values: vec![1.0; 3],
        };
        assert!(sparse(twice).unwrap_err().contains("index 3 twice"));
        let uneven = SparseVector {
            indices: vec![3],
            values: vec![1.0; 2],
        };
        assert!(
            sparse(uneven)
                .unwrap_err()
                .contains("1 Indices and 2 Values")
        );
        let infinite = SparseVector {
            indices: vec![3],
            values: vec![f32::INFINITY],
        };
        assert!(sparse(infinite).unwrap_err().contains("not finite"));
    }

    #[test]
    fn a_vector_is_whole_finite_and_has_a_direction_where_one_is_needed() {
        let reason = |given: &[f32], metric| vector(given, 3, metric).unwrap_err();
        assert!(vector(&[1.0, 0.0, 0.0], 3, Metric::Cosine).is_ok());
        assert!(vector(&[0.0; 3], 3, Metric::L2).is_ok());
        assert!(reason(&[0.0; 3], Metric::Cosine).contains("is zero"));
        assert!(reason(&[], Metric::L2).contains("is missing"));
        assert!(reason(&[1.0; 4], Metric::L2).contains("has 4 numbers"));
        assert!(reason(&[1.0, f32::NAN, 0.0], Metric::L2).contains("at place 2"));
        assert!(reason(&[1.0, 0.0, f32::INFINITY], Metric::L2).contains("at place 3"));
        assert!(reason(&[1e30, 0.0, 0.0], Metric::L2).contains("above the limit"));
        assert_eq!(new_dimension(8192), Ok(8192));
        assert!(new_dimension(8193).is_err() && new_dimension(0).is_err());
    }
}
