//! The plot, as SVG: bars of documents a second, relative to multivec.

use std::fmt::Write;

use crate::results::Comparison;

const WIDTH: usize = 900;
const LEFT: usize = 270;
const BAR: usize = 14;
const OWN: &str = "#2a6f97";
const OTHER: &str = "#b0b7bf";

/// A group of bars for each model and case, multivec's default being 1.
pub fn throughput(found: &Comparison) -> String {
    let mut body = String::new();
    let mut y = 30;
    for model in &found.models {
        let Some(own) = model.found.encoders.first() else {
            continue;
        };
        for (case, base) in &own.throughput {
            heading(&mut body, y, &format!("{}, {case}", model.model));
            y += BAR + 4;
            let speeds = model.found.encoders.iter().filter_map(|encoder| {
                let (_, speed) = encoder.throughput.iter().find(|(name, _)| name == case)?;
                Some((encoder.encoder.as_str(), speed.median))
            });
            let speeds: Vec<(&str, f64)> = speeds.collect();
            let most = speeds
                .iter()
                .map(|&(_, speed)| speed)
                .fold(base.median, f64::max);
            for (name, speed) in speeds {
                let length = speed / most * (WIDTH - LEFT - 130) as f64;
                bar(&mut body, y, length, (name, speed));
                y += BAR + 4;
            }
            y += 14;
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{y}\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}

fn heading(body: &mut String, y: usize, text: &str) {
    let _ = writeln!(
        body,
        "<text x=\"10\" y=\"{y}\" font-weight=\"bold\">{}, documents a second</text>",
        escaped(text)
    );
}

fn bar(body: &mut String, y: usize, length: f64, (name, speed): (&str, f64)) {
    let colour = match name.starts_with("multivec") {
        true => OWN,
        false => OTHER,
    };
    let top = y - BAR + 3;
    let end = LEFT as f64 + length + 6.;
    let _ = writeln!(
        body,
        "<text x=\"{}\" y=\"{y}\" text-anchor=\"end\">{}</text>\
         <rect x=\"{LEFT}\" y=\"{top}\" width=\"{length:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\
         <text x=\"{end:.1}\" y=\"{y}\">{speed:.1}</text>",
        LEFT - 8,
        escaped(name)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
