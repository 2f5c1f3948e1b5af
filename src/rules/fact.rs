//! What a rule may read, and under which name.

use super::fields::{self, Field};
use super::value::{Type, Val};
use crate::model::event::{Kind, Profile};
use crate::model::time::EventTime;
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
            "label" | "held" | "tier" if !self.event_only => {
                let list = if namespace == "label" { &self.labels } else { &self.programmes };
                let at = place(list).ok_or_else(|| self.absent(namespace, name, list))?;
                Ok(match namespace {
                    "label" => (Fact::Label(at), Type::Bool),
                    "held" => (Fact::Held(at), Type::Bool),
                    _ => (Fact::Tier(at), Type::Text),
                })
            }
            "pivot" => Err((format!("`pivot.{name}`: pivots are not read by this version"), None)),
            "account" => Err((format!("`account.{name}`: accounts are not read by this version"), None)),
            "attributes" => Err((format!("`attributes.{name}`: attributes are not read by this version"), None)),
            other if self.event_only && Kind::counted().any(|kind| kind.name() == other) => Err((
                format!("`{other}.{name}` belongs to another kind of event"),
                Some("a feature reads one kind".to_owned()),
            )),
            other => Err((format!("unknown name `{other}.{name}`"), Some(NAMESPACES.to_owned()))),
        }
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
const NAMESPACES: &str = "names with a point: f.FACT, event.FIELD, label.NAME, held.PROGRAMME, tier.PROGRAMME";
