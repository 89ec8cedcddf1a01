//! A histogram of cosines, as SVG.

use std::fmt::Write;

use super::report::Report;

const WIDTH: f64 = 720.;
const HEIGHT: f64 = 400.;
/// The plot area: left, top, right and bottom.
const FRAME: [f64; 4] = [60., 70., 700., 340.];
const BINS: usize = 40;

pub(crate) fn histogram(report: &Report) -> String {
    let [left, top, right, bottom] = FRAME;
    let bins = report.cosines.histogram(BINS);
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(0).max(1);
    let (start, end) = match (bins.first(), bins.last()) {
        (Some(first), Some(last)) => (first.from, last.to),
        _ => (0., 1.),
    };
    let x = |cosine: f64| left + (cosine - start) / (end - start) * (right - left);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    Text::at(left, 24.).write(&mut svg, &report.model.to_string());
    let against = format!("against {}", report.against);
    Text::at(left, 42.).write(&mut svg, &against);
    for bin in &bins {
        let height = bin.count as f64 / most as f64 * (bottom - top);
        element(
            &mut svg,
            format_args!(
                "<rect x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{height:.2}\" \
                 fill=\"#4878a8\"><title>{:.5} to {:.5}: {}</title></rect>",
                x(bin.from),
                bottom - height,
                (x(bin.to) - x(bin.from) - 1.).max(0.5),
                bin.from,
                bin.to,
                bin.count
            ),
        );
    }
    element(
        &mut svg,
        format_args!("<path d=\"M{left} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"black\"/>"),
    );
    for part in 0..=4 {
        let cosine = start + (end - start) * f64::from(part) / 4.;
        Text::at(x(cosine), bottom + 18.)
            .anchored(Anchor::Middle)
            .write(&mut svg, &format!("{cosine:.4}"));
    }
    for (y, count) in [(top + 6., most), (bottom, 0)] {
        Text::at(left - 6., y)
            .anchored(Anchor::End)
            .write(&mut svg, &count.to_string());
    }
    let axis = "cosine of each token vector to the reference; number of tokens";
    Text::at((left + right) / 2., bottom + 44.)
        .anchored(Anchor::Middle)
        .write(&mut svg, axis);
    for (name, cosine, at) in [
        ("mean", report.cosines.mean(), 0.),
        ("1st percentile", report.cosines.percentile(1.), 14.),
    ] {
        let (x, y) = (x(cosine), top - 4. + at);
        element(
            &mut svg,
            format_args!(
                "<path d=\"M{x:.2} {top}V{bottom}\" stroke=\"#b04030\" stroke-dasharray=\"4 3\"/>"
            ),
        );
        Text::at(x - 4., y)
            .anchored(Anchor::End)
            .write(&mut svg, &format!("{name} {cosine:.5}"));
    }
    svg.push_str("</svg>\n");
    svg
}

fn element(svg: &mut String, element: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _: std::fmt::Result = writeln!(svg, "{element}");
}

enum Anchor {
    Start,
    Middle,
    End,
}

/// Where a text goes.
struct Text {
    x: f64,
    y: f64,
    anchor: Anchor,
}

impl Text {
    fn at(x: f64, y: f64) -> Self {
        Self {
            x,
            y,
            anchor: Anchor::Start,
        }
    }

    fn anchored(mut self, anchor: Anchor) -> Self {
        self.anchor = anchor;
        self
    }

    fn write(&self, svg: &mut String, content: &str) {
        let content = content
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let Self { x, y, anchor } = self;
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        element(
            svg,
            format_args!(
                "<text x=\"{x:.2}\" y=\"{y:.2}\" text-anchor=\"{anchor}\">{content}</text>"
            ),
        );
    }
}
