//! What the bytes of a picture are to a network.

/// Of each colour, the number that each byte stands for.
pub(crate) type ColourTable = [[f32; 256]; 3];

/// Asks `value` for the number of each colour (0 to 2) and byte.
pub(crate) fn colour_table(value: impl Fn(usize, u8) -> f32) -> ColourTable {
    let mut tables = [[0.0; 256]; 3];
    for (colour, table) in tables.iter_mut().enumerate() {
        for (to, byte) in table.iter_mut().zip(0..=255) {
            *to = value(colour, byte);
        }
    }
    tables
}
