//! The markers in front of a scan (ITU-T T.81, annex B): what the picture is and whether it is decoded here.
//!
//! Invariant: what [`read`] returns was checked, so that the scan's decoder indexes nothing by a number from the file
//! and needs no further case: one or three components, all in one scan, chroma in every MCU once.

use crate::Refused;
use crate::huffman::Codes;

/// A picture whose scan can be decoded.
pub(crate) struct Header<'a> {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Luma alone, or luma, blue and red chroma.
    pub(crate) components: Vec<Component>,
    /// Horizontal and vertical luma blocks an MCU: 1 or 2. Chroma has one.
    pub(crate) sampling: (usize, usize),
    /// MCUs between restart markers; 0 for none.
    pub(crate) restart_interval: u32,
    /// What follows the scan's header.
    pub(crate) coded: &'a [u8],
}

/// One component with its tables.
pub(crate) struct Component {
    /// Quantisation steps in zigzag order.
    pub(crate) steps: [u16; 64],
    pub(crate) dc: Codes,
    pub(crate) ac: Codes,
}

struct FrameComponent {
    id: u8,
    horizontal: u8,
    vertical: u8,
    steps: u8,
}

struct Frame {
    width: u32,
    height: u32,
    components: Vec<FrameComponent>,
}

#[derive(Default)]
struct Tables {
    steps: [Option<[u16; 64]>; 4],
    dc: [Option<Codes>; 4],
    ac: [Option<Codes>; 4],
}

const CUT: Refused = Refused::Damaged("it ends in its header");
const NO_TABLE: Refused = Refused::Damaged("a table is missing");

/// Reads up to the first scan, whose coded data is in what is returned.
pub(crate) fn read(bytes: &[u8]) -> Result<Header<'_>, Refused> {
    let [0xff, 0xd8, rest @ ..] = bytes else {
        return Err(Refused::Damaged("it does not begin as a JPEG"));
    };
    let mut rest = rest;
    let mut tables = Tables::default();
    let (mut frame, mut restart_interval) = (None, 0);
    loop {
        let (marker, segment, behind) = next_segment(rest)?;
        rest = behind;
        match marker {
            0xc0 | 0xc1 if frame.is_none() => frame = Some(read_frame(segment)?),
            0xc4 => read_codes(segment, &mut tables)?,
            0xdb => read_steps(segment, &mut tables)?,
            0xdd => {
                let [high, low] = *segment else {
                    return Err(Refused::Damaged("a restart interval has an odd length"));
                };
                restart_interval = u32::from(u16::from_be_bytes([high, low]));
            }
            0xda => {
                let frame = frame.ok_or(Refused::Damaged("a scan comes before the frame"))?;
                let components = read_scan(segment, &frame, &tables)?;
                let luma = &frame.components[0];
                return Ok(Header {
                    width: frame.width,
                    height: frame.height,
                    // A single component has no MCU but its block, whatever its sampling says.
                    sampling: match components.len() {
                        1 => (1, 1),
                        _ => (luma.horizontal.into(), luma.vertical.into()),
                    },
                    components,
                    restart_interval,
                    coded: rest,
                });
            }
            0xee => check_adobe(segment)?,
            // Application data, comments.
            0xe0..=0xef | 0xfe => {}
            _ => return Err(Refused::Unsupported("not a sequential Huffman-coded one")),
        }
    }
}

/// The next marker's code, its segment without the length, and what follows.
fn next_segment(mut rest: &[u8]) -> Result<(u8, &[u8], &[u8]), Refused> {
    loop {
        match *rest {
            [0xff, 0xff, ..] => rest = &rest[1..],
            [0xff, marker @ 0xc0..=0xff, high, low, ..] if !matches!(marker, 0xd0..=0xd9) => {
                let length = usize::from(u16::from_be_bytes([high, low]));
                let segment = rest.get(4..2 + length).ok_or(CUT)?;
                return Ok((marker, segment, &rest[2 + length..]));
            }
            [0xff, ..] | [] => return Err(CUT),
            _ => return Err(Refused::Damaged("something is between its segments")),
        }
    }
}

fn read_frame(segment: &[u8]) -> Result<Frame, Refused> {
    let [precision, y1, y0, x1, x0, count, ref components @ ..] = *segment else {
        return Err(CUT);
    };
    let sides = [[y1, y0], [x1, x0]].map(|side| u32::from(u16::from_be_bytes(side)));
    if precision != 8 || sides.contains(&0) {
        return Err(Refused::Unsupported(
            "not of 8 bits, or its height comes later",
        ));
    }
    let (components, []) = components.as_chunks::<3>() else {
        return Err(Refused::Damaged("its frame has an odd length"));
    };
    if components.len() != usize::from(count) || !matches!(count, 1 | 3) {
        return Err(Refused::Unsupported("neither grey nor of three components"));
    }
    let components: Vec<FrameComponent> = components
        .iter()
        .map(|[id, sampling, steps]| FrameComponent {
            id: *id,
            horizontal: sampling >> 4,
            vertical: sampling & 15,
            steps: *steps,
        })
        .collect();
    if let [luma, chroma @ ..] = &components[..]
        && !chroma.is_empty()
    {
        let known = matches!((luma.horizontal, luma.vertical), (1 | 2, 1 | 2))
            && chroma
                .iter()
                .all(|one| (one.horizontal, one.vertical) == (1, 1));
        if !known {
            return Err(Refused::Unsupported("an unusual sampling"));
        }
        if components.iter().map(|one| one.id).eq(*b"RGB") {
            return Err(Refused::Unsupported("RGB"));
        }
    }
    Ok(Frame {
        width: sides[1],
        height: sides[0],
        components,
    })
}

/// The tables of each component of the frame, which must all be in the scan, in the same order.
fn read_scan(segment: &[u8], frame: &Frame, tables: &Tables) -> Result<Vec<Component>, Refused> {
    let [count, ref selectors @ ..] = *segment else {
        return Err(CUT);
    };
    let (selectors, end) = selectors
        .split_at_checked(2 * usize::from(count))
        .ok_or(CUT)?;
    // Spectral selection and approximation, always the same in a sequential picture.
    if end != [0, 63, 0] {
        return Err(Refused::Damaged("its scan is not a sequential one"));
    }
    let (selectors, _) = selectors.as_chunks::<2>();
    if selectors.len() != frame.components.len() {
        return Err(Refused::Unsupported("a scan for each component"));
    }
    let component = |(one, [id, codes]): (&FrameComponent, &[u8; 2])| {
        if one.id != *id {
            return Err(Refused::Unsupported("components in another order"));
        }
        let of = |tables: &[Option<Codes>; 4], index: u8| {
            let table = tables.get(usize::from(index)).and_then(Option::as_ref);
            table.cloned().ok_or(NO_TABLE)
        };
        let steps = tables.steps.get(usize::from(one.steps)).copied().flatten();
        Ok(Component {
            steps: steps.ok_or(NO_TABLE)?,
            dc: of(&tables.dc, codes >> 4)?,
            ac: of(&tables.ac, codes & 15)?,
        })
    };
    frame
        .components
        .iter()
        .zip(selectors)
        .map(component)
        .collect()
}

fn read_codes(mut segment: &[u8], tables: &mut Tables) -> Result<(), Refused> {
    while let [place, rest @ ..] = segment {
        let (counts, rest) = rest.split_first_chunk::<16>().ok_or(CUT)?;
        let total = counts.iter().map(|count| usize::from(*count)).sum();
        let (meanings, rest) = rest.split_at_checked(total).ok_or(CUT)?;
        let kind = match place >> 4 {
            0 => &mut tables.dc,
            1 => &mut tables.ac,
            _ => return Err(Refused::Damaged("a table of an unknown kind")),
        };
        let table = kind.get_mut(usize::from(place & 15)).ok_or(NO_TABLE)?;
        *table = Some(Codes::new(counts, meanings)?);
        segment = rest;
    }
    Ok(())
}

fn read_steps(mut segment: &[u8], tables: &mut Tables) -> Result<(), Refused> {
    while let [place, rest @ ..] = segment {
        let mut steps = [0; 64];
        let rest = if place >> 4 == 0 {
            let (given, rest) = rest.split_first_chunk::<64>().ok_or(CUT)?;
            steps = given.map(u16::from);
            rest
        } else {
            let (given, rest) = rest.split_first_chunk::<128>().ok_or(CUT)?;
            for (step, bytes) in steps.iter_mut().zip(given.as_chunks::<2>().0) {
                *step = u16::from_be_bytes(*bytes);
            }
            rest
        };
        let table = tables
            .steps
            .get_mut(usize::from(place & 15))
            .ok_or(NO_TABLE)?;
        *table = Some(steps);
        segment = rest;
    }
    Ok(())
}

/// Adobe's marker may say that the components are something else than YCbCr.
fn check_adobe(segment: &[u8]) -> Result<(), Refused> {
    match segment {
        [
            b'A',
            b'd',
            b'o',
            b'b',
            b'e',
            _,
            _,
            _,
            _,
            _,
            _,
            transform,
            ..,
        ] if *transform != 1 => Err(Refused::Unsupported("not YCbCr")),
        _ => Ok(()),
    }
}
