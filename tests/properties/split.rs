//! Restored after every epoch, an engine says what one that never stopped says, and its state is the same; and a state
//! that is encoded while the engine goes on is the state as it was frozen.

use vipstream::engine::Engine;
use vipstream::engine::image::{Encoded, ImageError};
use vipstream::engine::overrides::Members;
use vipstream::model::id::CustomerId;
use vipstream::model::output::Output;
use vipstream::model::record::Epoch;

use super::seeds::{self, Totals, caught};
use crate::support::generate::dice::Dice;
use crate::support::generate::live::{in_mode, live};
use crate::support::judge::Prepared;
use crate::support::model::fold::Mode;

/// How many seeds a run tries.
const SEEDS: u64 = 500;

#[test]
fn restoring_after_every_epoch_changes_nothing() {
    let totals = seeds::all(
        SEEDS,
        |seed| caught(|| compare(seed)),
        |seed, report| {
            format!("seed {seed}: {report}\nrepeat: VIPSTREAM_SEED={seed} cargo test --test model restoring")
        },
    );
    println!("{totals:#?}");
    for what in ["restores", "outputs", "samples", "changed meanwhile", "encoded over epochs"] {
        let least = if seeds::is_whole_run() { 1_000 } else { 0 };
        assert!(totals.get(what).copied().unwrap_or_default() >= least, "hardly any {what}: {totals:?}");
    }
}

/// What can be seen of an epoch.
#[derive(Debug, PartialEq)]
struct Seen {
    outputs: Vec<Output>,
    digest: u128,
    sample: u64,
    customers: u64,
    members: Members,
    /// Customers some of whose pivots wait.
    holding: u64,
    is_behind: bool,
}

fn apply(engine: &mut Engine, epoch: &Epoch) -> Seen {
    let mut outputs = Vec::new();
    engine.apply(epoch.clone(), &mut outputs);
    let (digest, sample) = (engine.digest(), engine.sample_digest());
    Seen {
        outputs,
        digest,
        sample,
        customers: engine.stats().customers,
        members: engine.stats().members,
        holding: engine.stats().holding,
        is_behind: engine.is_behind(),
    }
}

/// A state on its way to bytes.
#[derive(Clone, Debug, Default, PartialEq)]
struct Image {
    head: Vec<u8>,
    blocks: Vec<Vec<u8>>,
    encoded: Encoded,
    frozen: Encoded,
}

impl Image {
    fn freeze(engine: &mut Engine) -> Self {
        let stats = engine.stats();
        let customers = stats.customers + stats.accounts + stats.handles + stats.exception_kinds;
        let frozen = Encoded { customers, digest: engine.digest() };
        Self { head: engine.freeze(), frozen, ..Self::default() }
    }

    /// Goes on by a few customers; says whether there may be more.
    fn go_on(&mut self, engine: &mut Engine, customers: usize) -> bool {
        let mut block = Vec::new();
        let encoded = engine.encode(customers, &mut block);
        self.blocks.extend(encoded.map(|_| block));
        self.encoded = encoded.unwrap_or(self.encoded);
        encoded.is_some()
    }

    fn finish(mut self, engine: &mut Engine, customers: usize) -> Self {
        while self.go_on(engine, customers) {}
        assert_eq!(self.encoded, self.frozen, "what was encoded is not what was frozen");
        assert!(!self.go_on(engine, customers), "it is no longer frozen");
        self
    }

    fn bytes(&self) -> (&[u8], Vec<u8>) {
        (&self.head, self.blocks.concat())
    }

    /// Where somebody was erased, another one comes into their place; a restored engine has no such places.
    fn in_any_order(&self) -> (&[u8], Encoded, usize) {
        (&self.head, self.encoded, self.blocks.iter().map(Vec::len).sum())
    }

    fn restore(&self, of: &Prepared) -> Result<Engine, ImageError> {
        let mut engine = of.restore(&self.head)?;
        for block in &self.blocks {
            engine.admit(block)?;
        }
        Ok(engine)
    }
}

/// Gives half of the customers an id that is sampled.
fn have_sampled(epoch: &mut Epoch) {
    let is_sampled = |id: &str| (xxhash_rust::xxh3::xxh3_64(id.as_bytes()) >> 32).is_multiple_of(16);
    for event in epoch.records.iter_mut().filter_map(|record| record.body.as_mut().ok()) {
        if let Some(id) = event.customer.as_mut().filter(|id| id.as_str().ends_with(['1', '3', '5'])) {
            let name = id.as_str().to_owned();
            let mut names = (0..).map(|number| format!("{name}-{number}"));
            *id = CustomerId::from(names.find(|name| is_sampled(name)).expect("one in sixteen is").as_str());
        }
    }
}

fn compare(seed: u64) -> Result<Totals, String> {
    let live = if seed.is_multiple_of(2) { live(seed) } else { in_mode(seed, Mode::Event) };
    let mut of = Prepared::new(&live);
    of.epochs.iter_mut().for_each(have_sampled);
    let mut dice = Dice::new(seed);
    let (mut totals, mut images) = (Totals::new(), Vec::<Image>::new());
    let mut add = |what: &str, count: u64| *totals.entry(what.to_owned()).or_default() += count;
    // One never stops, and is frozen now and then, for several epochs. The other is restored after each epoch, and
    // frozen again at once, so that what it does next happens meanwhile.
    let (mut whole, mut slow) = (of.engine(), None::<(usize, Image)>);
    let mut split = of.engine();
    let mut meanwhile = Image::freeze(&mut split);
    for (at, epoch) in of.epochs.iter().enumerate() {
        let (expected, found) = (apply(&mut whole, epoch), apply(&mut split, epoch));
        if expected != found {
            return Err(format!("epoch {at}: {expected:#?}\nafter a restore: {found:#?}"));
        }
        let meanwhile_done = meanwhile.finish(&mut split, 1 + dice.below(3));
        if let Some(at_once) = images.last() {
            assert_eq!(meanwhile_done.bytes(), at_once.bytes(), "before epoch {at}");
        }
        let image = Image::freeze(&mut split).finish(&mut split, 1 + dice.below(9));
        add("changed meanwhile", u64::from(images.last().is_some_and(|before| before.bytes() != image.bytes())));
        add("outputs", found.outputs.len() as u64);
        add("samples", u64::from(found.sample != 0));
        add("restores", 1);
        split = image.restore(&of).map_err(|error| format!("after epoch {at}: {error}"))?;
        assert_eq!((split.digest(), split.stats().customers), (found.digest, found.customers), "after epoch {at}");
        assert_eq!(split.stats().members, found.members, "after epoch {at}");
        assert_eq!(split.stats().holding, found.holding, "after epoch {at}");
        images.push(image);

        meanwhile = Image::freeze(&mut split);
        meanwhile.go_on(&mut split, dice.below(4));
        let (since, mut image) = slow.take().unwrap_or_else(|| (at, Image::freeze(&mut whole)));
        if dice.chance(70) || image.go_on(&mut whole, 1) {
            slow = Some((since, image));
        } else {
            let image = image.finish(&mut whole, 1);
            assert_eq!(image.in_any_order(), images[since].in_any_order(), "frozen after epoch {since}");
            add("encoded over epochs", u64::from(at > since));
        }
    }
    Ok(totals)
}
