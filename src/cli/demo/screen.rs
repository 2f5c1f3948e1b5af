//! Shows what happens: a live screen on a terminal, plain lines elsewhere.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use console::{Style, Term, truncate_str};
use indicatif::HumanCount;

use super::View;
use super::news::{News, What};
use super::tally::Tally;

/// What is being watched.
pub(super) struct Watching {
    pub(super) bootstrap: String,
    pub(super) rules: String,
    pub(super) customers: u32,
    /// How long a day of event time takes.
    pub(super) day: Duration,
}

impl Watching {
    /// Says in a few lines what this is and how to quit; each fits a narrow terminal.
    fn lines(&self) -> [String; 5] {
        let Self { bootstrap, rules, customers, day } = self;
        [
            format!("vipstream demo: a made-up shop of {customers} customers on Kafka topics. Ctrl-C quits."),
            "Orders, surveys, posts, referrals and visits come in; written rules decide who".to_owned(),
            format!("is a VIP now, who no longer is, and whom to answer at once ({rules})."),
            format!("Fourteen months went through at once; now a day passes every {:.1} s.", day.as_secs_f64()),
            format!("Look inside: kcat -b {bootstrap} -C -t vip.events (or vip.alerts, ...)"),
        ]
    }
}

/// One plain line a decision, for files and pipes.
pub(super) struct Lines;

impl Lines {
    /// Begins with what is watched.
    pub(super) fn open(watching: &Watching) -> io::Result<Self> {
        let mut out = io::stdout().lock();
        for line in watching.lines() {
            writeln!(out, "{line}")?;
        }
        Ok(Self)
    }
}

impl View for Lines {
    fn tell(&mut self, news: &News) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{}  {:<8}  {}  {}: {}", news.time, news.what.word(), news.who, subject(news), news.why)
    }

    fn draw(&mut self, _tally: &Tally, _now: Instant) -> io::Result<()> {
        Ok(())
    }

    fn close(&mut self, tally: &Tally) -> io::Result<()> {
        let mut out = io::stdout().lock();
        summary(tally).iter().try_for_each(|line| writeln!(out, "{line}"))
    }
}

/// A screen drawn anew several times a second.
pub(super) struct Screen {
    term: Term,
    watching: Watching,
    /// The newest, oldest first.
    recent: VecDeque<News>,
    /// Events sent, and when that was noted: for the rate.
    rate: Rate,
    /// Whether the terminal is taken over.
    is_open: bool,
}

#[derive(Default)]
struct Rate {
    noted: Option<(u64, Instant)>,
    per_second: u64,
}

impl Screen {
    /// Takes over the terminal; what stood there comes back in the end.
    pub(super) fn open(watching: Watching) -> io::Result<Self> {
        let term = Term::buffered_stdout();
        term.write_str(ENTER)?;
        term.flush()?;
        Ok(Self { term, watching, recent: VecDeque::new(), rate: Rate::default(), is_open: true })
    }

    fn leave(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_open) {
            self.term.write_str(LEAVE)?;
            self.term.flush()?;
        }
        Ok(())
    }
}

impl Drop for Screen {
    /// Whatever ends the demo, the terminal is given back.
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = self.leave();
    }
}

impl View for Screen {
    fn tell(&mut self, news: &News) -> io::Result<()> {
        if self.recent.len() == MAX_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(news.clone());
        Ok(())
    }

    fn draw(&mut self, tally: &Tally, now: Instant) -> io::Result<()> {
        self.rate.note(tally.sent, now);
        let (height, width) = self.term.size();
        let (height, width) = (usize::from(height), usize::from(width));
        let frame = frame(&self.watching, tally, &self.recent, self.rate.per_second, (height, width));
        self.term.move_cursor_to(0, 0)?;
        for (place, line) in frame.iter().enumerate() {
            let end = if place + 1 == frame.len() { "" } else { "\r\n" };
            self.term.write_str(&format!("{}{CLEAR_REST}{end}", truncate_str(line, width, "…")))?;
        }
        self.term.flush()
    }

    fn close(&mut self, tally: &Tally) -> io::Result<()> {
        self.leave()?;
        for line in summary(tally) {
            self.term.write_line(&line)?;
        }
        self.term.flush()
    }
}

impl Rate {
    fn note(&mut self, sent: u64, now: Instant) {
        let Some((before, at)) = self.noted else {
            self.noted = Some((sent, now));
            return;
        };
        let span = now.saturating_duration_since(at);
        if span >= Duration::from_secs(1) {
            let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
            self.per_second = sent.saturating_sub(before) * 1_000 / millis;
            self.noted = Some((sent, now));
        }
    }
}

/// The whole screen of a terminal's height and width.
fn frame(
    watching: &Watching,
    tally: &Tally,
    recent: &VecDeque<News>,
    rate: u64,
    (height, width): (usize, usize),
) -> Vec<String> {
    let (bold, dim) = (Style::new().bold(), Style::new().dim());
    let [title, come, decide, speed, topics] = watching.lines();
    let count = |what| HumanCount(tally.total(what)).to_string();
    let mut lines = vec![
        bold.apply_to(title).to_string(),
        come,
        decide,
        speed,
        dim.apply_to(topics).to_string(),
        String::new(),
        format!(
            "{} events ({rate}/s)   {}   {}   {}   {}",
            HumanCount(tally.sent),
            bold.apply_to(format!("{} VIPs now", tally.vips())),
            colour(What::Granted).apply_to(format!("{} granted", count(What::Granted))),
            colour(What::Revoked).apply_to(format!("{} revoked", count(What::Revoked))),
            colour(What::Alert).apply_to(format!("{} alerts", count(What::Alert))),
        ),
        line_up(tally.programmes().map(|(name, _, _, held)| format!("{name} {held}"))),
        line_up(tally.labels().map(|(name, count)| format!("{name} {count}"))),
        String::new(),
    ];
    let room = height.saturating_sub(lines.len() + 1);
    let shown = recent.iter().skip(recent.len().saturating_sub(room));
    lines.extend(shown.map(|news| if width < WIDE { narrow(news) } else { wide(news) }));
    if recent.is_empty() {
        lines.push(dim.apply_to("reading the first fourteen months ...").to_string());
    }
    lines.resize(height.max(1), String::new());
    lines
}

fn line_up(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(" · ")
}

fn wide(news: &News) -> String {
    format!(
        "{}  {}  {}  {}  {}",
        Style::new().dim().apply_to(&news.time),
        colour(news.what).apply_to(format!("{:<8}", news.what.word().to_uppercase())),
        Style::new().bold().apply_to(format!("{:<28}", news.who)),
        format_args!("{:<26}", subject(news)),
        news.why
    )
}

/// Without the year and the id, so that the reason has room.
fn narrow(news: &News) -> String {
    format!(
        "{}  {}  {}  {}: {}",
        Style::new().dim().apply_to(news.time.get("2025-".len()..).unwrap_or_default()),
        colour(news.what).apply_to(format!("{:<8}", news.what.word().to_uppercase())),
        Style::new().bold().apply_to(format!("{:<15}", news.who.split(" (").next().unwrap_or_default())),
        subject(news),
        news.why
    )
}

fn colour(what: What) -> Style {
    match what {
        What::Granted => Style::new().green().bold(),
        What::Revoked => Style::new().red().bold(),
        What::Alert => Style::new().yellow().bold(),
        What::Changed | What::Expiring => Style::new().cyan(),
        What::Entered | What::Left => Style::new().dim(),
    }
}

/// Programme with its tier, label or alert.
fn subject(news: &News) -> String {
    match (&news.tier, news.what) {
        (Some(tier), What::Granted) => format!("{} ({tier})", news.name),
        _ => news.name.clone(),
    }
}

/// What came of it all.
fn summary(tally: &Tally) -> Vec<String> {
    let end = if tally.is_early { "so far: not all events are decided yet" } else { "in the end" };
    let mut lines = vec![
        String::new(),
        format!("{} events, {} VIPs {end}", HumanCount(tally.sent), tally.vips()),
        String::new(),
        format!("{:<28}{:>9}{:>9}{:>9}", "programme", "granted", "revoked", "held"),
    ];
    for (name, granted, revoked, held) in tally.programmes() {
        lines.push(format!("{name:<28}{granted:>9}{revoked:>9}{held:>9}"));
    }
    lines.push(String::new());
    lines.push(format!("{:<28}{:>9}", "alert", "sent"));
    lines.extend(tally.alerts().map(|(name, count)| format!("{name:<28}{count:>9}")));
    lines.push(String::new());
    lines.push(format!("{:<28}{:>9}", "label", "now"));
    lines.extend(tally.labels().map(|(name, count)| format!("{name:<28}{count:>9}")));
    lines
}

/// Most news kept for the screen; taller terminals show empty lines.
const MAX_RECENT: usize = 200;
/// From how many columns on a terminal shows a row in full.
const WIDE: usize = 120;
/// To the alternate screen, without a cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
const CLEAR_REST: &str = "\x1b[K";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::EventTime;

    fn watching() -> Watching {
        Watching {
            bootstrap: "127.0.0.1:1".to_owned(),
            rules: "shop.yaml".to_owned(),
            customers: 600,
            day: Duration::from_millis(400),
        }
    }

    fn news(what: What, minute: i64) -> News {
        News {
            at: EventTime(minute * 60_000),
            time: format!("1970-01-01 00:{minute:02}"),
            what,
            customer: Some("c-1".to_owned()),
            who: "Amber Fox (c-1)".to_owned(),
            name: "big_spender".to_owned(),
            tier: Some("gold".to_owned()),
            why: "spend_365d 10210.4 >= 10000".to_owned(),
            standing: vec!["big_spender".to_owned()],
        }
    }

    #[test]
    fn the_screen_explains_itself_counts_and_shows_the_newest() {
        let mut tally = Tally::default();
        tally.sent = 12_345;
        let recent: VecDeque<News> = (0..50).map(|minute| news(What::Granted, minute)).collect();
        for news in &recent {
            tally.count(news);
        }
        let frame = frame(&watching(), &tally, &recent, 250, (20, 150));
        assert_eq!(frame.len(), 20);
        let text = console::strip_ansi_codes(&frame.join("\n")).into_owned();
        assert!(
            text.contains("written rules decide who\nis a VIP now")
                && text.contains("Ctrl-C")
                && text.contains("kcat -b 127.0.0.1:1")
        );
        assert!(text.contains("12,345 events (250/s)   1 VIPs now   50 granted   0 revoked   0 alerts"), "{text}");
        let newest = "1970-01-01 00:49  GRANTED   Amber Fox (c-1)               big_spender (gold)          spend_365d";
        assert!(text.contains(newest), "{text}");
        assert!(!text.contains("00:30"), "older ones have left the screen");
    }

    #[test]
    fn on_eighty_columns_who_what_and_why_fit() {
        let recent = VecDeque::from([news(What::Granted, 5)]);
        let frame = frame(&watching(), &Tally::default(), &recent, 0, (24, 80));
        assert!(frame[..10].iter().all(|line| console::measure_text_width(line) <= 80), "{frame:#?}");
        let row = "01-01 00:05  GRANTED   Amber Fox        big_spender (gold): spend_365d 10210.4 >= 10000";
        let frame = console::strip_ansi_codes(&frame.join("\n")).into_owned();
        assert!(frame.contains(row), "{frame}");
    }

    #[test]
    fn a_tiny_terminal_breaks_nothing() {
        let recent = VecDeque::from([news(What::Alert, 0)]);
        for height in [0, 1, 5, 11] {
            assert_eq!(frame(&watching(), &Tally::default(), &recent, 0, (height, 80)).len(), height.max(1));
        }
    }

    #[test]
    fn the_summary_has_a_row_a_programme_and_an_alert() {
        let mut tally = Tally::default();
        tally.count(&news(What::Granted, 0));
        tally.count(&News { name: "vip_online".to_owned(), ..news(What::Alert, 1) });
        let text = summary(&tally).join("\n");
        assert!(text.contains("big_spender                         1        0        1"), "{text}");
        assert!(text.contains("vip_online                          1"), "{text}");
    }

    #[test]
    fn the_rate_is_of_the_last_second() {
        let begun = crate::clock::now();
        let mut rate = Rate::default();
        rate.note(1_000, begun);
        rate.note(1_100, begun + Duration::from_millis(500));
        assert_eq!(rate.per_second, 0);
        rate.note(1_600, begun + Duration::from_secs(2));
        assert_eq!(rate.per_second, 300);
    }
}
