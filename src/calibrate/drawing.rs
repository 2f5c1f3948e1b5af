//! A customer's timeline as a picture: orders, what was found in them, and the sentence that says so.
//!
//! Plain SVG, written by hand: a few shapes are not worth a dependency. Numbers come from the four operations alone and have one
//! digit after the point, so the same history gives the same bytes on any machine.

use jiff::tz::TimeZone;

use super::timelines::Timeline;
use super::{days, number};
use crate::pivot::budget::Grade;
use crate::pivot::sentence::sentence;
use crate::pivot::{Channel, Kind, Pivot};

/// A change from its start to its end, and what was told of it.
struct Span<'a> {
    since_ms: i64,
    end_ms: i64,
    /// Places among the pivots: a watch, an alert, the end.
    told: Vec<(usize, &'a Pivot)>,
}

impl Timeline<'_> {
    /// Draws it. Amounts are in `unit`.
    pub fn svg(&self, unit: &str) -> String {
        let spans = self.spans();
        let shown = &spans[..spans.len().min(MOST_SPANS)];
        let lanes = lanes(shown);
        let scale = Scale::of(self, lanes.len());
        let legend = legend(shown, spans.len() - shown.len(), unit);
        let height = scale.base + 52.0 + LINE * number(legend.len() as u64);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" width=\"{WIDTH:.0}\" \
             height=\"{height:.0}\" role=\"img\" aria-labelledby=\"title desc\" font-family=\"sans-serif\" \
             font-size=\"12\" fill=\"#333\">\n<title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>\n\
             <rect width=\"{WIDTH:.0}\" height=\"{height:.0}\" fill=\"#fff\"/>\n\
             <text x=\"16\" y=\"28\" font-size=\"17\" font-weight=\"bold\">{}</text>\n\
             <text x=\"16\" y=\"48\" fill=\"#555\">{}</text>\n",
            escape(&self.title()),
            escape(&legend.iter().map(described).collect::<Vec<_>>().join(" ")),
            escape(self.customer.as_str()),
            escape(&self.subtitle()),
        );
        scale.axes(&mut svg, unit);
        for (at, lane) in lanes.iter().enumerate() {
            scale.lane(&mut svg, 72.0 + LANE * number(at as u64), lane);
        }
        scale.orders(&mut svg, &self.orders);
        for (at, (mark, text)) in legend.iter().enumerate() {
            let y = scale.base + 56.0 + LINE * number(at as u64);
            if let Some((place, pivot)) = mark {
                svg.push_str(&marker(26.0, y - 4.0, *place, pivot));
            }
            svg.push_str(&format!("<text x=\"44\" y=\"{y:.1}\"{}>{}</text>\n", weight(mark.is_some()), escape(text)));
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// Says whose it is and what was found.
    pub fn title(&self) -> String {
        let mut kinds: Vec<&str> = Vec::new();
        for pivot in self.pivots.iter().filter(|pivot| pivot.of.is_none()) {
            if !kinds.contains(&pivot.kind.name()) {
                kinds.push(pivot.kind.name());
            }
        }
        format!("{}: {}", self.customer.as_str(), kinds.join(", "))
    }

    fn subtitle(&self) -> String {
        let orders = self.orders.len();
        let noun = if orders == 1 { "order" } else { "orders" };
        let (start, end) = self.watched_ms;
        format!("{orders} {noun}; watched from {} to {}", date(start), date(end))
    }

    fn spans(&self) -> Vec<Span<'_>> {
        let mut spans: Vec<(Span<'_>, Kind, Channel, bool)> = Vec::new();
        for (place, pivot) in self.pivots.iter().enumerate() {
            let of = pivot.of.unwrap_or(pivot.kind);
            let is_of = |kind: &Kind, channel: &Channel| *kind == of && *channel == pivot.channel;
            let open = spans.iter_mut().find(|(_, kind, channel, is_open)| *is_open && is_of(kind, channel));
            let ends = pivot.is_over(&self.budget);
            if let Some((span, _, _, is_open)) = open {
                span.told.push((place, pivot));
                if ends {
                    (span.end_ms, *is_open) = (pivot.decided_at_ms, false);
                }
                continue;
            }
            let end_ms = if ends { pivot.decided_at_ms } else { self.watched_ms.1 };
            spans.push((
                Span { since_ms: pivot.since_ms, end_ms, told: vec![(place, pivot)] },
                of,
                pivot.channel,
                !ends,
            ));
        }
        spans.into_iter().map(|(span, ..)| span).collect()
    }
}

impl Span<'_> {
    fn name(&self) -> String {
        name(self.told[0].1)
    }
}

/// Changes of one name share a lane.
fn lanes<'s, 'a>(spans: &'s [Span<'a>]) -> Vec<Vec<&'s Span<'a>>> {
    let mut lanes: Vec<Vec<&Span<'_>>> = Vec::new();
    for span in spans {
        match lanes.iter_mut().find(|lane| lane[0].name() == span.name()) {
            Some(lane) => lane.push(span),
            None => lanes.push(vec![span]),
        }
    }
    lanes
}

/// Where things lie in the picture.
struct Scale {
    start_ms: i64,
    end_ms: i64,
    /// Greatest amount, and the step of its axis.
    most: f64,
    step: f64,
    /// Upper and lower end of the orders.
    top: f64,
    base: f64,
}

impl Scale {
    fn of(timeline: &Timeline<'_>, lanes: usize) -> Self {
        let most = timeline.orders.iter().filter_map(|(_, amount)| *amount).fold(0.01, f64::max);
        let mut step = 0.01;
        for factor in [2.0, 2.5, 2.0].into_iter().cycle() {
            if most <= step * 5.0 || step > 1e300 {
                break;
            }
            step *= factor;
        }
        let top = 76.0 + LANE * number(lanes as u64);
        let (start_ms, end_ms) = timeline.watched_ms;
        Self { start_ms, end_ms: end_ms.max(start_ms + 1), most, step, top, base: top + 190.0 }
    }

    fn x(&self, at_ms: i64) -> f64 {
        let at_ms = at_ms.clamp(self.start_ms, self.end_ms);
        LEFT + (RIGHT - LEFT) * (days(at_ms - self.start_ms) / days(self.end_ms - self.start_ms))
    }

    fn y(&self, amount: f64) -> f64 {
        self.base - (self.base - self.top - 12.0) * (amount.max(0.0) / self.most)
    }

    fn axes(&self, svg: &mut String, unit: &str) {
        let mut line = 0.0;
        while line <= self.most {
            let y = self.y(line);
            let label = if self.step >= 1.0 { format!("{line:.0}") } else { format!("{line:.2}") };
            svg.push_str(&format!(
                "<path d=\"M{LEFT:.1} {y:.1}H{RIGHT:.1}\" stroke=\"#e4e4e4\"/><text x=\"{:.1}\" y=\"{:.1}\" \
                 text-anchor=\"end\">{label}</text>\n",
                LEFT - 8.0,
                y + 4.0
            ));
            line += self.step;
        }
        let middle = f64::midpoint(self.top, self.base);
        svg.push_str(&format!(
            "<text transform=\"translate(24 {middle:.1}) rotate(-90)\" text-anchor=\"middle\" \
             fill=\"#555\">amount of an order, {}</text>\n",
            escape(unit)
        ));
        svg.push_str(&format!("<path d=\"M{LEFT:.1} {:.1}H{RIGHT:.1}\" stroke=\"#666\"/>\n", self.base));
        for (at_ms, label) in ticks(self.start_ms, self.end_ms) {
            let x = self.x(at_ms);
            svg.push_str(&format!(
                "<path d=\"M{x:.1} {:.1}v5\" stroke=\"#666\"/><text x=\"{x:.1}\" y=\"{:.1}\" \
                 text-anchor=\"middle\">{label}</text>\n",
                self.base,
                self.base + 19.0
            ));
        }
    }

    /// Changes of one name, and their shade over the orders.
    fn lane(&self, svg: &mut String, y: f64, spans: &[&Span<'_>]) {
        let hue = hue(spans[0].told[0].1);
        svg.push_str(&format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{hue}\">{}</text>\n",
            LEFT - 8.0,
            y + 4.0,
            spans[0].name()
        ));
        for span in spans {
            let (from, to) = (self.x(span.since_ms), self.x(span.end_ms));
            let width = (to - from).max(1.0);
            for (top, height, opacity) in [(self.top, self.base - self.top, ".07"), (y - 3.0, 6.0, ".4")] {
                svg.push_str(&format!(
                    "<rect x=\"{from:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{hue}\" \
                     fill-opacity=\"{opacity}\"/>\n"
                ));
            }
        }
        let mut free = f64::NEG_INFINITY;
        for (place, pivot) in spans.iter().flat_map(|span| &span.told) {
            let exact = self.x(pivot.decided_at_ms);
            svg.push_str(&format!(
                "<path d=\"M{exact:.1} {y:.1}V{:.1}\" stroke=\"{hue}\" stroke-dasharray=\"3 3\"/>\n",
                self.base
            ));
            // Two that are close stand side by side.
            let x = exact.max(free);
            svg.push_str(&marker(x, y, *place, pivot));
            free = x + 18.0;
        }
    }

    fn orders(&self, svg: &mut String, orders: &[(i64, Option<f64>)]) {
        let (mut stems, mut heads) = (String::new(), String::new());
        for (at_ms, amount) in orders {
            let (x, y) = (self.x(*at_ms), self.y(amount.unwrap_or_default()));
            stems.push_str(&format!("M{x:.1} {:.1}V{y:.1}", self.base));
            heads.push_str(&format!("M{x:.1} {y:.1}h0"));
        }
        svg.push_str(&format!(
            "<path d=\"{stems}\" stroke=\"#555\" stroke-width=\"1.2\"/>\n\
             <path d=\"{heads}\" stroke=\"#222\" stroke-width=\"5\" stroke-linecap=\"round\"/>\n"
        ));
    }
}

/// What is written below, and which marker stands before it.
type Line<'a> = (Option<(usize, &'a Pivot)>, String);

fn legend<'a>(spans: &[Span<'a>], hidden: usize, unit: &str) -> Vec<Line<'a>> {
    let mut told: Vec<(usize, &Pivot)> = spans.iter().flat_map(|span| &span.told).copied().collect();
    told.sort_by_key(|(place, _)| *place);
    let mut lines: Vec<Line<'a>> = Vec::new();
    for (place, pivot) in told {
        let of = pivot.of.map_or_else(String::new, |_| format!(" from {}", name(pivot)));
        let what = if pivot.of.is_some() { pivot.kind.name().to_owned() } else { name(pivot) };
        let sure = pivot.confidence.map_or_else(String::new, |sure| format!(", confidence {sure:.2}"));
        let head = format!("{}: {what}{of}, {}{sure}", pivot.level.name(), date(pivot.decided_at_ms));
        lines.push((Some((place, pivot)), head));
        lines.extend(wrap(&sentence(pivot, unit)).into_iter().map(|line| (None, line)));
    }
    if hidden > 0 {
        lines.push((None, format!("and {hidden} more, which are not shown")));
    }
    lines
}

/// A line as it is read out.
fn described((mark, text): &Line<'_>) -> String {
    let stop = if mark.is_some() { "." } else { "" };
    format!("{text}{stop}")
}

/// A numbered mark: full where something begins, hollow where it ends.
fn marker(x: f64, y: f64, place: usize, pivot: &Pivot) -> String {
    let hue = hue(pivot);
    let (fill, ink) = if pivot.of.is_some() { ("#fff", hue) } else { (hue, "#fff") };
    let dashes = if pivot.level == Grade::Watch { " stroke-dasharray=\"2 2\"" } else { "" };
    format!(
        "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"8\" fill=\"{fill}\" stroke=\"{hue}\" stroke-width=\"1.5\"{dashes}/>\
         <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"10\" font-weight=\"bold\" \
         fill=\"{ink}\">{}</text>\n",
        y + 3.5,
        place + 1
    )
}

/// What a pivot, or what has ended, is called.
fn name(pivot: &Pivot) -> String {
    super::name(pivot).replace('_', " ")
}

/// Dark enough to be read on white, and apart for those who tell colours badly.
const fn hue(pivot: &Pivot) -> &'static str {
    match (pivot.kind, pivot.of, pivot.channel) {
        (Kind::Silence, ..) | (_, Some(Kind::Silence), _) => "#b5400a",
        (.., Channel::Cadence) => "#0b62a4",
        (.., Channel::Spend) => "#0a7550",
        (.., Channel::Csat | Channel::Sentiment) => "#8a2f86",
        (.., Channel::Engagement) => "#6b5b00",
        (.., Channel::Refund | Channel::Channel) => "#444b9e",
    }
}

const fn weight(is_bold: bool) -> &'static str {
    if is_bold { " font-weight=\"bold\"" } else { "" }
}

/// SVG does not wrap text.
fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("it starts with one");
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() > MOST_LETTERS {
            lines.push(word.to_owned());
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines
}

/// Starts of months, at most a dozen; of a short time its ends.
fn ticks(start_ms: i64, end_ms: i64) -> Vec<(i64, String)> {
    let month = |at_ms: i64| {
        let date = day(at_ms);
        i32::from(date.year()) * 12 + i32::from(date.month()) - 1
    };
    let (first, last) = (month(start_ms) + 1, month(end_ms));
    if last - first < 2 {
        return vec![(start_ms, date(start_ms)), (end_ms, date(end_ms))];
    }
    let step = STEPS.into_iter().find(|step| (last - first) / step < 12).unwrap_or(STEPS[STEPS.len() - 1]);
    let instant = |month: i32| {
        let year = i16::try_from(month.div_euclid(12)).ok()?;
        let date = jiff::civil::Date::new(year, i8::try_from(month.rem_euclid(12) + 1).ok()?, 1).ok()?;
        let at = date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond();
        Some((at, format!("{year}-{:02}", date.month())))
    };
    (first..=last).filter(|month| month % step == 0).filter_map(instant).collect()
}

fn day(at_ms: i64) -> jiff::civil::Date {
    jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default().to_zoned(TimeZone::UTC).date()
}

fn date(at_ms: i64) -> String {
    day(at_ms).to_string()
}

/// Makes a text safe within markup; what markup cannot hold becomes a question mark in a box.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => safe.push(char::REPLACEMENT_CHARACTER),
            control if control.is_control() => safe.push(char::REPLACEMENT_CHARACTER),
            other => safe.push(other),
        }
    }
    safe
}

/// Pixels.
const WIDTH: f64 = 960.0;
const LEFT: f64 = 160.0;
const RIGHT: f64 = 920.0;
const LANE: f64 = 24.0;
const LINE: f64 = 19.0;

/// So many letters fit below the orders.
const MOST_LETTERS: usize = 135;

/// More changes of one customer than that nobody reads.
const MOST_SPANS: usize = 8;

/// Months between two ticks.
const STEPS: [i32; 8] = [1, 2, 3, 6, 12, 24, 60, 120];

#[cfg(test)]
mod tests {
    use crate::calibrate::History;
    use crate::model::id::CustomerId;
    use crate::pivot::budget::{Budget, Grade};
    use crate::pivot::priors::Priors;
    use crate::pivot::settings::Settings;
    use crate::pivot::{DAY_MS, Kind, Observation};

    #[test]
    fn a_change_without_an_end_is_a_bar_to_when_it_is_told_by_the_level_that_decides() {
        let mut history = History::default();
        #[expect(clippy::cast_possible_truncation, reason = "a whole number of milliseconds")]
        let day = |day: i64| day * DAY_MS as i64;
        for order in 0..120 {
            let shop = Some(u8::from(order >= 60));
            let customer = CustomerId("c1".into());
            history.note(&customer, day(1 + 3 * order), Observation::Purchase { amount: Some(20.0), shop });
        }
        for (watch, alert, level) in [(Some(0.05), None, Grade::Watch), (None, Some(0.05), Grade::Alert)] {
            let settings = Settings::new(Priors::default(), Budget::new(watch, alert).expect("a budget"));
            let timelines = history.timelines(&settings, 1);
            let spans = timelines[0].spans();
            let span = spans.iter().find(|span| span.told[0].1.kind == Kind::ChannelShifted).expect("a shift");
            assert_eq!(span.told[0].1.level, level);
            assert_eq!(span.end_ms, span.told[0].1.decided_at_ms);
        }
    }
}
