//! What the made-up customers do: how each kind of story begins and goes on.

use crate::model::event::Kind;
use crate::model::id::CustomerId;
use crate::model::time::EventTime;

use super::customer::{self, Persona};
use super::later::{Later, What};
use super::texts::CHANNELS;
use super::write::Line;
use super::{Generated, Load, purchases, visits, voices};

impl Load {
    /// Begins a story that follows from nothing before: someone who is around does something.
    pub(super) fn begin(&mut self, out: &mut Generated) {
        let share = self.random.unit();
        let (index, who) = self.someone(out.at);
        let kind = self.shape.mix.kind_at(share, records);
        out.key = Some(CustomerId(customer::id(index)));
        out.kind = kind;
        if self.meet(index) && self.shape.profiles > 0.0 && self.random.chance(self.shape.profiles) {
            self.profile(index, &who, out);
            return;
        }
        let at = self.happened(out.at);
        match kind {
            Kind::Purchase => self.buy(index, &who, at, out),
            Kind::Csat => self.answer(index, &who, at, out),
            Kind::Mention => self.post(index, &who, at, out),
            Kind::Referral => self.refer(index, at, out),
            Kind::Presence => self.come_online(index, at, out),
            Kind::Case => self.open_case(index, at, out),
            _ => self.engage(index, at, out),
        }
        self.spoil(index, out);
    }

    /// Goes on with a story.
    pub(super) fn follow(&mut self, later: Later, out: &mut Generated) {
        let (index, at) = (later.customer, later.at);
        out.key = Some(CustomerId(customer::id(index)));
        match later.what {
            What::Again(copy) => {
                *out = Generated { at, ..*copy };
                return;
            }
            What::Refund { order, cents, ordered } => self.refund(index, order, cents, ordered, out),
            What::Cancel { order, cents } => self.take_back(index, order, cents, "cancelled", out),
            What::Dispute { order, cents } => self.take_back(index, order, cents, "disputed", out),
            What::Renew => self.subscribe(index, &self.persona(index, at), at, out),
            What::Heartbeat { session, left } => self.stay_online(index, session, left, out),
            What::Offline { session } => self.presence(index, session, "offline", at, out),
            What::Convert { referral, referred } => self.convert(index, referral, referred, out),
            What::Reverse { referral, referred } => self.referral(index, referral, referred, "reversed", at, out),
            What::Edit { post, text } => self.mention(index, post, "update", Some(text), at, out),
            What::Delete { post } => self.mention(index, post, "delete", None, at, out),
            What::Repost { post, text } => self.mention(index, post, "repost", Some(text), at, out),
            What::Revise { interaction } => self.revise(index, interaction, out),
            What::Case { case, version, opened } => self.case(index, case, version, opened, at, out),
        }
        self.spoil(index, out);
    }

    /// Opens the record of an event of customer `index` that happened at `at`.
    pub(super) fn line<'a>(&'a mut self, index: u32, at: EventTime, out: &'a mut Generated, kind: Kind) -> Line<'a> {
        out.kind = kind;
        let event = self.number();
        Line::open(&mut out.json, &mut self.stamp, event, Some(index), at)
    }

    fn profile(&mut self, index: u32, who: &Persona, out: &mut Generated) {
        let premium = self.random.chance(0.03);
        let mut line = self.line(index, out.at, out, Kind::Customer);
        line.number("version", 1);
        line.text("name", &customer::name(index));
        let handle = format!("[{{\"platform\":\"{}\",\"handle\":\"@{}\"}}]", who.platform, customer::id(index));
        line.raw("handles", &handle);
        line.text("region", customer::region(index));
        line.text("support_level", if premium { "premium" } else { "standard" });
        line.text("preferred_channel", CHANNELS[index as usize % CHANNELS.len()]);
        if who.followers > INFLUENCER_FOLLOWERS {
            line.text("role", "influencer");
        }
        line.close();
    }
}

/// How many records a story of each kind has on average, so that shares are of records.
const fn records(kind: Kind) -> f64 {
    match kind {
        Kind::Purchase => purchases::RECORDS,
        Kind::Csat => voices::SURVEY_RECORDS,
        Kind::Mention => voices::POST_RECORDS,
        Kind::Referral => voices::REFERRAL_RECORDS,
        Kind::Presence => visits::VISIT_RECORDS,
        Kind::Case => visits::CASE_RECORDS,
        _ => 1.0,
    }
}

/// An instant moved by milliseconds, back where negative.
pub(super) const fn after(at: EventTime, ms: i64) -> EventTime {
    EventTime(at.0 + ms)
}

/// From how many followers on a customer is an influencer.
const INFLUENCER_FOLLOWERS: u32 = 1_000;
