//! What the compiler does not check: the border between the halves, the size of files, and that the papers name
//! what the program has. Reads the source as text; each finding names file and line.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use vipstream::model::event::Kind;
use vipstream::model::record::Code;

/// A text file of the project: its path from the root, with `/`, and what it holds.
struct Text {
    path: String,
    text: String,
}

impl Text {
    fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|extension| extension == "rs")
    }

    fn is_generated(&self) -> bool {
        self.text.lines().next().is_some_and(|line| line.contains("@generated"))
    }

    /// The lines without comments, numbered from 1.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(at, line)| (at + 1, line));
        lines.map(|(at, line)| (at, line.split_once("//").map_or(line, |(code, _)| code)))
    }

    /// Where one of the words stands in the code, with what to say about it.
    fn find<'a>(&'a self, words: &'a [&'a str]) -> impl Iterator<Item = String> + 'a {
        self.code().flat_map(move |(at, line)| {
            let found = words.iter().filter(move |word| holds(line, word));
            found.map(move |word| format!("{}:{at}: `{word}`", self.path))
        })
    }
}

/// Whether a line holds the word, not as a part of a longer name.
fn holds(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let starts = !word.starts_with(is_name) || !before.is_some_and(is_name);
        starts && (!word.ends_with(is_name) || !after.is_some_and(is_name))
    })
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file below a folder of the project.
fn texts(folder: &str) -> Vec<Text> {
    let mut folders = vec![root().join(folder)];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                texts.push(Text { path: from_root(&path), text });
            }
        }
    }
    texts.sort_by(|left, right| left.path.cmp(&right.path));
    assert!(!texts.is_empty(), "{folder} holds no files");
    texts
}

fn from_root(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap()
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn source() -> impl Iterator<Item = Text> {
    texts("src").into_iter().filter(Text::is_rust)
}

fn all_rust() -> impl Iterator<Item = Text> {
    ["src", "tests", "benches"].into_iter().flat_map(texts).filter(Text::is_rust)
}

fn pure() -> impl Iterator<Item = Text> {
    source().filter(|file| {
        let module = file.path.trim_start_matches("src/");
        PURE.iter().any(|name| module == format!("{name}.rs") || module.starts_with(&format!("{name}/")))
    })
}

#[track_caller]
fn none(found: impl IntoIterator<Item = String>, why: &str) {
    let found: Vec<String> = found.into_iter().collect();
    assert!(found.is_empty(), "{why}:\n  {}", found.join("\n  "));
}

/// The half that decides.
const PURE: [&str; 10] = ["model", "codec", "rules", "engine", "pivot", "merge", "yaml", "replay", "load", "proto"];

#[test]
fn the_pure_half_touches_nothing_outside() {
    assert!(pure().count() > 40, "the pure half has moved: correct PURE");
    let outside = [
        "rdkafka",
        "rdkafka_sys",
        "tokio",
        "axum",
        "tracing",
        "metrics",
        "rand",
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "SystemTime",
        "time::Instant",
        "Instant::now",
        "println!",
        "eprintln!",
    ];
    none(pure().flat_map(|file| file.find(&outside).collect::<Vec<_>>()), "the pure half reads only its arguments");
}

#[test]
fn the_pure_half_never_calls_the_shell() {
    let shell = ["app", "broker", "cli", "clock", "config", "http", "metrics", "task", "telemetry"];
    let paths: Vec<String> = shell.iter().map(|module| format!("crate::{module}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    none(
        pure().flat_map(|file| file.find(&paths).collect::<Vec<_>>()),
        "the shell calls the pure half, never the reverse",
    );
}

#[test]
fn only_the_clock_reads_clocks() {
    let others = source().filter(|file| file.path != "src/clock.rs");
    let found = others.flat_map(|file| {
        file.find(&["SystemTime", "Instant::now", "Timestamp::now", "Zoned::now"]).collect::<Vec<_>>()
    });
    none(found, "clocks are read in src/clock.rs alone");
}

#[test]
fn only_metrics_names_metrics() {
    let others = source().filter(|file| file.path != "src/metrics.rs");
    let found = others.flat_map(|file| {
        file.find(&["counter!", "gauge!", "histogram!", "\"vipstream_task", "\"vipstream_input", "\"vipstream_group"])
            .collect::<Vec<_>>()
    });
    none(found, "metrics are named in src/metrics.rs alone");
}

#[test]
fn unsafe_lies_in_few_files() {
    let word = ["un", "safe"].concat();
    let others = all_rust().filter(|file| !UNSAFE.contains(&file.path.as_str()));
    none(others.flat_map(|file| file.find(&[&word]).collect::<Vec<_>>()), "nothing here needs it");
}

/// Where the client library is called itself, for what the crate around it lacks. A lint asks each block for its reason.
const UNSAFE: [&str; 2] = ["src/broker/admin.rs", "src/broker/queue.rs"];

#[test]
fn files_are_short() {
    let bound = |path: &str| match path {
        "src/main.rs" => 60,
        "src/lib.rs" => 80,
        _ => 700,
    };
    let long = all_rust().filter(|file| !file.is_generated()).filter_map(|file| {
        let (lines, most) = (file.text.lines().count(), bound(&file.path));
        (lines > most).then(|| format!("{}:{lines}: at most {most} lines", file.path))
    });
    none(long, "a file holds one idea");
}

#[test]
fn modules_lie_beside_their_folders() {
    let old = all_rust().filter(|file| file.path.ends_with("/mod.rs")).map(|file| file.path);
    none(old, "name.rs beside name/, never mod.rs");
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let silent = source().filter(|file| !file.path.ends_with("/tests.rs") && !file.is_generated());
    let silent = silent.filter(|file| !file.text.starts_with("//!")).map(|file| file.path);
    none(silent, "a file begins with `//!` and what it is for");
}

#[test]
fn nothing_is_left_to_do_and_no_test_is_ignored() {
    let words =
        [["to", "do!"].concat(), ["unimple", "mented!"].concat(), ["#[ig", "nore"].concat(), ["db", "g!"].concat()];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    none(all_rust().flat_map(|file| file.find(&words).collect::<Vec<_>>()), "unfinished");
}

#[test]
fn no_file_names_a_place_on_somebodys_machine() {
    let places: Vec<String> = ["tmp", "root", "work", "home", "Users"].iter().map(|name| format!("/{name}/")).collect();
    let folders = ["src", "tests", "benches", "deploy", "proto", ".ci"].into_iter().flat_map(texts);
    let papers = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "Cargo.toml"];
    let papers = papers.map(|path| Text { path: path.to_owned(), text: read(path) });
    let found = folders.chain(papers).flat_map(|file| {
        let lines = file.text.lines().enumerate();
        let lines = lines.filter(|(_, line)| places.iter().any(|place| line.contains(place)));
        lines.map(|(at, line)| format!("{}:{}: {}", file.path, at + 1, line.trim())).collect::<Vec<_>>()
    });
    none(found, "paths are relative, or the user's to choose");
}

/// The metrics' constants: name in the code and on the wire, with the line.
fn declared_metrics(text: &str) -> Vec<(usize, &str, &str)> {
    let lines = text.lines().enumerate();
    let constants = lines.filter_map(|(at, line)| {
        let (name, value) = line.strip_prefix("const ")?.split_once(": &str = \"")?;
        value.starts_with("vipstream_").then(|| (at + 1, name, value.trim_end_matches("\";")))
    });
    constants.collect()
}

#[test]
fn every_metric_is_described_and_explained_in_the_readme() {
    let (text, readme) = (read("src/metrics.rs"), read("README.md"));
    let declared = declared_metrics(&text);
    assert!(declared.len() > 10, "the metrics are declared otherwise: correct `declared_metrics`");
    let bodies = text.split("fn describe").skip(1).filter_map(|rest| rest.split_once("\n}"));
    let described: Vec<&str> = bodies.map(|(body, _)| body).collect();
    let found = declared.iter().flat_map(|(at, name, wire)| {
        let undescribed = (!described.iter().any(|body| holds(body, name)))
            .then(|| format!("src/metrics.rs:{at}: `{name}` is not described"));
        let unexplained = (!readme.contains(&format!("`{wire}`"))).then(|| format!("README.md: `{wire}` is missing"));
        [undescribed, unexplained].into_iter().flatten().collect::<Vec<_>>()
    });
    none(found, "metrics");
}

#[test]
fn metrics_are_named_alike() {
    let text = read("src/metrics.rs");
    let endings = [
        "_total",
        "_seconds",
        "_records",
        "_customers",
        "_accounts",
        "_handles",
        "_members",
        "_overrides",
        "_kinds",
        "_candidates",
        "_effects",
        "_amounts",
        "_partitions",
        "_restored",
        "_assigned",
        "_under_way",
    ];
    let odd = declared_metrics(&text).into_iter().filter(|(_, _, wire)| !endings.iter().any(|end| wire.ends_with(end)));
    none(
        odd.map(|(at, _, wire)| format!("src/metrics.rs:{at}: {wire}")),
        "vipstream_<part>_<what>_<unit>, counters _total",
    );
}

#[test]
fn every_example_is_checked_by_a_test() {
    let tests: Vec<Text> =
        texts("tests").into_iter().filter(|file| file.is_rust() && file.path != "tests/tidy.rs").collect();
    let unchecked = texts("deploy/examples").into_iter().filter(|example| {
        let name = example.path.rsplit('/').next().unwrap_or_default();
        !tests.iter().any(|test| test.code().any(|(_, line)| holds(line, name)))
    });
    none(unchecked.map(|example| example.path), "no test reads");
}

#[test]
fn the_readme_shows_the_examples_as_they_are() {
    let readme = read("README.md");
    let stale = ["deploy/examples/shop.yaml", "deploy/examples/vipstream.yaml"].into_iter();
    let stale = stale.filter(|path| !readme.contains(&format!("```yaml\n{}\n```", read(path).trim_end())));
    none(stale.map(str::to_owned), "README.md shows another text than");
}

#[test]
fn the_readme_names_every_command_and_the_changelog_no_option_that_is_not_there() {
    let readme = read("README.md");
    let commands = commands();
    assert!(commands.contains("run") && commands.len() >= 5, "{commands:?}");
    let missing = commands.iter().filter(|command| !readme.contains(&format!("`vipstream {command}`")));
    none(missing.map(|command| format!("`vipstream {command}`")), "README.md does not name");

    let helps: String = commands.iter().map(|command| vipstream(&[command, "--help"])).collect();
    let changelog = read("CHANGELOG.md");
    let options = changelog.split('`').skip(1).step_by(2).filter_map(|code| code.split(' ').next());
    let unknown = options.filter(|option| option.starts_with("--") && !helps.contains(option));
    none(unknown.map(str::to_owned), "CHANGELOG.md names options that no command has");
}

fn commands() -> BTreeSet<String> {
    let help = vipstream(&["--help"]);
    let list = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let names = list.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

fn vipstream(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_vipstream")).args(args).output().expect("the binary runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("help is text")
}

#[test]
fn the_readme_names_every_configuration_key() {
    let (config, readme) = (read("src/config.rs"), read("README.md"));
    let keys = config.split_once("const KEYS").and_then(|(_, rest)| rest.split_once("= [")).expect("the keys").1;
    let keys: Vec<&str> = keys.split_once(']').expect("they end").0.split('"').skip(1).step_by(2).collect();
    assert!(keys.contains(&"merge_hold"), "{keys:?}");
    let missing = keys.iter().filter(|key| !readme.contains(&format!("\n| `{key}` |")));
    none(missing.map(ToString::to_string), "README.md has no row for the key");
}

#[test]
fn the_readme_explains_every_dead_letter_and_every_kind() {
    let readme = read("README.md");
    let names = Code::ALL.map(Code::name).into_iter().chain(Kind::ALL.map(Kind::name));
    none(
        names.filter(|name| !readme.contains(&format!("\n| `{name}` |"))).map(str::to_owned),
        "README.md has no row for",
    );
}

#[test]
fn the_papers_link_only_to_what_is_there() {
    let papers = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"];
    let dead = papers.into_iter().flat_map(|paper| {
        let text = read(paper);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_owned);
        let dead = links.filter(|link| !link.contains("://") && !root().join(link).exists());
        dead.map(|link| format!("{paper}: {link}")).collect::<Vec<_>>()
    });
    none(dead, "links to nothing");
}

#[test]
fn the_map_names_only_files_that_are_there() {
    let map = read("ARCHITECTURE.md");
    let named = map.split('`').skip(1).step_by(2).filter(|name| name.starts_with("src/") || name.starts_with("tests/"));
    let gone = named.filter(|name| !name.contains('*') && !root().join(name).exists());
    none(gone.map(str::to_owned), "ARCHITECTURE.md names what is gone");
}

#[test]
fn the_root_holds_only_what_belongs_there() {
    let entries = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    let strange = entries.map(|path: PathBuf| from_root(&path)).filter(|name| !ROOT.contains(&name.as_str()));
    none(strange, "not known in the root");
}

/// What may lie in the project's root: tools' settings are dotfiles, so that it stays short.
const ROOT: [&str; 18] = [
    ".ci",
    ".clippy.toml",
    ".deny.toml",
    ".git",
    ".gitignore",
    ".rustfmt.toml",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "benches",
    "deploy",
    "proto",
    "src",
    "target",
    "tests",
];
