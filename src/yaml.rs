//! YAML with places: a tree in which every key and value knows its line, and the list of problems found in it.
//!
//! `serde` stops at the first mistake and forgets lines; people fixing a file want all mistakes at once, each
//! with its place. So files are read into [`Node`]s and taken apart by [`Section`], which notes what nobody asked for.

use std::time::Duration;

use saphyr_parser::{Event, Parser, ScalarStyle};

/// Deepest nesting accepted.
const MAX_DEPTH: usize = 32;

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// Dotted path: `programmes.big_spender.grant`; empty for the file as a whole.
    pub path: String,
    /// What is wrong: lower case, no full stop.
    pub what: String,
    /// The remedy, where there is one.
    pub help: Option<String>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{} ", self.file, self.line)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}", self.what)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "\n      {help}"))
    }
}

/// Every problem under a line that counts them.
pub fn list(problems: &[impl std::fmt::Display]) -> String {
    let noun = if problems.len() == 1 { "problem" } else { "problems" };
    let lines = problems.iter().map(|problem| format!("\n  {problem}")).collect::<Vec<_>>().concat();
    format!("{} {noun}{lines}", problems.len())
}

/// The problems of one file, in the order found.
#[derive(Debug)]
pub struct Problems {
    file: String,
    list: Vec<Problem>,
}

impl Problems {
    /// An empty list for the file of that name.
    pub fn new(file: &str) -> Self {
        Self { file: file.to_owned(), list: Vec::new() }
    }

    /// Notes a problem without a remedy.
    pub fn add(&mut self, line: usize, path: &str, what: impl Into<String>) {
        self.push(line, path, what.into(), None);
    }

    /// Notes a problem with its remedy.
    pub fn add_with_help(&mut self, line: usize, path: &str, what: impl Into<String>, help: impl Into<String>) {
        self.push(line, path, what.into(), Some(help.into()));
    }

    fn push(&mut self, line: usize, path: &str, what: String, help: Option<String>) {
        self.list.push(Problem { file: self.file.clone(), line, path: path.to_owned(), what, help });
    }

    /// Whether none was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The problems by line.
    pub fn into_sorted(mut self) -> Vec<Problem> {
        self.list.sort_by_key(|problem| problem.line);
        self.list
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// From 1.
    pub line: usize,
    pub value: Value,
}

/// A YAML value; scalars keep their text, since only the reader knows their type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Null,
    /// The text, and whether it was quoted.
    Scalar(String, bool),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub name: String,
    pub line: usize,
}

impl Value {
    const fn describe(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Scalar(..) => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// Reads one document. A mistake in the YAML itself ends the reading; it is the only problem noted then.
///
/// # Panics
/// Never on any text: the parser's events come in pairs.
pub fn read(text: &str, problems: &mut Problems) -> Option<Node> {
    let mut stack: Vec<(Node, Option<Key>)> = Vec::new();
    let mut root = None;
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                let line = error.marker().line();
                problems.add_with_help(line, "", format!("this is not YAML: {}", error.info()), QUOTING);
                return None;
            }
        };
        let line = span.start.line();
        let done = match event {
            Event::Scalar(text, style, _, tag) => match scalar(&text, style, tag.is_some()) {
                Ok(value) => Node { line, value },
                Err(what) => {
                    problems.add_with_help(line, "", what, QUOTING);
                    return None;
                }
            },
            Event::SequenceStart(..) | Event::MappingStart(..) if stack.len() >= MAX_DEPTH => {
                problems.add(line, "", format!("nested deeper than {MAX_DEPTH} levels"));
                return None;
            }
            Event::SequenceStart(..) => {
                stack.push((Node { line, value: Value::List(Vec::new()) }, None));
                continue;
            }
            Event::MappingStart(..) => {
                stack.push((Node { line, value: Value::Map(Vec::new()) }, None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => stack.pop().expect("the parser balances starts and ends").0,
            Event::Alias(_) => {
                problems.add(line, "", "aliases (`*name`) are not read here");
                return None;
            }
            Event::DocumentStart(_) if root.is_some() => {
                problems.add(line, "", "a second document (`---`) in the file");
                return None;
            }
            _ => continue,
        };
        if !place(done, &mut stack, &mut root, problems) {
            return None;
        }
    }
    root.or(Some(Node { line: 1, value: Value::Null }))
}

/// Puts a finished node where it belongs: into the open list or map, or at the root.
fn place(done: Node, stack: &mut [(Node, Option<Key>)], root: &mut Option<Node>, problems: &mut Problems) -> bool {
    match stack.last_mut() {
        None => *root = Some(done),
        Some((Node { value: Value::List(items), .. }, _)) => items.push(done),
        Some((Node { value: Value::Map(entries), .. }, pending)) => match pending.take() {
            Some(key) => entries.push((key, done)),
            None => match done.value {
                Value::Scalar(name, _) => *pending = Some(Key { name, line: done.line }),
                other => {
                    problems.add_with_help(done.line, "", format!("{} as a key", other.describe()), QUOTING);
                    return false;
                }
            },
        },
        Some(_) => {}
    }
    true
}

fn scalar(text: &str, style: ScalarStyle, tagged: bool) -> Result<Value, String> {
    if tagged {
        return Err("`!` starts a YAML tag here".to_owned());
    }
    Ok(match (style, text) {
        (ScalarStyle::Plain, "" | "~" | "null") => Value::Null,
        (style, text) => Value::Scalar(text.to_owned(), style != ScalarStyle::Plain),
    })
}

const QUOTING: &str = "put quotes around an expression that contains `,`, `: ` or `[`, or starts with `!`";

/// A map being taken apart: what is left at the end is unknown and refused.
#[derive(Debug)]
pub struct Section<'a> {
    pub line: usize,
    pub path: String,
    entries: Vec<(&'a Key, &'a Node)>,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// Opens a map. Anything else is a problem; nothing at all reads as an empty map.
    pub fn open(node: &'a Node, path: &str, problems: &mut Problems) -> Option<Self> {
        let mut entries: Vec<(&Key, &Node)> = Vec::new();
        match &node.value {
            Value::Null => {}
            Value::Map(map) => {
                for (key, value) in map {
                    if entries.iter().any(|(other, _)| other.name == key.name) {
                        problems.add(key.line, &join(path, &key.name), "stands twice; the first is taken");
                    } else {
                        entries.push((key, value));
                    }
                }
            }
            other => {
                problems.add(node.line, path, format!("is {}, a map is expected", other.describe()));
                return None;
            }
        }
        Some(Self { line: node.line, path: path.to_owned(), entries, known: Vec::new() })
    }

    /// The path of a key in this section.
    pub fn at(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// The line of a key, or of the section where it is missing.
    pub fn line_of(&self, key: &str) -> usize {
        self.entries.iter().find(|(other, _)| other.name == key).map_or(self.line, |(key, _)| key.line)
    }

    /// Takes the value under a known key.
    pub fn take(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.push(key);
        let at = self.entries.iter().position(|(other, _)| other.name == key)?;
        Some(self.entries.remove(at).1)
    }

    /// Takes what is left, for maps whose keys the user chooses.
    pub fn take_rest(&mut self) -> Vec<(&'a Key, &'a Node)> {
        std::mem::take(&mut self.entries)
    }

    /// Takes a text.
    pub fn text(&mut self, key: &'static str, problems: &mut Problems) -> Option<&'a str> {
        let node = self.take(key)?;
        text(node, &self.at(key), problems)
    }

    /// Takes a text that must be there.
    pub fn required(&mut self, key: &'static str, problems: &mut Problems) -> Option<&'a str> {
        if !self.entries.iter().any(|(other, _)| other.name == key) {
            self.known.push(key);
            problems.add(self.line, &self.path, format!("`{key}` is missing"));
            return None;
        }
        self.text(key, problems)
    }

    /// Takes a span of time, such as `30d`.
    pub fn span(&mut self, key: &'static str, problems: &mut Problems) -> Option<Duration> {
        let node = self.take(key)?;
        let path = self.at(key);
        match parse_span(text(node, &path, problems)?) {
            Ok(span) => Some(span),
            Err((what, help)) => {
                problems.add_with_help(node.line, &path, what, help);
                None
            }
        }
    }

    /// Refuses each key that was not taken, with the nearest known one.
    pub fn close(self, problems: &mut Problems) {
        for (key, _) in &self.entries {
            let path = self.at(&key.name);
            let known = self.known.join(", ");
            let help = suggest(&key.name, self.known.iter().copied())
                .map_or_else(|| format!("known: {known}"), |near| format!("did you mean `{near}`? known: {known}"));
            let quoted = if key.name.contains(['\'', '"', '(', ')', '[', ']', '<', '>', '=', '&', '|']) {
                format!("{help}; {QUOTING}")
            } else {
                help
            };
            problems.add_with_help(key.line, &path, format!("unknown key `{}`", key.name), quoted);
        }
    }
}

/// The text of a scalar; anything else is a problem.
pub fn text<'a>(node: &'a Node, path: &str, problems: &mut Problems) -> Option<&'a str> {
    match &node.value {
        Value::Scalar(text, _) => Some(text),
        other => {
            problems.add(node.line, path, format!("is {}, a single value is expected", other.describe()));
            None
        }
    }
}

/// Joins a dotted path.
pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Reads `250ms`, `5s`, `15m`, `24h` or `30d`: elapsed time (a day is 24 hours), at most 100 years.
///
/// # Errors
/// What is wrong, and the remedy.
pub fn parse_span(text: &str) -> Result<Duration, (String, String)> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let milliseconds: u64 = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" if number == "0" => 1,
        "" if !number.is_empty() => {
            return Err((
                format!("\"{text}\" has no unit"),
                format!("write \"{number}s\", \"{number}m\" or \"{number}d\""),
            ));
        }
        _ => {
            return Err((
                format!("\"{text}\" is no span of time"),
                "write a number and ms, s, m, h or d: \"30d\"".to_owned(),
            ));
        }
    };
    let span =
        number.parse::<u64>().ok().and_then(|number| number.checked_mul(milliseconds)).map(Duration::from_millis);
    span.filter(|span| *span <= MAX_SPAN)
        .ok_or_else(|| (format!("\"{text}\" is too long"), "at most 36500d".to_owned()))
}

const MAX_SPAN: Duration = Duration::from_hours(36_500 * 24);

/// The nearest of the known names, if it is near enough to be a slip.
pub fn suggest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let bound = (name.chars().count() / 3).max(1);
    known
        .map(|other| (distance(name, other), other))
        .min()
        .filter(|(distance, _)| *distance <= bound)
        .map(|(_, other)| other)
}

/// Levenshtein distance.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(l != *r);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}
