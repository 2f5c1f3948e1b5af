//! From fields to the event of each kind: what is required, what is allowed, what stands for what is absent.

mod by_hand;

use compact_str::CompactString;
use rust_decimal::Decimal;

use super::RawRecord;
use super::envelope::{self, Common};
use super::fault::Fault;
use super::field::Field;
use super::fields::{
    AccountFields, AgentFields, CaseFields, CsatFields, EngagementFields, ErasureFields, ExceptionFields, Fields,
    FxRateFields, HandleFields, MentionFields, PresenceFields, ProfileFields, PurchaseFields, ReferralFields,
    SubscriptionFields, of_object,
};
use super::json::{self, Value};
use super::sentiment;
use crate::model::event::{
    Account, Activity, Agent, Attribute, Body, Case, Csat, Engagement, Erasure, Event, Exception, FxRate, Kind,
    Mention, Presence, Profile, Purchase, Referral, Subscription,
};
use crate::model::record::Code;

/// Reads the event of `kind` that `text`, the record's value, holds.
///
/// # Errors
/// The first fault found.
pub(super) fn read(kind: Kind, text: &str, record: &RawRecord<'_>) -> Result<Event, Fault> {
    match kind {
        Kind::FxRate => event(kind, text, record, |_, fields, _| fx_rate(fields)),
        Kind::Account => event(kind, text, record, |_, fields, _| account(fields)),
        Kind::Agent => event(kind, text, record, |_, fields, _| agent(fields)),
        Kind::Purchase => event(kind, text, record, |_, fields, _| purchase(fields)),
        Kind::Csat => event(kind, text, record, |_, fields, unknown| csat(fields, unknown)),
        Kind::Mention => event(kind, text, record, mention),
        Kind::Referral => event(kind, text, record, |_, fields, _| referral(fields)),
        Kind::Presence => event(kind, text, record, |_, fields, _| presence(fields)),
        Kind::Case => event(kind, text, record, |_, fields, _| case(fields)),
        Kind::Engagement => event(kind, text, record, |_, fields, _| engagement(fields)),
        Kind::Override => event(kind, text, record, |common, fields, _| by_hand::override_(common, fields)),
        Kind::Acknowledgement => {
            event(kind, text, record, |common, fields, _| by_hand::acknowledgement(common, fields))
        }
        Kind::Customer => event(kind, text, record, |_, fields, unknown| profile(fields, unknown)),
        Kind::Erasure => event(kind, text, record, |_, fields, _| erasure(fields)),
        Kind::ReferredPurchase => unreachable!("no input carries it"),
    }
}

/// Opens the envelope and reads the body. Of what is about customers, only a mention may lack its own, and an override
/// where it names an account.
fn event<'a, F: Fields<'a>>(
    kind: Kind,
    text: &'a str,
    record: &RawRecord<'a>,
    body: impl FnOnce(&Common, &F, &mut u8) -> Result<Body, Fault>,
) -> Result<Event, Fault> {
    let mut fields = F::default();
    let common = envelope::open(kind, text, record, &mut fields)?;
    let mut unknown_values = 0;
    let body = body(&common, &fields, &mut unknown_values)?;
    let names_another = match &body {
        Body::Mention(_) => true,
        Body::Override(it) => it.account_id.is_some(),
        _ => false,
    };
    if common.customer.is_none() && kind.has_customer() && !names_another {
        return Err(Fault::new(Code::MissingField, by_hand::without_customer(kind)));
    }
    Ok(Event { event_id: common.event_id, customer: common.customer, at: common.at, body, unknown_values })
}

fn purchase(f: &PurchaseFields<'_>) -> Result<Body, Fault> {
    Ok(Body::Purchase(Purchase {
        order_id: f.order_id().id()?,
        amount: f.amount().amount()?,
        currency: f.currency().currency()?,
        status: f.status().choice()?,
        refund_id: f.refund_id().id_opt()?.unwrap_or_default(),
        refunds_order_at: f.refunds_order_at().time_opt()?,
        category: f.category().text_opt()?,
        channel: f.channel().text_opt()?,
        items: f.items().int_opt(COUNT)?,
        account_id: f.account_id().id_opt()?,
        subscription: subscription(f.subscription())?,
        test: f.test().flag_opt()?.unwrap_or(false),
    }))
}

fn subscription(field: Field<'_>) -> Result<Option<Box<Subscription>>, Fault> {
    let Some(text) = field.object_opt()? else { return Ok(None) };
    let f = of_object::<SubscriptionFields<'_>>(text)?;
    Ok(Some(Box::new(Subscription { plan: f.plan().text_opt()?, period_end: f.period_end().period_end_opt()? })))
}

fn csat(f: &CsatFields<'_>, unknown: &mut u8) -> Result<Body, Fault> {
    let score = f.score().decimal()?;
    let scale_max = f.scale_max().decimal()?;
    let scale_min = f.scale_min().decimal_opt()?.unwrap_or(Decimal::ONE);
    if scale_max <= scale_min {
        return Err(Fault::new(
            Code::OutOfRange,
            format!("field `scale_max` is {scale_max}; it must be above `scale_min`, which is {scale_min}"),
        ));
    }
    if score < scale_min || score > scale_max {
        return Err(f.score().outside(&scale_min.to_string(), &scale_max.to_string()));
    }
    let higher_is_better = f.higher_is_better().flag_opt()?.unwrap_or(true);
    Ok(Body::Csat(Csat {
        interaction_id: f.interaction_id().id()?,
        satisfaction: satisfaction(score, scale_min, scale_max, higher_is_better),
        score,
        scale_min,
        scale_max,
        instrument: f.instrument().word_opt(&["csat", "nps", "ces", "thumbs"], unknown)?,
        revision: f.revision().int_opt(COUNT)?.unwrap_or(0),
        case_id: f.case_id().id_opt()?,
        agent_id: f.agent_id().id_opt()?,
        channel: f.channel().text_opt()?,
        comment: f.comment().long_text_opt()?,
    }))
}

/// 0 (worst) to 1, 28 digits half-even.
fn satisfaction(score: Decimal, min: Decimal, max: Decimal, higher_is_better: bool) -> Decimal {
    let share = ((score - min) / (max - min)).clamp(Decimal::ZERO, Decimal::ONE);
    let satisfaction = if higher_is_better { share } else { Decimal::ONE - share };
    satisfaction.normalize()
}

fn mention(common: &Common, f: &MentionFields<'_>, unknown: &mut u8) -> Result<Body, Fault> {
    let text = f.text().long_text_opt()?;
    let sentiment = match f.sentiment().decimal_opt()? {
        Some(sent) if sent.abs() > Decimal::ONE => return Err(f.sentiment().outside("-1", "1")),
        Some(sent) => Some(sent),
        None => text.as_deref().filter(|text| !text.is_empty()).map(sentiment::score),
    };
    Ok(Body::Mention(Box::new(Mention {
        platform: f.platform().id()?,
        handle: f.handle().id()?,
        public: f.public().flag()?,
        post_id: f.post_id().id_opt()?.unwrap_or_else(|| common.event_id.clone()),
        activity: f.activity().choice_opt(unknown)?.unwrap_or(Activity::Create),
        text,
        lang: f.lang().text_opt()?,
        sentiment,
        followers: f.followers().int_opt(COUNT)?,
        reach: f.reach().int_opt(COUNT)?,
        bot_score: f.bot_score().decimal_opt()?,
        url: f.url().long_text_opt()?,
        in_reply_to: f.in_reply_to().id_opt()?,
    })))
}

fn referral(f: &ReferralFields<'_>) -> Result<Body, Fault> {
    Ok(Body::Referral(Referral {
        referred_customer_id: f.referred_customer_id().id()?,
        status: f.status().choice()?,
        referral_id: f.referral_id().id_opt()?,
        value: f.value().amount_opt()?,
        currency: f.currency().currency_opt()?,
        order_id: f.order_id().id_opt()?,
        program: f.program().text_opt()?,
    }))
}

fn presence(f: &PresenceFields<'_>) -> Result<Body, Fault> {
    let ttl_s = f.ttl_s().int_opt(1..=86_400)?.unwrap_or(90);
    Ok(Body::Presence(Presence {
        session_id: f.session_id().id()?,
        state: f.state().choice()?,
        channel: f.channel().text_opt()?,
        page: f.page().long_text_opt()?,
        device: f.device().text_opt()?,
        ttl_s: u32::try_from(ttl_s).expect("at most 86,400"),
    }))
}

fn case(f: &CaseFields<'_>) -> Result<Body, Fault> {
    Ok(Body::Case(Box::new(Case {
        case_id: f.case_id().id()?,
        version: f.version().int(COUNT)?,
        state: f.state().choice()?,
        agent_id: f.agent_id().id_opt()?,
        team: f.team().text_opt()?,
        priority: f.priority().text_opt()?,
        channel: f.channel().text_opt()?,
        opened_at: f.opened_at().time_opt()?,
        first_response_at: f.first_response_at().time_opt()?,
        solved_at: f.solved_at().time_opt()?,
        reopens: f.reopens().int_opt(COUNT)?,
        transfers: f.transfers().int_opt(COUNT)?,
        sla_breached: f.sla_breached().flag_opt()?,
        exception: exception(f.exception())?,
    })))
}

fn exception(field: Field<'_>) -> Result<Option<Exception>, Fault> {
    let Some(text) = field.object_opt()? else { return Ok(None) };
    let f = of_object::<ExceptionFields<'_>>(text)?;
    Ok(Some(Exception { kind: f.kind().id()?, approved_by: f.approved_by().id_opt()? }))
}

fn engagement(f: &EngagementFields<'_>) -> Result<Body, Fault> {
    Ok(Body::Engagement(Engagement {
        engagement_id: f.engagement_id().id()?,
        action: f.action().choice()?,
        campaign_id: f.campaign_id().id_opt()?,
        channel: f.channel().text_opt()?,
        machine: f.machine().flag_opt()?.unwrap_or(false),
    }))
}

fn erasure(f: &ErasureFields<'_>) -> Result<Body, Fault> {
    Ok(Body::Erasure(Erasure { request_id: f.request_id().id()?, deadline: f.deadline().time_opt()? }))
}

fn profile(f: &ProfileFields<'_>, unknown: &mut u8) -> Result<Body, Fault> {
    let roles = ["partner", "reseller", "influencer", "reference", "employee", "test"];
    Ok(Body::Customer(Box::new(Profile {
        version: f.version().int(COUNT)?,
        name: f.name().text_opt()?,
        account_id: f.account_id().id_opt()?,
        handles: handles(f.handles())?,
        role: f.role().word_opt(&roles, unknown)?,
        support_level: f.support_level().text_opt()?,
        region: f.region().text_opt()?,
        vertical: f.vertical().text_opt()?,
        segment: f.segment().text_opt()?,
        account_manager: f.account_manager().id_opt()?,
        preferred_channel: f.preferred_channel().text_opt()?,
        timezone: f.timezone().text_opt()?,
        merged_into: f.merged_into().id_opt()?,
        attributes: attributes(f.attributes())?,
    })))
}

fn fx_rate(f: &FxRateFields<'_>) -> Result<Body, Fault> {
    Ok(Body::FxRate(FxRate {
        base: f.base().currency()?,
        quote: f.quote().currency()?,
        rate: f.rate().rate()?,
        valid_on: f.valid_on().date()?,
    }))
}

fn account(f: &AccountFields<'_>) -> Result<Body, Fault> {
    Ok(Body::Account(Box::new(Account {
        account_id: f.account_id().id()?,
        version: f.version().int(COUNT)?,
        name: f.name().text_opt()?,
        parent_account_id: f.parent_account_id().id_opt()?,
        tier: f.tier().text_opt()?,
        icp_fit: f.icp_fit().decimal_opt()?,
        account_manager: f.account_manager().id_opt()?,
        renewal_on: f.renewal_on().date_opt()?,
        contract_value: f.contract_value().amount_opt()?,
        attributes: attributes(f.attributes())?,
    })))
}

fn agent(f: &AgentFields<'_>) -> Result<Body, Fault> {
    Ok(Body::Agent(Box::new(Agent {
        agent_id: f.agent_id().id()?,
        version: f.version().int(COUNT)?,
        name: f.name().text_opt()?,
        team: f.team().text_opt()?,
        skills: skills(f.skills())?,
        state: f.state().choice()?,
        capacity: f.capacity().int_opt(COUNT)?,
        open_cases: f.open_cases().int_opt(COUNT)?,
    })))
}

fn skills(field: Field<'_>) -> Result<Vec<CompactString>, Fault> {
    let mut skills = Vec::new();
    let Some(text) = field.array_opt()? else { return Ok(skills) };
    json::array(text, |value| {
        skills.push(Field { name: "skills", value }.id()?);
        Ok(())
    })?;
    Ok(skills)
}

fn handles(field: Field<'_>) -> Result<Vec<(CompactString, CompactString)>, Fault> {
    let mut handles = Vec::new();
    let Some(text) = field.array_opt()? else { return Ok(handles) };
    json::array(text, |value| {
        let element = Field { name: "handles", value }.object()?;
        let f = of_object::<HandleFields<'_>>(element)?;
        handles.push((f.platform().id()?, f.handle().id()?));
        Ok(())
    })?;
    Ok(handles)
}

/// Attributes in the record's order; null ones are absent.
fn attributes(field: Field<'_>) -> Result<Vec<(CompactString, Attribute)>, Fault> {
    let mut attributes: Vec<(CompactString, Attribute)> = Vec::new();
    let Some(text) = field.object_opt()? else { return Ok(attributes) };
    json::object(text, |name, value| {
        let field = Field { name: "attributes", value };
        let attribute = match value {
            Value::Number(_) => field.decimal_opt()?.map(Attribute::Number),
            _ => field.text_opt()?.map(Attribute::Text),
        };
        attributes.extend(attribute.map(|attribute| (CompactString::from(name), attribute)));
        Ok(())
    })?;
    Ok(attributes)
}

/// Counts, revisions and versions.
const COUNT: std::ops::RangeInclusive<i64> = 0..=i64::MAX;
