//! What rows are measured against: a query, or another row.

use lookalike_kernels::dot::dot;

use super::{Cell, Size};

/// A query in the form of the codes it is compared with.
#[derive(Debug)]
pub(crate) struct Target<C: Cell> {
    pub cells: Vec<C::Query>,
    /// What a product with a row is multiplied by, beside the row's scale: -2 and
    /// the target's own scale.
    factor: f32,
    /// What every product has too much of.
    surplus: C::Sum,
    /// 1 if rows' squared norms count, 0 if only products do.
    pub weight: f32,
    /// What an exact distance has beside the part that the rows' ranks give.
    pub offset: f32,
    /// Completes a row to the longest one, as the codes keep it.
    pub lift: f32,
    /// The length before rounding.
    norm: f32,
    /// The length of what rounding cut off.
    error: f32,
    /// The length of the rows' origin, where it enters the sums.
    pub detour: f32,
    /// 1 where ranks are rounded like numbers around 1 however small distances are.
    pub unit: f32,
}

impl<C: Cell> Target<C> {
    /// Room for [`super::Codes::aim`].
    pub fn blank() -> Self {
        Self::rounded(&[], 0)
    }

    /// A moved vector, rounded as rows of `width` cells are.
    pub fn rounded(centred: &[f32], width: usize) -> Self {
        let mut row = vec![C::zeroed(); width];
        let (scale, error) = C::round(centred, &mut row);
        let mut target = Self {
            cells: Vec::with_capacity(width),
            factor: 0.0,
            surplus: C::no_product(),
            weight: 1.0,
            offset: 0.0,
            lift: 0.0,
            norm: dot(centred, centred).sqrt(),
            error,
            detour: 0.0,
            unit: 0.0,
        };
        target.become_row(
            &row,
            Size {
                scale,
                squared_norm: 0.0,
            },
        );
        target
    }

    /// Takes the place of a row.
    pub fn become_row(&mut self, row: &[C], size: Size) {
        self.surplus = C::query(row, &mut self.cells);
        self.factor = -2.0 * size.scale;
    }

    /// The distance of a row from its product with the target.
    #[inline]
    pub fn distance(&self, product: C::Sum, size: Size) -> f32 {
        let product = C::product(product, self.surplus);
        self.weight * size.squared_norm + self.factor * size.scale * product
    }

    /// See [`super::Codes::error_bound`]; for a row of the given norm and error.
    pub fn error_bound(&self, norm: f32, error: f32) -> f32 {
        /// Rounding of `f32` sums, relative to the largest that occur.
        const ARITHMETIC: f32 = 4e-6;
        let rounding = error * self.norm + (norm + error) * self.error;
        let reach = norm + self.norm + self.detour;
        2.0 * rounding + ARITHMETIC * (reach * reach + self.unit)
    }
}
