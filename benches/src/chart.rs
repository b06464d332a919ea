//! The comparison with Node as bars: ours is the unit of each.

use std::fmt::Write as _;

use crate::{
    Failure,
    measure::{Figures, median},
    report::{Results, megabytes, millis, ratio},
};

const WIDTH: u32 = 720;
const BAR_LEFT: f64 = 190.0;
const BAR_WIDTH: f64 = 380.0;
const ROW_HEIGHT: u32 = 52;
const TOP: u32 = 58;

/// One comparison: its name, and the two values as text with their ratio.
struct Row {
    name: &'static str,
    ours: String,
    theirs: String,
    ratio: f64,
}

fn rows(ours: &Figures, node: &Figures) -> Vec<Row> {
    let time = |name, values: fn(&Figures) -> &[std::time::Duration]| {
        let (ours, theirs) = (median(values(ours)), median(values(node)));
        Row {
            name,
            ours: format!("{:.2} ms", millis(ours)),
            theirs: format!("{:.2} ms", millis(theirs)),
            ratio: ratio(theirs, ours),
        }
    };
    vec![
        time("CPU of a cold start", |figures| &figures.init_cpu),
        time("CPU of the first call", |figures| &figures.first_cpu),
        time("warm call, p50", |figures| &figures.warm_wall),
        time("CPU of a warm call", |figures| &figures.warm_cpu),
        Row {
            name: "memory",
            ours: format!("{:.1} MB", megabytes(ours.peak_kib)),
            theirs: format!("{:.1} MB", megabytes(node.peak_kib)),
            ratio: megabytes(node.peak_kib) / megabytes(ours.peak_kib),
        },
    ]
}

/// Draws it. Bars are on a logarithmic scale, which is said on the chart.
pub(crate) fn draw(results: &Results) -> Result<String, Failure> {
    let rows = rows(
        results.figures("get-product")?,
        results.figures("Node get-product")?,
    );
    let height = TOP + ROW_HEIGHT * u32::try_from(rows.len())? + 12;
    let most = rows.iter().map(|row| row.ratio).fold(1.0, f64::max);
    // The shorter bar is a tenth of the scale, so that it can be seen.
    let length = |ratio: f64| BAR_WIDTH * (0.1 + 0.9 * ratio.max(1.0).ln() / most.max(1.1).ln());
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\">\n\
         <title>A product read: Emporium and the same work in Node 20</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"24\" font-size=\"15\" font-weight=\"600\" fill=\"#1f2328\">A product read on Lambda: Emporium and the same work in Node 20</text>\n\
         <text x=\"16\" y=\"43\" fill=\"#59636e\">shorter is better; logarithmic; medians, see docs/performance.md</text>\n"
    );
    for (row, y) in rows
        .iter()
        .zip((TOP..).step_by(usize::try_from(ROW_HEIGHT)?))
    {
        let Row {
            name,
            ours,
            theirs,
            ratio,
        } = row;
        let mut bar = |y: u32, length: f64, colour: &str, label: &str| {
            writeln!(
                svg,
                "<rect x=\"{BAR_LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"16\" rx=\"2\" fill=\"{colour}\"/>\n\
                 <text x=\"{:.1}\" y=\"{}\" fill=\"#1f2328\">{label}</text>",
                BAR_LEFT + length + 8.0,
                y + 13,
            )
        };
        bar(y, length(1.0), "#b7410e", ours)?;
        bar(
            y + 20,
            length(*ratio),
            "#8c959f",
            &format!("{theirs} ({ratio:.1} ×)"),
        )?;
        writeln!(
            svg,
            "<text x=\"16\" y=\"{}\" fill=\"#1f2328\">{name}</text>",
            y + 23
        )?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}
