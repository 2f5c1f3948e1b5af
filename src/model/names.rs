//! The words of closed enums on the wire, in rules and in keys: one list each.

use super::event::{
    Acknowledged, Action, Activity, AgentState, CaseState, OverrideAction, PresenceState, PurchaseStatus,
    ReferralStatus,
};

/// An enum whose values have fixed names on the wire.
pub trait Named: Copy + Sized + 'static {
    /// Every value, in the contract's order.
    const ALL: &'static [Self];

    /// The name on the wire.
    fn name(self) -> &'static str;

    /// The value of that name.
    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.name() == name)
    }
}

macro_rules! named {
    ($type:ident { $($value:ident => $name:literal),+ $(,)? }) => {
        impl Named for $type {
            const ALL: &'static [Self] = &[$(Self::$value),+];

            fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $name),+
                }
            }
        }
    };
}

named!(PurchaseStatus {
    Completed => "completed",
    Refunded => "refunded",
    Cancelled => "cancelled",
    Disputed => "disputed",
});

named!(Activity {
    Create => "create",
    Update => "update",
    Delete => "delete",
    Repost => "repost",
});

named!(ReferralStatus {
    SignedUp => "signed_up",
    Converted => "converted",
    Reversed => "reversed",
});

named!(PresenceState {
    Online => "online",
    Heartbeat => "heartbeat",
    Offline => "offline",
});

named!(CaseState {
    Opened => "opened",
    Updated => "updated",
    Reopened => "reopened",
    Transferred => "transferred",
    Escalated => "escalated",
    Solved => "solved",
    Closed => "closed",
});

named!(AgentState {
    Online => "online",
    Away => "away",
    Offline => "offline",
});

named!(OverrideAction {
    Grant => "grant",
    Deny => "deny",
    Lift => "lift",
});

named!(Acknowledged {
    Acknowledged => "acknowledged",
    Resolved => "resolved",
    Dismissed => "dismissed",
});

named!(Action {
    Sent => "sent",
    Open => "open",
    Click => "click",
    Visit => "visit",
    Login => "login",
    Feature => "feature",
    Reply => "reply",
    Unsubscribe => "unsubscribe",
});
