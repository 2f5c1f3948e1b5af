//! The event contract: which lines are events, and why the others are refused.

use std::sync::LazyLock;

use compact_str::CompactString;
use jiff::civil::Date;
use rust_decimal::Decimal;
use vader_parity::SentimentIntensityAnalyzer;

use vipstream::model::event::{
    Account, Acknowledged, Acknowledgement, Action, Activity, Agent, AgentState, Attribute, Body, Case, CaseState,
    Csat, Engagement, Erasure, Event, Exception, FxRate, Kind, MakeVip, Mention, Override, OverrideAction, PeriodEnd,
    Presence, PresenceState, Profile, Purchase, PurchaseStatus, Referral, ReferralStatus, Subscription,
};
use vipstream::model::id::{CustomerId, MAX_ID_BYTES};
use vipstream::model::money::Currency;
use vipstream::model::record::Code;
use vipstream::model::time::EventTime;

use super::json::{self, Fault, Json};

const MAX_VALUE_BYTES: usize = 1 << 20;
/// Amounts of 10^12 and more are absurd.
const MAX_AMOUNT: i64 = 1_000_000_000_000;

static SENTIMENT: LazyLock<SentimentIntensityAnalyzer> = LazyLock::new(SentimentIntensityAnalyzer::new);

/// Decodes one line of an input.
pub(super) fn decode(kind: Kind, line: &[u8]) -> Result<Event, Code> {
    if line.len() > MAX_VALUE_BYTES {
        return Err(Code::TooLarge);
    }
    let text = std::str::from_utf8(line).map_err(|_| Code::InvalidUtf8)?;
    let value = json::read(text).map_err(|fault| match fault {
        Fault::Invalid => Code::InvalidJson,
        Fault::TooDeep => Code::TooDeep,
    })?;
    let fields = match value {
        Json::Object(fields) => Fields(fields),
        Json::Null => return Err(Code::NullValue),
        _ => return Err(Code::NotAnObject),
    };
    let event_id = fields.id("event_id")?;
    let customer = match kind {
        Kind::FxRate | Kind::Account | Kind::Agent => None,
        Kind::Mention => fields.optional_id("customer_id")?,
        Kind::Override if fields.optional_id("customer_id")?.is_none() => {
            fields.id("account_id")?;
            None
        }
        _ => Some(fields.id("customer_id")?),
    };
    let at = fields.time("occurred_at")?.ok_or(Code::MissingField)?;
    let body = match kind {
        Kind::FxRate => Body::FxRate(fx_rate(&fields)?),
        Kind::Account => Body::Account(Box::new(account(&fields)?)),
        Kind::Agent => Body::Agent(Box::new(agent(&fields)?)),
        Kind::Customer => Body::Customer(Box::new(profile(&fields)?)),
        Kind::Erasure => {
            Body::Erasure(Erasure { request_id: fields.id("request_id")?, deadline: fields.time("deadline")? })
        }
        Kind::Purchase => Body::Purchase(purchase(&fields)?),
        Kind::Csat => Body::Csat(csat(&fields)?),
        Kind::Mention => Body::Mention(Box::new(mention(&fields, &event_id)?)),
        Kind::Referral => Body::Referral(referral(&fields)?),
        Kind::Presence => Body::Presence(presence(&fields)?),
        Kind::Case => Body::Case(Box::new(case(&fields)?)),
        Kind::Engagement => Body::Engagement(engagement(&fields)?),
        Kind::Override => Body::Override(Box::new(by_hand(&fields, at, customer.is_some())?)),
        Kind::Acknowledgement => Body::Acknowledgement(Box::new(acknowledgement(&fields, at)?)),
        Kind::ReferredPurchase => unreachable!("no input carries it"),
    };
    Ok(Event { event_id, customer: customer.map(CustomerId), at, body, unknown_values: 0 })
}

fn purchase(fields: &Fields) -> Result<Purchase, Code> {
    let subscription = match fields.object("subscription")? {
        Some(inner) => Some(Box::new(Subscription {
            plan: inner.optional_text("plan")?,
            period_end: inner.period_end("period_end")?,
        })),
        None => None,
    };
    Ok(Purchase {
        order_id: fields.id("order_id")?,
        amount: fields.amount("amount")?.ok_or(Code::MissingField)?,
        currency: fields.currency("currency")?.ok_or(Code::MissingField)?,
        status: fields.choice("status", &PURCHASE_STATUS)?,
        refund_id: fields.optional_id("refund_id")?.unwrap_or_default(),
        refunds_order_at: fields.time("refunds_order_at")?,
        category: fields.optional_text("category")?,
        channel: fields.optional_text("channel")?,
        items: fields.int("items")?,
        account_id: fields.optional_id("account_id")?,
        subscription,
        test: fields.bool("test")?.unwrap_or(false),
    })
}

fn csat(fields: &Fields) -> Result<Csat, Code> {
    let score = fields.decimal("score")?.ok_or(Code::MissingField)?;
    let scale_max = fields.decimal("scale_max")?.ok_or(Code::MissingField)?;
    let scale_min = fields.decimal("scale_min")?.unwrap_or(Decimal::ONE);
    if scale_max <= scale_min || score < scale_min || score > scale_max {
        return Err(Code::OutOfRange);
    }
    let share = (score - scale_min) / (scale_max - scale_min);
    let higher_is_better = fields.bool("higher_is_better")?.unwrap_or(true);
    Ok(Csat {
        interaction_id: fields.id("interaction_id")?,
        satisfaction: if higher_is_better { share } else { Decimal::ONE - share },
        score,
        scale_min,
        scale_max,
        instrument: fields.known_word("instrument", &["csat", "nps", "ces", "thumbs"])?,
        revision: fields.int("revision")?.unwrap_or(0),
        case_id: fields.optional_id("case_id")?,
        agent_id: fields.optional_id("agent_id")?,
        channel: fields.optional_text("channel")?,
        comment: fields.optional_text("comment")?.map(Into::into),
    })
}

fn mention(fields: &Fields, event_id: &CompactString) -> Result<Mention, Code> {
    let text: Option<String> = fields.optional_text("text")?.map(Into::into);
    let sentiment = match fields.decimal("sentiment")? {
        Some(said) if said.abs() > Decimal::ONE => return Err(Code::OutOfRange),
        Some(said) => Some(said),
        None => text.as_deref().filter(|text| !text.is_empty()).map(|text| {
            let ten_thousandths = (SENTIMENT.polarity_scores(text).compound * 1e4).round();
            #[expect(clippy::cast_possible_truncation, reason = "a compound lies between -1 and 1")]
            Decimal::new(ten_thousandths as i64, 4)
        }),
    };
    Ok(Mention {
        platform: fields.id("platform")?,
        handle: fields.id("handle")?,
        public: fields.bool("public")?.ok_or(Code::MissingField)?,
        post_id: fields.optional_id("post_id")?.unwrap_or_else(|| event_id.clone()),
        activity: fields.optional_choice("activity", &ACTIVITY)?.unwrap_or(Activity::Create),
        text,
        lang: fields.optional_text("lang")?,
        sentiment,
        followers: fields.int("followers")?,
        reach: fields.int("reach")?,
        bot_score: fields.decimal("bot_score")?,
        url: fields.optional_text("url")?.map(Into::into),
        in_reply_to: fields.optional_id("in_reply_to")?,
    })
}

fn referral(fields: &Fields) -> Result<Referral, Code> {
    Ok(Referral {
        referred_customer_id: fields.id("referred_customer_id")?,
        status: fields.choice("status", &REFERRAL_STATUS)?,
        referral_id: fields.optional_id("referral_id")?,
        value: fields.amount("value")?,
        currency: fields.currency("currency")?,
        order_id: fields.optional_id("order_id")?,
        program: fields.optional_text("program")?,
    })
}

fn presence(fields: &Fields) -> Result<Presence, Code> {
    let ttl_s = match fields.int("ttl_s")? {
        None => 90,
        Some(seconds) => u32::try_from(seconds).ok().filter(|s| (1..=86_400).contains(s)).ok_or(Code::OutOfRange)?,
    };
    Ok(Presence {
        session_id: fields.id("session_id")?,
        state: fields.choice("state", &PRESENCE_STATE)?,
        channel: fields.optional_text("channel")?,
        page: fields.optional_text("page")?.map(Into::into),
        device: fields.optional_text("device")?,
        ttl_s,
    })
}

fn case(fields: &Fields) -> Result<Case, Code> {
    let exception = match fields.object("exception")? {
        Some(inner) => Some(Exception {
            kind: inner.optional_text("kind")?.ok_or(Code::MissingField)?,
            approved_by: inner.optional_text("approved_by")?,
        }),
        None => None,
    };
    Ok(Case {
        case_id: fields.id("case_id")?,
        version: fields.int("version")?.ok_or(Code::MissingField)?,
        state: fields.choice("state", &CASE_STATE)?,
        agent_id: fields.optional_id("agent_id")?,
        team: fields.optional_text("team")?,
        priority: fields.optional_text("priority")?,
        channel: fields.optional_text("channel")?,
        opened_at: fields.time("opened_at")?,
        first_response_at: fields.time("first_response_at")?,
        solved_at: fields.time("solved_at")?,
        reopens: fields.int("reopens")?,
        transfers: fields.int("transfers")?,
        sla_breached: fields.bool("sla_breached")?,
        exception,
    })
}

fn engagement(fields: &Fields) -> Result<Engagement, Code> {
    Ok(Engagement {
        engagement_id: fields.id("engagement_id")?,
        action: fields.choice("action", &ACTION)?,
        campaign_id: fields.optional_id("campaign_id")?,
        channel: fields.optional_text("channel")?,
        machine: fields.bool("machine")?.unwrap_or(false),
    })
}

fn by_hand(fields: &Fields, at: EventTime, of_customer: bool) -> Result<Override, Code> {
    let action = fields.choice("action", &OVERRIDE_ACTION)?;
    Ok(Override {
        expires_at: if action == OverrideAction::Lift { None } else { Some(end(fields, at)?) },
        override_id: fields.id("override_id")?,
        action,
        programme: fields.id("programme")?,
        by: fields.id("by")?,
        reason: sentence(fields, "reason")?.ok_or(Code::MissingField)?,
        tier: fields.optional_id("tier")?,
        approved_by: fields.optional_id("approved_by")?,
        case_id: fields.optional_id("case_id")?,
        account_id: if of_customer { None } else { fields.optional_id("account_id")? },
    })
}

fn acknowledgement(fields: &Fields, at: EventTime) -> Result<Acknowledgement, Code> {
    Ok(Acknowledgement {
        alert_id: fields.id("alert_id")?,
        action: fields.choice("action", &ACKNOWLEDGED)?,
        by: fields.id("by")?,
        note: sentence(fields, "note")?,
        make_vip: match fields.object("make_vip")? {
            Some(inner) => Some(MakeVip { programme: inner.id("programme")?, expires_at: end(&inner, at)? }),
            None => None,
        },
    })
}

/// What a person decides ends, and not before it begins.
fn end(fields: &Fields, at: EventTime) -> Result<EventTime, Code> {
    let end = fields.time("expires_at")?.ok_or(Code::MissingField)?;
    if end > at { Ok(end) } else { Err(Code::OutOfRange) }
}

/// What somebody says, in at most 1,024 bytes.
fn sentence(fields: &Fields, name: &str) -> Result<Option<CompactString>, Code> {
    let said = fields.optional_text(name)?.filter(|said| !said.is_empty());
    if said.as_ref().is_some_and(|said| said.len() > 1024) { Err(Code::OutOfRange) } else { Ok(said) }
}

fn fx_rate(fields: &Fields) -> Result<FxRate, Code> {
    let rate = match fields.find("rate") {
        None => return Err(Code::MissingField),
        Some(Json::Number(text) | Json::Text(text)) => match exact(text) {
            Ok(rate) if rate > Decimal::ZERO && rate <= Decimal::from(MAX_AMOUNT) => rate,
            Ok(_) | Err(NoDecimal::TooLong) => return Err(Code::OutOfRange),
            Err(NoDecimal::NoNumber) => return Err(Code::WrongType),
        },
        Some(_) => return Err(Code::WrongType),
    };
    Ok(FxRate {
        base: fields.currency("base")?.ok_or(Code::MissingField)?,
        quote: fields.currency("quote")?.ok_or(Code::MissingField)?,
        rate,
        valid_on: fields.date("valid_on")?.ok_or(Code::MissingField)?,
    })
}

fn account(fields: &Fields) -> Result<Account, Code> {
    Ok(Account {
        account_id: fields.id("account_id")?,
        version: fields.int("version")?.ok_or(Code::MissingField)?,
        name: fields.optional_text("name")?,
        parent_account_id: fields.optional_id("parent_account_id")?,
        tier: fields.optional_text("tier")?,
        icp_fit: fields.decimal("icp_fit")?,
        account_manager: fields.optional_id("account_manager")?,
        renewal_on: fields.date("renewal_on")?,
        contract_value: fields.amount("contract_value")?,
        attributes: attributes(fields)?,
    })
}

fn agent(fields: &Fields) -> Result<Agent, Code> {
    let mut skills = Vec::new();
    for item in fields.list("skills")? {
        skills.push(Fields(vec![("skill".to_owned(), item)]).id("skill")?);
    }
    Ok(Agent {
        agent_id: fields.id("agent_id")?,
        version: fields.int("version")?.ok_or(Code::MissingField)?,
        name: fields.optional_text("name")?,
        team: fields.optional_text("team")?,
        skills,
        state: fields.choice("state", &AGENT_STATE)?,
        capacity: fields.int("capacity")?,
        open_cases: fields.int("open_cases")?,
    })
}

fn attributes(fields: &Fields) -> Result<Vec<(CompactString, Attribute)>, Code> {
    let mut attributes = Vec::new();
    for (name, value) in fields.object("attributes")?.map(|inner| inner.0).unwrap_or_default() {
        let attribute = match value {
            Json::Text(text) => Attribute::Text(text.into()),
            Json::Number(number) => Attribute::Number(exact(&number).map_err(|_| Code::OutOfRange)?),
            _ => return Err(Code::WrongType),
        };
        attributes.push((name.into(), attribute));
    }
    Ok(attributes)
}

fn profile(fields: &Fields) -> Result<Profile, Code> {
    let mut handles = Vec::new();
    for item in fields.list("handles")? {
        let Json::Object(inner) = item else { return Err(Code::WrongType) };
        let inner = Fields(inner);
        handles.push((inner.id("platform")?, inner.id("handle")?));
    }
    Ok(Profile {
        version: fields.int("version")?.ok_or(Code::MissingField)?,
        name: fields.optional_text("name")?,
        account_id: fields.optional_id("account_id")?,
        handles,
        role: fields.known_word("role", &["partner", "reseller", "influencer", "reference", "employee", "test"])?,
        support_level: fields.optional_text("support_level")?,
        region: fields.optional_text("region")?,
        vertical: fields.optional_text("vertical")?,
        segment: fields.optional_text("segment")?,
        account_manager: fields.optional_id("account_manager")?,
        preferred_channel: fields.optional_text("preferred_channel")?,
        timezone: fields.optional_text("timezone")?,
        merged_into: fields.optional_id("merged_into")?,
        attributes: attributes(fields)?,
    })
}

/// The fields of one JSON object. A field that is null is a field that is not there.
struct Fields(Vec<(String, Json)>);

impl Fields {
    fn find(&self, name: &str) -> Option<&Json> {
        self.0.iter().rev().find(|(field, _)| field == name).map(|(_, value)| value).filter(|v| **v != Json::Null)
    }

    fn optional_text(&self, name: &str) -> Result<Option<CompactString>, Code> {
        match self.find(name) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text.into())),
            Some(_) => Err(Code::WrongType),
        }
    }

    fn optional_id(&self, name: &str) -> Result<Option<CompactString>, Code> {
        let id = self.optional_text(name)?;
        id.as_deref().map_or(Ok(()), check_id)?;
        Ok(id.filter(|id| !id.is_empty()))
    }

    fn id(&self, name: &str) -> Result<CompactString, Code> {
        self.optional_id(name)?.ok_or(Code::MissingField)
    }

    fn bool(&self, name: &str) -> Result<Option<bool>, Code> {
        match self.find(name) {
            None => Ok(None),
            Some(Json::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(Code::WrongType),
        }
    }

    /// A whole number; all that the contract has count something.
    fn int(&self, name: &str) -> Result<Option<i64>, Code> {
        match self.find(name) {
            None => Ok(None),
            Some(Json::Number(number)) => match exact(number) {
                Ok(count) if !count.is_integer() => Err(Code::WrongType),
                Ok(count) => i64::try_from(count).ok().filter(|count| *count >= 0).map(Some).ok_or(Code::OutOfRange),
                // Too long to be told: whole is what is written with digits alone.
                Err(_) if number.contains(['.', 'e', 'E']) => Err(Code::WrongType),
                Err(_) => Err(Code::OutOfRange),
            },
            Some(_) => Err(Code::WrongType),
        }
    }

    fn decimal(&self, name: &str) -> Result<Option<Decimal>, Code> {
        match self.find(name) {
            None => Ok(None),
            Some(Json::Number(text) | Json::Text(text)) => match exact(text) {
                Ok(number) if number.abs() < Decimal::from(MAX_AMOUNT) => Ok(Some(number)),
                Ok(_) | Err(NoDecimal::TooLong) => Err(Code::OutOfRange),
                Err(NoDecimal::NoNumber) => Err(Code::WrongType),
            },
            Some(_) => Err(Code::WrongType),
        }
    }

    fn amount(&self, name: &str) -> Result<Option<Decimal>, Code> {
        let text = match self.find(name) {
            None => return Ok(None),
            Some(Json::Number(text) | Json::Text(text)) => text,
            Some(_) => return Err(Code::WrongType),
        };
        let amount = exact(text).map_err(|_| Code::BadAmount)?;
        if amount < Decimal::ZERO || amount >= Decimal::from(MAX_AMOUNT) {
            return Err(Code::BadAmount);
        }
        Ok(Some(amount))
    }

    fn currency(&self, name: &str) -> Result<Option<Currency>, Code> {
        match self.optional_text(name)? {
            None => Ok(None),
            Some(code) if ISO_4217.split_whitespace().any(|known| known == code) => Ok(Some(Currency(code))),
            Some(_) => Err(Code::UnknownCurrency),
        }
    }

    fn time(&self, name: &str) -> Result<Option<EventTime>, Code> {
        let millis = match self.find(name) {
            None => return Ok(None),
            Some(Json::Number(number)) => number.parse().map_err(|_| Code::BadTime)?,
            Some(Json::Text(text)) => instant(text).ok_or(Code::BadTime)?,
            Some(_) => return Err(Code::WrongType),
        };
        let time = EventTime(millis);
        if time < EventTime::MIN || time > EventTime::MAX { Err(Code::BadTime) } else { Ok(Some(time)) }
    }

    fn period_end(&self, name: &str) -> Result<Option<PeriodEnd>, Code> {
        if let Some(Json::Text(text)) = self.find(name)
            && text.len() == 10
            && let Ok(date) = text.parse::<Date>()
        {
            let known = Date::constant(1970, 1, 1)..=Date::constant(2500, 1, 1);
            return if known.contains(&date) { Ok(Some(PeriodEnd::Date(date))) } else { Err(Code::BadTime) };
        }
        Ok(self.time(name)?.map(PeriodEnd::Instant))
    }

    /// A plain date.
    fn date(&self, name: &str) -> Result<Option<Date>, Code> {
        let Some(text) = self.optional_text(name)? else { return Ok(None) };
        let date = text.parse::<Date>().ok().filter(|date| date.to_string() == text).ok_or(Code::BadTime)?;
        let known = Date::constant(1970, 1, 1)..=Date::constant(2500, 1, 1);
        if known.contains(&date) { Ok(Some(date)) } else { Err(Code::BadTime) }
    }

    fn choice<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<T, Code> {
        let word = self.optional_text(name)?.ok_or(Code::MissingField)?;
        words.iter().find(|(known, _)| *known == word).map(|(_, value)| *value).ok_or(Code::UnknownValue)
    }

    /// An unknown word in an optional field is no word.
    fn optional_choice<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, Code> {
        let word = self.optional_text(name)?;
        Ok(word.and_then(|word| words.iter().find(|(known, _)| *known == word).map(|(_, value)| *value)))
    }

    fn known_word(&self, name: &str, words: &[&str]) -> Result<Option<CompactString>, Code> {
        Ok(self.optional_text(name)?.filter(|word| words.contains(&word.as_str())))
    }

    fn object(&self, name: &str) -> Result<Option<Fields>, Code> {
        match self.find(name) {
            None => Ok(None),
            Some(Json::Object(fields)) => Ok(Some(Self(fields.clone()))),
            Some(_) => Err(Code::WrongType),
        }
    }

    fn list(&self, name: &str) -> Result<Vec<Json>, Code> {
        match self.find(name) {
            None => Ok(Vec::new()),
            Some(Json::List(items)) => Ok(items.clone()),
            Some(_) => Err(Code::WrongType),
        }
    }
}

/// An id is short and holds no control characters.
pub(super) fn check_id(id: &str) -> Result<(), Code> {
    if id.len() > MAX_ID_BYTES {
        Err(Code::IdTooLong)
    } else if id.chars().any(|c| c < ' ' || c == '\u{7f}') {
        Err(Code::BadId)
    } else {
        Ok(())
    }
}

/// Why text is no decimal.
enum NoDecimal {
    /// Not written as JSON writes numbers.
    NoNumber,
    /// More digits than a decimal holds.
    TooLong,
}

/// A decimal exactly as written, with or without an exponent.
fn exact(text: &str) -> Result<Decimal, NoDecimal> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || !digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)) {
        return Err(NoDecimal::NoNumber);
    }
    let all = format!("{whole}{fraction}");
    let all = all.trim_start_matches('0');
    let significant = all.trim_end_matches('0');
    if significant.is_empty() {
        return Ok(Decimal::ZERO);
    }
    // The number is `significant` times ten to the exponent, less the decimals, plus the zeros cut off.
    let exponent: i64 = exponent.parse().map_err(|_| NoDecimal::TooLong)?;
    let (zeros, decimals) = (all.len() - significant.len(), fraction.len());
    let power = exponent.saturating_add_unsigned(zeros as u64).saturating_sub_unsigned(decimals as u64);
    let places = usize::try_from(power.unsigned_abs()).ok().filter(|places| *places <= 28).ok_or(NoDecimal::TooLong)?;
    let plain = if power >= 0 {
        format!("{significant}{}", "0".repeat(places))
    } else {
        let padded = format!("{}{significant}", "0".repeat(places));
        let (whole, fraction) = padded.split_at(padded.len() - places);
        format!("{whole}.{fraction}")
    };
    let size = Decimal::from_str_exact(&plain).map_err(|_| NoDecimal::TooLong)?;
    Ok(if text.starts_with('-') { -size } else { size })
}

/// RFC 3339 with offset, to the millisecond; finer digits are cut off. A leap second is the second after it.
fn instant(text: &str) -> Option<i64> {
    let (date_time, rest) = text.split_at_checked(19)?;
    let shape: String = date_time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if !["0000-00-00T00:00:00", "0000-00-00t00:00:00", "0000-00-00 00:00:00"].contains(&shape.as_str()) {
        return None;
    }
    let (fraction, offset) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?),
        None => ("0", rest),
    };
    let offset_shape: String = offset.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if fraction.is_empty() || !["Z", "z", "+00:00", "-00:00"].contains(&offset_shape.as_str()) {
        return None;
    }
    if offset.len() == 6 && (&offset[1..3] > "23" || &offset[4..] > "59") {
        return None;
    }
    let is_leap = date_time.ends_with(":60");
    let second = if is_leap { "59" } else { &date_time[17..] };
    let plain = format!("{}T{}{second}{offset}", &date_time[..10], &date_time[11..17]);
    let time: jiff::Timestamp = plain.to_uppercase().parse().ok()?;
    let millis: i64 = format!("{fraction:0<3}")[..3].parse().expect("three digits");
    Some(time.as_millisecond() + i64::from(is_leap) * 1_000 + millis)
}

const PURCHASE_STATUS: [(&str, PurchaseStatus); 4] = [
    ("completed", PurchaseStatus::Completed),
    ("refunded", PurchaseStatus::Refunded),
    ("cancelled", PurchaseStatus::Cancelled),
    ("disputed", PurchaseStatus::Disputed),
];

const ACTIVITY: [(&str, Activity); 4] = [
    ("create", Activity::Create),
    ("update", Activity::Update),
    ("delete", Activity::Delete),
    ("repost", Activity::Repost),
];

const REFERRAL_STATUS: [(&str, ReferralStatus); 3] = [
    ("signed_up", ReferralStatus::SignedUp),
    ("converted", ReferralStatus::Converted),
    ("reversed", ReferralStatus::Reversed),
];

const PRESENCE_STATE: [(&str, PresenceState); 3] =
    [("online", PresenceState::Online), ("heartbeat", PresenceState::Heartbeat), ("offline", PresenceState::Offline)];

const AGENT_STATE: [(&str, AgentState); 3] =
    [("online", AgentState::Online), ("away", AgentState::Away), ("offline", AgentState::Offline)];

const CASE_STATE: [(&str, CaseState); 7] = [
    ("opened", CaseState::Opened),
    ("updated", CaseState::Updated),
    ("reopened", CaseState::Reopened),
    ("transferred", CaseState::Transferred),
    ("escalated", CaseState::Escalated),
    ("solved", CaseState::Solved),
    ("closed", CaseState::Closed),
];

const OVERRIDE_ACTION: [(&str, OverrideAction); 3] =
    [("grant", OverrideAction::Grant), ("deny", OverrideAction::Deny), ("lift", OverrideAction::Lift)];

const ACKNOWLEDGED: [(&str, Acknowledged); 3] = [
    ("acknowledged", Acknowledged::Acknowledged),
    ("resolved", Acknowledged::Resolved),
    ("dismissed", Acknowledged::Dismissed),
];

const ACTION: [(&str, Action); 8] = [
    ("sent", Action::Sent),
    ("open", Action::Open),
    ("click", Action::Click),
    ("visit", Action::Visit),
    ("login", Action::Login),
    ("feature", Action::Feature),
    ("reply", Action::Reply),
    ("unsubscribe", Action::Unsubscribe),
];

/// The active codes of ISO 4217.
const ISO_4217: &str = "
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
    CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF
    GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD
    LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP
    PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP
    TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG";
