//! What customers say: surveys, public posts, referrals.

use crate::model::event::Kind;
use crate::model::time::EventTime;

use super::customer::{self, Persona};
use super::later::What;
use super::story::after;
use super::texts::{COMPLAINTS, PRAISES};
use super::write::Line;
use super::{DAY_MS, Generated, HOUR_MS, Load};

impl Load {
    /// Answers a survey: badly in a bad time.
    pub(super) fn answer(&mut self, index: u32, who: &Persona, at: EventTime, out: &mut Generated) {
        let bad = self.random.chance(if who.is_unhappy(self.days(at)) { 0.8 } else { 0.03 });
        let interaction = self.number();
        self.survey(index, interaction, 0, bad, at, out);
        if self.random.chance(REVISED) {
            let wait = self.random.within(60_000, 6 * HOUR_MS);
            self.plan(after(at, wait), index, What::Revise { interaction });
        }
    }

    /// Thinks again about an answer.
    pub(super) fn revise(&mut self, index: u32, interaction: u64, out: &mut Generated) {
        let bad = self.random.chance(0.1);
        self.survey(index, interaction, 1, bad, out.at, out);
    }

    fn survey(&mut self, index: u32, interaction: u64, revision: u64, bad: bool, at: EventTime, out: &mut Generated) {
        // The scale belongs to the interaction, so that a revision is asked on the same.
        let nps = interaction.is_multiple_of(7);
        let score = match (nps, bad) {
            (false, true) => 1 + self.random.below(2),
            (false, false) => 5 - self.random.below(8) / 4,
            (true, true) => self.random.below(4),
            (true, false) => 7 + self.random.below(4),
        };
        let comment = self.random.chance(0.2).then(|| self.random.pick(if bad { &COMPLAINTS } else { &PRAISES }));
        let mut line = self.line(index, at, out, Kind::Csat);
        line.id("interaction_id", "i-", interaction);
        line.number("score", score);
        if nps {
            line.number("scale_min", 0);
        }
        line.number("scale_max", if nps { 10 } else { 5 });
        line.text("instrument", if nps { "nps" } else { "csat" });
        if revision > 0 {
            line.number("revision", revision);
        }
        if let Some(comment) = comment {
            line.text("comment", comment);
        }
        line.close();
    }

    /// Writes a post; now and then the author is known by handle alone.
    pub(super) fn post(&mut self, index: u32, who: &Persona, at: EventTime, out: &mut Generated) {
        let bad = self.random.chance(if who.is_unhappy(self.days(at)) { 0.7 } else { 0.06 });
        let text = self.random.pick(if bad { &COMPLAINTS } else { &PRAISES });
        let post = self.number();
        if self.random.chance(STRANGERS) {
            out.key = None;
            return self.stranger(post, text, at, out);
        }
        self.mention(index, post, "create", Some(text), at, out);
        let fate = self.random.unit();
        let wait = self.random.within(60_000, 8 * HOUR_MS);
        if fate < EDITED {
            let text = self.random.pick(&COMPLAINTS);
            self.plan(after(at, wait), index, What::Edit { post, text });
        } else if fate < EDITED + DELETED {
            self.plan(after(at, wait), index, What::Delete { post });
        } else if fate < EDITED + DELETED + REPOSTED {
            self.plan(after(at, wait), index, What::Repost { post, text });
        }
    }

    /// One activity on a customer's post.
    pub(super) fn mention(
        &mut self,
        index: u32,
        post: u64,
        activity: &str,
        text: Option<&str>,
        at: EventTime,
        out: &mut Generated,
    ) {
        let who = self.persona(index, at);
        let (public, sentiment) = (self.random.chance(0.9), self.sentiment(text));
        let mut line = self.line(index, at, out, Kind::Mention);
        line.text("platform", who.platform);
        line.text("handle", &compact_str::format_compact!("@{}", customer::id(index)));
        line.flag("public", public);
        line.id("post_id", "p-", post);
        line.text("activity", activity);
        line.number("followers", u64::from(who.followers));
        words(line, text, sentiment);
    }

    fn stranger(&mut self, post: u64, text: &str, at: EventTime, out: &mut Generated) {
        let sentiment = self.sentiment(Some(text));
        let (handle, event) = (self.random.below(10_000), self.number());
        let mut line = Line::open(&mut out.json, &mut self.stamp, event, None, at);
        line.text("platform", "x");
        line.id("handle", "@guest-", handle);
        line.flag("public", true);
        line.id("post_id", "p-", post);
        words(line, Some(text), sentiment);
    }

    /// A score for a share of the texts, as a listening tool would give; the others are scored by their reader.
    fn sentiment(&mut self, text: Option<&str>) -> Option<i64> {
        let text = text.filter(|_| self.random.chance(0.4))?;
        let bad = COMPLAINTS.contains(&text);
        Some(if bad { self.random.within(-95, -45) } else { self.random.within(5, 95) })
    }

    /// Invites somebody.
    pub(super) fn refer(&mut self, index: u32, at: EventTime, out: &mut Generated) {
        let others = u64::from(self.shape.customers.saturating_sub(1));
        let step = 1 + self.random.below(others);
        let referred = (u64::from(index) + step) % (others + 1);
        let referred = u32::try_from(referred).expect("a remainder of a 32-bit number");
        let referral = self.number();
        self.referral(index, referral, referred, "signed_up", at, out);
        if self.random.chance(CONVERTED) {
            let wait = self.random.within(HOUR_MS, 20 * DAY_MS);
            self.plan(after(at, wait), index, What::Convert { referral, referred });
        }
    }

    /// The invited one buys.
    pub(super) fn convert(&mut self, index: u32, referral: u64, referred: u32, out: &mut Generated) {
        let at = out.at;
        self.referral(index, referral, referred, "converted", at, out);
        if self.random.chance(REVERSED) {
            let wait = self.random.within(DAY_MS, 15 * DAY_MS);
            self.plan(after(at, wait), index, What::Reverse { referral, referred });
        }
    }

    /// One step of a referral.
    pub(super) fn referral(
        &mut self,
        index: u32,
        referral: u64,
        referred: u32,
        status: &str,
        at: EventTime,
        out: &mut Generated,
    ) {
        let value = self.persona(referred, at).order_cents(&mut self.random);
        let mut line = self.line(index, at, out, Kind::Referral);
        line.text("referred_customer_id", &customer::id(referred));
        line.text("status", status);
        line.id("referral_id", "f-", referral);
        if status == "converted" {
            line.cents("value", value);
            line.text("currency", "EUR");
        }
        line.close();
    }
}

/// Ends a post with what it says.
fn words(mut line: Line<'_>, text: Option<&str>, sentiment: Option<i64>) {
    if let Some(text) = text {
        line.text("text", text);
        line.text("lang", "en");
    }
    if let Some(sentiment) = sentiment {
        line.hundredths("sentiment", sentiment);
    }
    line.close();
}

/// Records of one survey, post, referral on average.
pub(super) const SURVEY_RECORDS: f64 = 1.0 + REVISED;
pub(super) const POST_RECORDS: f64 = 1.0 + (1.0 - STRANGERS) * (EDITED + DELETED + REPOSTED);
pub(super) const REFERRAL_RECORDS: f64 = 1.0 + CONVERTED * (1.0 + REVERSED);
/// Share of surveys that are answered twice.
const REVISED: f64 = 0.03;
/// Share of posts by authors known by handle alone.
const STRANGERS: f64 = 0.06;
/// Shares of posts with each fate.
const EDITED: f64 = 0.02;
const DELETED: f64 = 0.01;
const REPOSTED: f64 = 0.03;
/// Share of referrals that lead to a purchase, and of these, that are reversed.
const CONVERTED: f64 = 0.45;
const REVERSED: f64 = 0.03;
