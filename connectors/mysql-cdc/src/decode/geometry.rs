//! Geometries: the server's number of a reference system and WKB, as JSON text.

use std::fmt::Write;

use super::bytes::Bytes;

const POINT: u32 = 1;
const LINE_STRING: u32 = 2;
const POLYGON: u32 = 3;
const MULTI_POINT: u32 = 4;
const MULTI_POLYGON: u32 = 6;
const COLLECTION: u32 = 7;
const NAMES: [&str; 7] = [
    "Point",
    "LineString",
    "Polygon",
    "MultiPoint",
    "MultiLineString",
    "MultiPolygon",
    "GeometryCollection",
];
/// Deeper collections are taken for nonsense.
const DEPTH_MAX: usize = 64;

/// Appends a geometry as `{"coordinates":[1,2],"type":"Point","srid":0}`; `None` if it is none.
pub(crate) fn write(value: &[u8], out: &mut String) -> Option<()> {
    let mut bytes = Bytes::new(value);
    let srid = bytes.uint(4)?;
    let mut reader = Wkb { bytes };
    let kind = reader.head()?;
    let name = NAMES.get(usize::try_from(kind).ok()?.checked_sub(1)?)?;
    out.push('{');
    reader.write_content(kind, 0, out)?;
    write!(out, ",\"type\":\"{name}\",\"srid\":{srid}}}").expect("a String takes all");
    reader.bytes.is_empty().then_some(())
}

struct Wkb<'a> {
    bytes: Bytes<'a>,
}

impl Wkb<'_> {
    /// Reads byte order and type; servers write little-endian only.
    fn head(&mut self) -> Option<u32> {
        if self.bytes.uint(1)? != 1 {
            return None;
        }
        u32::try_from(self.bytes.uint(4)?).ok()
    }

    fn write_content(&mut self, kind: u32, depth: usize, out: &mut String) -> Option<()> {
        if kind == COLLECTION {
            out.push_str("\"geometries\":");
            return self.write_list(out, |reader, out| {
                let kind = reader.head()?;
                let name = NAMES.get(usize::try_from(kind).ok()?.checked_sub(1)?)?;
                if depth > DEPTH_MAX {
                    return None;
                }
                write!(out, "{{\"type\":\"{name}\",").expect("a String takes all");
                reader.write_content(kind, depth + 1, out)?;
                out.push('}');
                Some(())
            });
        }
        out.push_str("\"coordinates\":");
        self.write_coordinates(kind, out)
    }

    fn write_coordinates(&mut self, kind: u32, out: &mut String) -> Option<()> {
        match kind {
            POINT => self.write_point(out),
            LINE_STRING => self.write_list(out, Self::write_point),
            POLYGON => {
                let mut is_hole = false;
                self.write_list(out, |reader, out| {
                    let written = reader.write_ring(is_hole, out);
                    is_hole = true;
                    written
                })
            }
            MULTI_POINT..=MULTI_POLYGON => self.write_list(out, |reader, out| {
                let part = reader.head()?;
                (part == kind - 3).then_some(())?;
                reader.write_coordinates(part, out)
            }),
            _ => None,
        }
    }

    fn point(&mut self) -> Option<(f64, f64)> {
        let x = f64::from_bits(self.bytes.uint(8)?);
        let y = f64::from_bits(self.bytes.uint(8)?);
        (x.is_finite() && y.is_finite()).then_some((x, y))
    }

    fn write_point(&mut self, out: &mut String) -> Option<()> {
        let point = self.point()?;
        put_point(point, out);
        Some(())
    }

    /// Writes a ring of a polygon in GeoJSON's direction, as Esri's library does: the outer one counterclockwise, holes
    /// clockwise.
    fn write_ring(&mut self, is_hole: bool, out: &mut String) -> Option<()> {
        let count = self.bytes.uint(4)?;
        let mut points = Vec::new();
        for _ in 0..count {
            points.push(self.point()?);
        }
        let twice_area: f64 = points
            .windows(2)
            .map(|pair| pair[0].0 * pair[1].1 - pair[1].0 * pair[0].1)
            .sum();
        if twice_area != 0.0 && (twice_area < 0.0) != is_hole {
            points.reverse();
        }
        out.push('[');
        for (at, point) in points.into_iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            put_point(point, out);
        }
        out.push(']');
        Some(())
    }

    fn write_list(
        &mut self,
        out: &mut String,
        mut write_one: impl FnMut(&mut Self, &mut String) -> Option<()>,
    ) -> Option<()> {
        let count = self.bytes.uint(4)?;
        out.push('[');
        for at in 0..count {
            if at > 0 {
                out.push(',');
            }
            write_one(self, out)?;
        }
        out.push(']');
        Some(())
    }
}

fn put_point((x, y): (f64, f64), out: &mut String) {
    // Rust prints whole numbers without a point, and never an exponent.
    write!(out, "[{},{}]", x + 0.0, y + 0.0).expect("a String takes all");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_have_a_direction() {
        let mut value = vec![0, 0, 0, 0, 1, 3, 0, 0, 0, 2, 0, 0, 0];
        for _ in 0..2 {
            value.extend(4_u32.to_le_bytes());
            for point in [[0.0_f64, 0.0], [0.0, 4.0], [4.0, 4.0], [0.0, 0.0]] {
                point.iter().for_each(|x| value.extend(x.to_le_bytes()));
            }
        }
        let mut out = String::new();
        write(&value, &mut out).expect("a polygon");
        let expected = r#"{"coordinates":[[[0,0],[4,4],[0,4],[0,0]],[[0,0],[0,4],[4,4],[0,0]]],"type":"Polygon","srid":0}"#;
        assert_eq!(out, expected);
    }

    #[test]
    fn points_and_nonsense() {
        let mut value = vec![0xe6, 0x10, 0, 0, 1, 1, 0, 0, 0];
        value.extend((-1.25_f64).to_le_bytes());
        value.extend(1e10_f64.to_le_bytes());
        let mut out = String::new();
        write(&value, &mut out).expect("a point");
        let expected = r#"{"coordinates":[-1.25,10000000000],"type":"Point","srid":4326}"#;
        assert_eq!(out, expected);
        for length in 0..value.len() {
            assert_eq!(write(&value[..length], &mut String::new()), None);
        }
    }
}
