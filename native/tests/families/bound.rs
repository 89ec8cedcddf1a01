//! How near rows are to be to those that are expected.

/// The state of a token.
pub(crate) type Row = Vec<f32>;

/// How much farther from the original rows quantized ones may be than those of
/// ONNX Runtime.
const NOISE: f32 = 1.5;

pub(crate) enum Bound {
    /// The largest difference of a component.
    Difference { largest: f32, expected: Vec<Row> },
    /// About as near to what the graph gives before quantization as ONNX
    /// Runtime's rows.
    Quantized {
        original: Vec<Row>,
        expected: Vec<Row>,
    },
}

impl Bound {
    pub(crate) fn within(largest: f32, expected: Vec<Row>) -> Self {
        Self::Difference { largest, expected }
    }

    /// How far rows are, if that is too far.
    pub(crate) fn exceeded(&self, found: &[Row]) -> Option<String> {
        let (found, bound) = match self {
            Self::Difference { largest, expected } => (difference(found, expected), *largest),
            Self::Quantized { original, expected } => {
                let noise = distance(expected, original);
                (distance(found, original), NOISE * noise)
            }
        };
        // NaN is too far.
        let is_near = found <= bound;
        (!is_near).then(|| format!("{found}, more than {bound}"))
    }
}

fn difference(found: &[Row], expected: &[Row]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected).flat_map(|(found, expected)| {
        assert_eq!(found.len(), expected.len());
        found.iter().zip(expected)
    });
    pairs
        .map(|(found, expected)| (found - expected).abs())
        .fold(0., |worst, one| if one <= worst { worst } else { one })
}

/// The mean distance of two rows.
fn distance(found: &[Row], expected: &[Row]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected);
    let distances = pairs.map(|(found, expected)| {
        let squares = found
            .iter()
            .zip(expected)
            .map(|(one, other)| (one - other).powi(2));
        squares.sum::<f32>().sqrt()
    });
    distances.sum::<f32>() / found.len() as f32
}
