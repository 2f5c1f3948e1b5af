//! What a rule may read, and under which name.

use std::cell::RefCell;

use compact_str::{CompactString, format_compact};
use rust_decimal::Decimal;

use super::calendar::Calendar;
use super::fields::{self, Field};
use super::percentile::{MAX_MEASURED, MAX_PERCENTILES, Percentile};
use super::pivots::bit;
use super::value::{Type, Val};
use crate::model::event::{Account, Attribute, Kind, PeriodEnd, Profile};
use crate::model::time::EventTime;
use crate::pivot;
use crate::yaml::suggest;

/// A named value. Indices are places in the ruleset's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    Feature(u8),
    FirstPurchase,
    LastPurchase,
    LastSeen,
    Subscribed,
    Profile(ProfileField),
    Label(u8),
    Held(u8),
    Tier(u8),
    Vip,
    /// A change in behaviour was told and has not ended.
    Pivot(pivot::Kind),
    /// What a part of all customers do not exceed of a feature: by place in
    /// [`Ruleset::percentiles`](super::ruleset::Ruleset), and the feature.
    Percentile(u8, u8),
    /// Of the customer's account, or of the account itself.
    Account(AccountField),
    /// A free attribute of the profile, by place in [`Ruleset::attributes`](super::ruleset::Ruleset).
    Attribute(u8),
    /// One of the account.
    AccountAttribute(u8),
    /// A field of the event at hand.
    Event(Field),
}

/// Gives an expression the values of its facts.
pub trait Facts<'v> {
    /// The fact's value; `Error(Missing)` where it has none.
    fn fact(&self, fact: Fact) -> Val<'v>;
    /// Local dates from that of `time` to that of the look.
    fn days_since(&self, time: EventTime) -> i64;
}

/// The fields of a customer record that rules read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileField {
    Name,
    AccountId,
    Role,
    SupportLevel,
    Region,
    Vertical,
    Segment,
    AccountManager,
    PreferredChannel,
    Timezone,
}

impl ProfileField {
    const ALL: [(&'static str, Self); 10] = [
        ("name", Self::Name),
        ("account_id", Self::AccountId),
        ("role", Self::Role),
        ("support_level", Self::SupportLevel),
        ("region", Self::Region),
        ("vertical", Self::Vertical),
        ("segment", Self::Segment),
        ("account_manager", Self::AccountManager),
        ("preferred_channel", Self::PreferredChannel),
        ("timezone", Self::Timezone),
    ];

    /// The field's value in a profile.
    pub fn read(self, profile: &Profile) -> Val<'_> {
        Val::text(
            match self {
                Self::Name => &profile.name,
                Self::AccountId => &profile.account_id,
                Self::Role => &profile.role,
                Self::SupportLevel => &profile.support_level,
                Self::Region => &profile.region,
                Self::Vertical => &profile.vertical,
                Self::Segment => &profile.segment,
                Self::AccountManager => &profile.account_manager,
                Self::PreferredChannel => &profile.preferred_channel,
                Self::Timezone => &profile.timezone,
            }
            .as_ref(),
        )
    }
}

/// The fields of an account record that rules read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountField {
    Name,
    Tier,
    IcpFit,
    AccountManager,
    ContractValue,
    ParentAccountId,
    RenewalOn,
}

impl AccountField {
    const ALL: [(&'static str, Self, Type); 7] = [
        ("name", Self::Name, Type::Text),
        ("tier", Self::Tier, Type::Text),
        ("icp_fit", Self::IcpFit, Type::Decimal),
        ("account_manager", Self::AccountManager, Type::Text),
        ("contract_value", Self::ContractValue, Type::Decimal),
        ("parent_account_id", Self::ParentAccountId, Type::Text),
        ("renewal_on", Self::RenewalOn, Type::Time),
    ];

    /// The field's value in an account; a date is the instant of its start.
    pub fn read<'a>(self, account: &'a Account, calendar: &Calendar) -> Val<'a> {
        match self {
            Self::Name => Val::text(account.name.as_ref()),
            Self::Tier => Val::text(account.tier.as_ref()),
            Self::AccountManager => Val::text(account.account_manager.as_ref()),
            Self::ParentAccountId => Val::text(account.parent_account_id.as_ref()),
            Self::IcpFit => Val::or_missing(account.icp_fit.map(Val::Decimal)),
            Self::ContractValue => Val::or_missing(account.contract_value.map(Val::Decimal)),
            Self::RenewalOn => {
                Val::or_missing(account.renewal_on.map(|date| Val::Time(calendar.period_end(PeriodEnd::Date(date)))))
            }
        }
    }
}

/// What of an account's record somebody reads.
#[derive(Clone, Debug, Default)]
pub struct AccountReads {
    fields: Vec<AccountField>,
    /// By place in [`Ruleset::attributes`](super::ruleset::Ruleset).
    attributes: Vec<u8>,
}

impl AccountReads {
    /// Whether nothing is read.
    pub(super) const fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.attributes.is_empty()
    }

    /// Notes a fact, if it is an account's.
    pub(super) fn note(&mut self, fact: Fact) {
        match fact {
            Fact::Account(field) if !self.fields.contains(&field) => self.fields.push(field),
            Fact::AccountAttribute(index) if !self.attributes.contains(&index) => self.attributes.push(index),
            _ => {}
        }
    }

    /// An account's record without what nobody reads; its version tells nothing of the rest.
    pub fn of(&self, account: &Account, names: &[CompactString]) -> Account {
        let mut read = Account::default();
        for field in &self.fields {
            match field {
                AccountField::Name => read.name.clone_from(&account.name),
                AccountField::Tier => read.tier.clone_from(&account.tier),
                AccountField::AccountManager => read.account_manager.clone_from(&account.account_manager),
                AccountField::ParentAccountId => read.parent_account_id.clone_from(&account.parent_account_id),
                AccountField::IcpFit => read.icp_fit = account.icp_fit,
                AccountField::ContractValue => read.contract_value = account.contract_value,
                AccountField::RenewalOn => read.renewal_on = account.renewal_on,
            }
        }
        let is_read = |name: &CompactString| self.attributes.iter().any(|index| names[usize::from(*index)] == *name);
        read.attributes = account.attributes.iter().filter(|(name, _)| is_read(name)).cloned().collect();
        read
    }
}

/// The attribute of that name, where there is one.
pub fn attribute<'a>(attributes: &'a [(CompactString, Attribute)], name: &str) -> Val<'a> {
    Val::or_missing(attributes.iter().find(|(other, _)| other == name).map(|(_, value)| value.into()))
}

/// The names an expression may use, with what they stand for.
#[derive(Clone, Debug, Default)]
pub struct Scope<'a> {
    /// The event whose fields can be read, if any.
    pub event: Option<Kind>,
    /// Only the event's fields: features' own expressions.
    pub event_only: bool,
    pub features: Vec<(&'a str, Type)>,
    pub labels: Vec<&'a str>,
    /// Programmes whose `held` and `tier` may be read.
    pub programmes: Vec<&'a str>,
    /// Names that exist but are evaluated later, so that the message can say so.
    pub later: Vec<&'a str>,
    pub vip: bool,
    /// Kinds of pivots that the ruleset tells, as bits; `None` where it asks for none.
    pub pivots: Option<u16>,
    /// What is judged is an account, not a customer.
    pub of_account: bool,
    /// Of `programmes` those that an account never holds.
    pub of_customers: Vec<&'a str>,
    /// Names of attributes read so far, in any expression.
    pub attributes: Option<&'a RefCell<Vec<CompactString>>>,
    /// Percentiles read so far, in any expression.
    pub percentiles: Option<&'a RefCell<Vec<Percentile>>>,
}

/// Why a name cannot be read: what is wrong, and the remedy.
pub type NameError = (String, Option<String>);

impl Scope<'_> {
    /// What a bare name stands for: a fact, else a field of the event.
    ///
    /// # Errors
    /// The name is not known, or not here.
    pub fn bare(&self, name: &str) -> Result<(Fact, Type), NameError> {
        if let Some(found) = self.known(name) {
            return Ok(found);
        }
        if let Some((field, kind)) = self.event.and_then(|event| fields::find(event, name)) {
            return Ok((Fact::Event(field), kind));
        }
        Err(self.unknown(name))
    }

    /// What `namespace.name` stands for.
    ///
    /// # Errors
    /// The namespace or the name in it is not known, or not here.
    pub fn member(&self, namespace: &str, name: &str) -> Result<(Fact, Type), NameError> {
        let place = |list: &[&str]| list.iter().position(|other| *other == name).map(index);
        match namespace {
            "f" if !self.event_only => self.known(name).ok_or_else(|| self.unknown(name)),
            "event" => self.field(name),
            _ if Some(namespace) == self.event.map(Kind::name) => self.field(name),
            "label" if self.of_account => Err(not_of_account(&format!("label.{name}"), "labels are")),
            "held" | "tier" if self.of_customers.contains(&name) => {
                let what = format!("`{namespace}.{name}`: an account never holds `{name}`");
                Err((what, Some(format!("only programmes with `applies_to: account`; `{name}` is for customers"))))
            }
            "label" | "held" | "tier" if !self.event_only => {
                let list = if namespace == "label" { &self.labels } else { &self.programmes };
                let at = place(list).ok_or_else(|| self.absent(namespace, name, list))?;
                Ok(match namespace {
                    "label" => (Fact::Label(at), Type::Bool),
                    "held" => (Fact::Held(at), Type::Bool),
                    _ => (Fact::Tier(at), Type::Text),
                })
            }
            "pivot" if !self.event_only => self.pivot(name),
            "account" if !self.event_only => self.account(name),
            "attributes" if self.of_account => Err(not_of_account(&format!("attributes.{name}"), "a profile is")),
            "attributes" if !self.event_only => Ok((Fact::Attribute(self.attribute(name)?), Type::Attribute)),
            other if self.event_only && Kind::counted().any(|kind| kind.name() == other) => Err((
                format!("`{other}.{name}` belongs to another kind of event"),
                Some("a feature reads one kind".to_owned()),
            )),
            other => Err((format!("unknown name `{other}.{name}`"), Some(NAMESPACES.to_owned()))),
        }
    }

    fn pivot(&self, name: &str) -> Result<(Fact, Type), NameError> {
        if self.of_account {
            return Err(not_of_account(&format!("pivot.{name}"), "pivots are"));
        }
        let Some(told) = self.pivots else {
            let what = format!("`pivot.{name}`: the ruleset asks for no pivots");
            return Err((what, Some("add `pivots: { alert: 1 per 100 customer-years }`".to_owned())));
        };
        let readable = || pivot::Kind::ALL.into_iter().filter(|kind| kind.ends());
        let found = readable().find(|kind| kind.name() == name);
        if found.is_some_and(|kind| told & bit(kind) == 0) {
            let what = format!("`pivot.{name}` is never told, so nobody ever is it");
            return Err((what, Some(format!("add `{name}` to `pivots.kinds`"))));
        }
        found.map(|kind| (Fact::Pivot(kind), Type::Bool)).ok_or_else(|| {
            let known: Vec<&str> = readable().map(pivot::Kind::name).collect();
            let near = suggest(name, known.iter().copied()).map(|near| format!("did you mean `pivot.{near}`? "));
            let what = match pivot::Kind::parse(name) {
                Some(_) => format!("`pivot.{name}` has no end, so nobody is it for longer than an instant"),
                None => format!("`pivot.{name}` is no kind of pivot"),
            };
            (what, Some(format!("{}known: {}", near.unwrap_or_default(), known.join(", "))))
        })
    }

    fn account(&self, name: &str) -> Result<(Fact, Type), NameError> {
        if let Some(name) = name.strip_prefix("attributes.") {
            return Ok((Fact::AccountAttribute(self.attribute(name)?), Type::Attribute));
        }
        let found = AccountField::ALL.iter().find(|(other, ..)| *other == name);
        found.map(|(_, field, type_)| (Fact::Account(*field), *type_)).ok_or_else(|| {
            let known: Vec<&str> = AccountField::ALL.iter().map(|(name, ..)| *name).collect();
            let near = suggest(name, known.iter().copied()).map(|near| format!("did you mean `account.{near}`? "));
            let help = format!("{}known: {}, attributes.NAME", near.unwrap_or_default(), known.join(", "));
            (format!("`account.{name}` is no field of an account"), Some(help))
        })
    }

    /// The percentile of a feature.
    ///
    /// # Errors
    /// Not here, or too many.
    pub fn percentile(&self, feature: u8, part: Decimal) -> Result<Fact, NameError> {
        let here = self.percentiles.filter(|_| !self.of_account && !self.event_only);
        let none = "`percentile` is over all customers, and may be read by labels, programmes for customers and alerts";
        let mut known = here.ok_or_else(|| (none.to_owned(), None))?.borrow_mut();
        let name = format_compact!("percentile({}, {})", self.features[usize::from(feature)].0, part.normalize());
        let percentile = Percentile { feature, part, name };
        let at = known.iter().position(|other| *other == percentile).unwrap_or(known.len());
        if at == known.len() {
            known.push(percentile);
        }
        let mut features: Vec<u8> = known.iter().map(|percentile| percentile.feature).collect();
        features.sort_unstable();
        features.dedup();
        if known.len() > MAX_PERCENTILES || features.len() > MAX_MEASURED {
            let what = format!("at most {MAX_PERCENTILES} percentiles, of {MAX_MEASURED} features, can be read");
            return Err((what, Some("leave out what is least needed".to_owned())));
        }
        Ok(Fact::Percentile(index(at), feature))
    }

    /// The place of an attribute's name.
    fn attribute(&self, name: &str) -> Result<u8, NameError> {
        let none = || (format!("`attributes.{name}`: there are no attributes here"), None);
        let mut names = self.attributes.ok_or_else(none)?.borrow_mut();
        let known = names.iter().position(|other| other == name);
        if known.is_none() && names.len() >= MAX_ATTRIBUTES {
            let what = format!("`{name}` is the {}th attribute", names.len() + 1);
            return Err((what, Some(format!("rules read at most {MAX_ATTRIBUTES} different attributes"))));
        }
        Ok(index(known.unwrap_or_else(|| {
            names.push(name.into());
            names.len() - 1
        })))
    }

    fn field(&self, name: &str) -> Result<(Fact, Type), NameError> {
        let Some(kind) = self.event else {
            return Err((
                format!("`event.{name}`: there is no event here"),
                Some("only alerts and features read the event".to_owned()),
            ));
        };
        let (field, type_) = fields::find(kind, name).ok_or_else(|| {
            let known = fields::names(kind);
            let near = suggest(name, known.iter().copied()).map(|near| format!("did you mean `{near}`? "));
            (
                format!("`{name}` is no field of {}", kind.name()),
                Some(format!("{}known: {}", near.unwrap_or_default(), known.join(", "))),
            )
        })?;
        Ok((Fact::Event(field), type_))
    }

    fn known(&self, name: &str) -> Option<(Fact, Type)> {
        if self.event_only {
            return None;
        }
        if let Some(at) = self.features.iter().position(|(other, _)| *other == name) {
            return Some((Fact::Feature(index(at)), self.features[at].1));
        }
        match name {
            "first_purchase" => Some((Fact::FirstPurchase, Type::Time)),
            "last_purchase" => Some((Fact::LastPurchase, Type::Time)),
            "last_seen" => Some((Fact::LastSeen, Type::Time)),
            "subscribed" => Some((Fact::Subscribed, Type::Bool)),
            "vip" if self.vip => Some((Fact::Vip, Type::Bool)),
            _ if self.of_account => None,
            _ => ProfileField::ALL
                .iter()
                .find(|(other, _)| *other == name)
                .map(|(_, field)| (Fact::Profile(*field), Type::Text)),
        }
    }

    /// Every bare name that can be read here.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.event.map(fields::names).unwrap_or_default();
        if !self.event_only {
            names.extend(self.features.iter().map(|(name, _)| *name));
            names.extend(RESERVED.iter().copied().filter(|name| *name != "vip" || self.vip));
        }
        if !self.event_only && !self.of_account {
            names.extend(ProfileField::ALL.iter().map(|(name, _)| *name));
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    fn unknown(&self, name: &str) -> NameError {
        if name == "vip" {
            return (
                "`vip` is not known yet here".to_owned(),
                Some(
                    "labels and programmes are judged before it; a programme may read `held.NAME` of one above"
                        .to_owned(),
                ),
            );
        }
        if self.of_account && ProfileField::ALL.iter().any(|(other, _)| *other == name) {
            return not_of_account(name, "a profile is");
        }
        let names = self.names();
        let near = suggest(name, names.iter().copied()).map(|near| format!("did you mean `{near}`? "));
        (format!("unknown fact `{name}`"), Some(format!("{}known: {}", near.unwrap_or_default(), names.join(", "))))
    }

    fn absent(&self, namespace: &str, name: &str, list: &[&str]) -> NameError {
        if self.later.contains(&name) {
            return (
                format!("`{namespace}.{name}` is evaluated after this expression"),
                Some("an expression reads only what stands above it; labels come before programmes".to_owned()),
            );
        }
        let near = suggest(name, list.iter().copied()).map(|near| format!("did you mean `{namespace}.{near}`?"));
        (format!("unknown name `{namespace}.{name}`"), near)
    }
}

fn not_of_account(name: &str, what: &str) -> NameError {
    let help = "a programme with `applies_to: account` reads features, first and last times, account.FIELD, and held and tier of such programmes above it";
    (format!("`{name}`: {what} a customer's, and an account has none"), Some(help.to_owned()))
}

/// Most different attributes that a ruleset reads.
const MAX_ATTRIBUTES: usize = 64;

/// Whether a feature may not take this name, since a fact or a namespace has it.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
        || ["f", "event", "label", "held", "tier", "pivot", "account", "attributes"].contains(&name)
        || ProfileField::ALL.iter().any(|(other, _)| *other == name)
        || Kind::from_name(name).is_some()
        || Kind::counted().any(|kind| kind.name() == name)
}

/// A place in one of the ruleset's lists.
pub(crate) fn index(place: usize) -> u8 {
    u8::try_from(place).expect("no list of a ruleset has more than 64 entries")
}

const RESERVED: [&str; 5] = ["first_purchase", "last_purchase", "last_seen", "subscribed", "vip"];
const NAMESPACES: &str = "names with a point: f.FACT, event.FIELD, account.FIELD, attributes.NAME, label.NAME, held.PROGRAMME, tier.PROGRAMME";
